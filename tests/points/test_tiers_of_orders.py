"""A purchase and its refunds leave the tier where it was, also one that nothing in its window backs any more."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from loyalty.models import Program
from points import ledger, rules, statements
from points.models import AccountRef
from points.rule_models import Campaign
from tests.factories import make_account, make_definition
from tests.points.test_orders import place, refund
from tests.points.test_tiers import give_tiers, on
from tests.points.till import Till, breaches


def tier_of(till: Till, at: datetime.datetime) -> tuple[str, datetime.datetime | None]:
    tier = statements.balance(account=till.account, at=at).tier
    assert tier is not None
    assert tier.rung is not None
    return tier.rung.code, tier.until


@pytest.mark.parametrize("total", ["200", "400"])
def test_leaves_a_tier_in_its_grace_period_where_it_was(account: AccountRef, total: str) -> None:
    give_tiers(account.program, basis="rolling", window_months=2, grace_days=30)
    till = Till(account)
    till.award(500, at=on("2026-03-10"))
    before = tier_of(till, on("2026-06-10"))
    assert before == ("silver", on("2026-07-01T00:00:00Z"))
    place(account, "77", total, at=on("2026-06-10"))
    for number in (1, 2):
        refund(account, "77", str(Decimal(total) / 2), at=on("2026-06-11"))
        if number == 2:
            assert tier_of(till, on("2026-06-11")) == before
    assert tier_of(till, on("2026-07-01T00:00:00Z"))[0] == "bronze"


def test_leaves_a_tier_that_fell_one_step_where_it_was(account: AccountRef) -> None:
    give_tiers(account.program, basis="rolling", window_months=2, fall="step")
    till = Till(account)
    till.award(5000, at=on("2026-03-10"))
    before = tier_of(till, on("2026-06-10"))
    assert before == ("gold", on("2026-07-01T00:00:00Z"))
    place(account, "77", "1000", at=on("2026-06-10"))
    refund(account, "77", "500", at=on("2026-06-11"))
    refund(account, "77", None, at=on("2026-06-12"))
    assert tier_of(till, on("2026-06-12")) == before


def test_leaves_a_tier_where_it_was_that_other_points_held_when_the_order_came(account: AccountRef) -> None:
    give_tiers(account.program, basis="rolling", window_months=2, grace_days=30)
    till = Till(account)
    till.award(500, at=on("2026-03-10"))
    before = tier_of(till, on("2026-05-10"))
    place(account, "77", "300", at=on("2026-05-10"))
    # In June, March counts no more; without the order the tier would be in its grace period.
    refund(account, "77", None, at=on("2026-06-12"))
    assert tier_of(till, on("2026-06-12")) == before


@pytest.mark.parametrize(
    ("clawback", "spent", "expected"),
    [
        # 51 were earned; a half is 26, the rest 25. What is not there is refused, noted, or owed.
        ("refuse", 0, [(-26, 25), (-25, 0)]),
        ("refuse", 30, ["InsufficientPoints", "InsufficientPoints"]),
        ("to_zero", 30, [(-21, 0), (0, 0)]),
        ("negative", 30, [(-26, -5), (-25, -30)]),
    ],
)
def test_undoes_a_half_and_the_rest_of_what_is_partly_spent(
    program: Program, clawback: str, spent: int, expected: list[Any]
) -> None:
    kind = make_definition(program, clawback=clawback, may_go_negative=clawback == "negative")
    account = make_account(program, kind)
    rules.give_defaults(program=program, by="test")
    till = Till(account)
    place(account, "77", "25.99")
    if spent:
        till.redeem(spent)
    # Whatever holds by now: the rules of that day decide.
    Campaign.objects.create(program=program, code="double", name="Double", factor=2, effect="multiply")
    rules.publish(program=program, by="test")

    def undo(amount: str | None) -> Any:
        try:
            done = refund(account, "77", amount)
        except ledger.InsufficientPoints as refusal:
            return type(refusal).__name__
        return done.points, done.balance

    assert [undo("13.00"), undo(None)] == expected
    assert breaches(program) == set()
