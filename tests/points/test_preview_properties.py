"""A preview is the award that follows it, whatever the rulebook: what it gives, and how it came about."""

import secrets
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.models import Program
from points import ledger, rules
from points.models import EntryType
from points.rule_models import Campaign, EarningRule, EarningScheme
from points.terms import Deed, Kind, Line
from tests.factories import make_account
from tests.points.till import NOON, NOTE, breaches

POINTS = st.decimals(0, 300, places=0)
CAMPAIGNS = st.lists(
    st.fixed_dictionaries(
        {
            "first_purchase_only": st.booleans(),
            "most_per_customer": st.none() | POINTS,
            "most_in_all": st.none() | POINTS,
            "tiers": st.sampled_from([[], ["silver"]]),
            "categories": st.sampled_from([[], ["coffee"]]),
        }
    ).flatmap(
        lambda terms: st.one_of(
            POINTS.map(lambda points: terms | {"effect": "add", "points": points}),
            st.decimals(1, 3, places=1).map(lambda factor: terms | {"effect": "multiply", "factor": factor}),
        )
    ),
    max_size=3,
)
PURCHASES = st.lists(st.tuples(st.integers(1, 60_000), st.integers(0, 5000), st.booleans()), min_size=1, max_size=5)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    campaigns=CAMPAIGNS,
    scheme=st.fixed_dictionaries(
        {"combination": st.sampled_from(["best", "sum"]), "spend_basis": st.sampled_from(["before", "after"])}
    ),
    caps=st.fixed_dictionaries({"most_per_day": st.none() | POINTS, "most_per_month": st.none() | POINTS}),
    purchases=PURCHASES,
)
def test_is_what_the_award_gives(
    campaigns: list[dict[str, Any]], scheme: dict[str, str], caps: dict[str, Any], purchases: list[Any]
) -> None:
    program = Program.objects.create(slug=f"shop-{secrets.token_hex(8)}", transaction_limit=None)
    rules.give_defaults(program=program, by="test")
    EarningScheme.objects.filter(program=program).update(excluded_categories=["gift"], **scheme)
    EarningRule.objects.filter(program=program, kind="purchase").update(**caps)
    for number, terms in enumerate(campaigns):
        Campaign.objects.create(program=program, code=f"c-{number}", name="Campaign", **terms)
    rules.publish(program=program, by="test")
    account = make_account(program)
    for cents, discount, has_lines in purchases:
        amount = Decimal(cents) / 100
        lines = [Line(category="coffee", amount=amount / 2), Line(category="gift", amount=amount / 4)]
        deed = Deed(
            kind=Kind.PURCHASE,
            at=NOON,
            amount=amount,
            discount=min(amount, Decimal(discount) / 100),
            lines=lines if has_lines else (),
        )
        preview, award = (
            ledger.post_many(
                [ledger.Posting(type=EntryType.AWARD, account=account, points=None, at=NOON, note=NOTE, deed=deed)],
                is_trial=is_trial,
            )[0]
            for is_trial in (True, False)
        )
        assert type(preview.refusal) is type(award.refusal)
        if award.entry is not None:
            assert preview.entry is not None
            assert (preview.entry.points, preview.entry.metadata) == (award.entry.points, award.entry.metadata)
            assert award.entry.points > 0
    assert breaches(program) == set()
