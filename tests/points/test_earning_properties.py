"""What holds for every rulebook, every purchase and whatever was earned before."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from points import earning
from points.earning import CapExceeded, NothingEarned, NotWorkedOut
from points.terms import (
    Calculation,
    Campaign,
    Combination,
    Deed,
    Effect,
    Kind,
    Line,
    Rule,
    Rules,
    Situation,
    SpendBasis,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY, MONTH = "purchase/2026-03-10", "purchase/2026-03"
CATEGORIES = ["coffee", "tea", "giftcard"]

AMOUNTS = st.decimals("0.01", "1000000", places=2) | st.decimals("0.01", "50", places=2)
POINTS = st.decimals(0, 20_000, places=2) | st.decimals(0, 50, places=2)
CAPS = st.none() | POINTS
SOME_CATEGORIES = st.lists(st.sampled_from(CATEGORIES), max_size=2, unique=True).map(tuple)
FACTORS = st.decimals(1, 5, places=3)
MULTIPLIERS = st.sampled_from([Decimal(1), Decimal("1.25"), Decimal("1.5"), Decimal(2)]) | st.decimals(
    "0.001", 10, places=3
)
LINES = st.lists(st.builds(Line, category=st.sampled_from(CATEGORIES), amount=AMOUNTS), max_size=4).map(tuple)


@st.composite
def campaigns(draw: st.DrawFn, number: int) -> Campaign:
    return Campaign(
        id=f"c-{number}",
        kind=Kind.PURCHASE,
        code=f"code-{number}",
        priority=draw(st.integers(0, 2)),
        effect=draw(st.sampled_from(Effect)),
        factor=draw(FACTORS),
        points=draw(POINTS),
        categories=draw(SOME_CATEGORIES),
        tiers=draw(st.sampled_from([(), ("gold",)])),
        first_purchase_only=draw(st.booleans()),
        most_per_customer=draw(CAPS),
        most_in_all=draw(CAPS),
    )


@st.composite
def rulebooks(draw: st.DrawFn) -> Rules:
    """One rule for purchases, and up to four campaigns."""
    rule = Rule(
        id="r-1",
        kind=Kind.PURCHASE,
        name="Purchases",
        rate=draw(st.just(Decimal(2)) | st.decimals(0, 20, places=6)),
        categories=draw(st.just(()) | SOME_CATEGORIES),
        most_per_transaction=draw(CAPS),
        most_per_day=draw(CAPS),
        most_per_month=draw(CAPS),
    )
    return Rules(
        rules=(rule,),
        campaigns=tuple(draw(campaigns(number)) for number in range(draw(st.integers(0, 4)))),
        combination=draw(st.sampled_from(Combination)),
        spend_basis=draw(st.sampled_from(SpendBasis)),
        excluded_categories=draw(st.sampled_from([(), ("giftcard",)])),
    )


@st.composite
def purchases(draw: st.DrawFn) -> Deed:
    return Deed(
        kind=Kind.PURCHASE,
        at=NOON,
        amount=draw(AMOUNTS),
        discount=draw(st.just(Decimal(0)) | AMOUNTS),
        lines=draw(LINES),
    )


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A customer who earned and was given something before, in whole units of the points."""
    decimal_places = draw(st.integers(0, 2))
    before = st.just(Decimal(0)) | st.decimals(0, 30_000, places=decimal_places)
    names = [DAY, MONTH, earning.PURCHASES, *(f"campaign/c-{number}" for number in range(4))]
    tallies: Mapping[str, Decimal] = {name: draw(before) for name in names}
    return Situation(
        tier=draw(st.sampled_from(["bronze", "gold"])),
        multiplier=draw(MULTIPLIERS),
        tallied=lambda name: tallies[name],
        given={f"c-{number}": draw(before) for number in range(4)},
        decimal_places=decimal_places,
    )


def worked_out(rules: Rules, deed: Deed, situation: Situation) -> Calculation | None:
    """None where it earns nothing, or nothing more."""
    try:
        return earning.work_out(rules, deed, situation)
    except (NothingEarned, CapExceeded, NotWorkedOut):
        return None


def without_caps(rules: Rules) -> Rules:
    return replace(
        rules,
        rules=tuple(
            replace(rule, most_per_transaction=None, most_per_day=None, most_per_month=None) for rule in rules.rules
        ),
        campaigns=tuple(replace(campaign, most_per_customer=None, most_in_all=None) for campaign in rules.campaigns),
    )


@given(rulebooks(), purchases(), situations())
def test_earns_something_in_whole_units_or_refuses(rules: Rules, deed: Deed, situation: Situation) -> None:
    calculation = worked_out(rules, deed, situation)
    if calculation is None:
        return
    unit = Decimal(1).scaleb(-situation.decimal_places)
    assert calculation.points >= unit
    assert calculation.base >= 0
    for points in [calculation.points, *calculation.campaigns.values()]:
        assert points % unit == 0
    assert all(part > 0 for part in calculation.campaigns.values())


@given(rulebooks(), purchases(), situations())
def test_never_passes_a_cap_of_the_rule(rules: Rules, deed: Deed, situation: Situation) -> None:
    calculation = worked_out(rules, deed, situation)
    if calculation is None:
        return
    (rule,) = rules.rules
    assert rule.most_per_transaction is None or calculation.points <= rule.most_per_transaction
    for cap, name in [(rule.most_per_day, DAY), (rule.most_per_month, MONTH)]:
        assert calculation.tallies[name] == calculation.points
        assert cap is None or situation.tallied(name) + calculation.tallies[name] <= cap


@given(rulebooks(), purchases(), situations())
def test_names_the_cap_exactly_when_it_took_something(rules: Rules, deed: Deed, situation: Situation) -> None:
    calculation = worked_out(rules, deed, situation)
    if calculation is None:
        return
    (rule,) = rules.rules
    uncapped = replace(rule, most_per_transaction=None, most_per_day=None, most_per_month=None)
    more = earning.work_out(replace(rules, rules=(uncapped,)), deed, situation)
    assert (calculation.cap is not None) == (more.points > calculation.points)
    assert more.points >= calculation.points
    if calculation.cap is not None:
        unit = Decimal(1).scaleb(-situation.decimal_places)
        assert calculation.cap - unit < calculation.points <= calculation.cap


@given(rulebooks(), purchases(), situations())
def test_never_passes_a_cap_of_a_campaign(rules: Rules, deed: Deed, situation: Situation) -> None:
    calculation = worked_out(rules, deed, situation)
    if calculation is None:
        return
    for campaign in rules.campaigns:
        part = calculation.campaigns.get(campaign.code, Decimal(0))
        tally = f"campaign/{campaign.id}"
        is_counted = campaign.most_per_customer is not None
        assert calculation.tallies.get(tally, Decimal(0)) == (part if is_counted else 0)
        assert (
            not part
            or campaign.most_per_customer is None
            or situation.tallied(tally) + part <= campaign.most_per_customer
        )
        if campaign.most_in_all is None:
            assert campaign.id not in calculation.budgets
        else:
            assert calculation.budgets.get(campaign.id, Decimal(0)) == part
            assert not part or situation.given[campaign.id] + part <= campaign.most_in_all


@given(rulebooks(), purchases(), situations(), st.decimals(0, 1000, places=2))
def test_earns_no_less_for_a_larger_amount(rules: Rules, deed: Deed, situation: Situation, more: Decimal) -> None:
    assert deed.amount is not None
    small = worked_out(rules, deed, situation)
    large = worked_out(rules, replace(deed, amount=deed.amount + more), situation)
    if small is not None:
        assert large is not None
        assert small.points <= large.points


@given(rulebooks(), purchases(), situations())
def test_comes_to_the_same_twice(rules: Rules, deed: Deed, situation: Situation) -> None:
    assert worked_out(rules, deed, situation) == worked_out(rules, deed, situation)


@given(rulebooks(), purchases(), situations())
def test_adds_up_from_the_plain_points_and_the_parts_of_campaigns(
    rules: Rules, deed: Deed, situation: Situation
) -> None:
    calculation = worked_out(without_caps(rules), deed, situation)
    if calculation is None:
        return
    unit = Decimal(1).scaleb(-situation.decimal_places)
    exact = calculation.base * calculation.multiplier
    plain = exact - exact % unit
    assert calculation.points == plain + sum(calculation.campaigns.values())
    assert calculation.cap is None


@given(rulebooks(), purchases(), situations())
def test_is_floored_once_at_the_end(rules: Rules, deed: Deed, situation: Situation) -> None:
    # The formula of the contract, for campaigns that hold for the whole purchase.
    rules = replace(without_caps(rules), combination=Combination.SUM, excluded_categories=())
    rules = replace(
        rules,
        rules=tuple(replace(rule, categories=()) for rule in rules.rules),
        campaigns=tuple(
            replace(campaign, categories=(), tiers=(), first_purchase_only=False) for campaign in rules.campaigns
        ),
        spend_basis=SpendBasis.BEFORE,
    )
    multiplied = [c.factor - 1 for c in rules.campaigns if c.effect == Effect.MULTIPLY]
    added = [c.points for c in rules.campaigns if c.effect == Effect.ADD]
    (rule,) = rules.rules
    assert deed.amount is not None
    assert rule.rate is not None
    exact = deed.amount * rule.rate * (1 + sum(multiplied)) * situation.multiplier + sum(added)
    unit = Decimal(1).scaleb(-situation.decimal_places)
    calculation = worked_out(rules, deed, situation)
    assert (calculation.points if calculation else 0) == exact - exact % unit


@given(rulebooks(), purchases(), situations())
def test_gives_no_less_when_campaigns_add_up_than_for_the_best_one(
    rules: Rules, deed: Deed, situation: Situation
) -> None:
    best = worked_out(replace(rules, combination=Combination.BEST), deed, situation)
    together = worked_out(replace(rules, combination=Combination.SUM), deed, situation)
    if best is not None:
        assert together is not None
        assert len(best.campaigns) <= 1
        assert best.points <= together.points


@given(rulebooks(), purchases(), situations(), POINTS)
def test_awards_the_points_that_were_sent_or_refuses_for_a_cap_that_they_pass(
    rules: Rules, deed: Deed, situation: Situation, points: Decimal
) -> None:
    (rule,) = rules.rules
    assume(not rule.categories)
    lefts = [
        (rule.most_per_transaction, rule.most_per_transaction),
        (rule.most_per_day, (rule.most_per_day or Decimal(0)) - situation.tallied(DAY)),
        (rule.most_per_month, (rule.most_per_month or Decimal(0)) - situation.tallied(MONTH)),
    ]
    passed = [(cap, left) for cap, left in lefts if cap is not None and left is not None and points > left]
    sent = replace(deed, points=points)
    if not passed:
        assert earning.work_out(rules, sent, situation).points == points
        return
    with pytest.raises(CapExceeded) as refusal:
        earning.work_out(rules, sent, situation)
    assert (refusal.value.cap, refusal.value.left) in [(cap, max(left, Decimal(0))) for cap, left in passed]
