"""What a deed earns by the rules: each expectation is the arithmetic that the contract writes down."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

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

VILNIUS = ZoneInfo("Europe/Vilnius")
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)

PURCHASE = Rule(
    id="r-purchase",
    kind=Kind.PURCHASE,
    name="Purchases",
    rate=Decimal(2),
    smallest_purchase=Decimal("0.01"),
    most_per_transaction=Decimal(10_000),
)
ACTIVITIES = {"check_in": 5, "review": 10, "social_share": 3, "app_download": 25}
DEFAULTS = Rules(
    version=7,
    rules=(
        PURCHASE,
        *(
            Rule(id=f"r-{name}", kind=Kind.ACTIVITY, name=name, activity=name, points=Decimal(points))
            for name, points in ACTIVITIES.items()
        ),
    ),
)

BRONZE = Situation(tier="bronze", multiplier=Decimal(1))
SILVER = Situation(tier="silver", multiplier=Decimal("1.25"))
GOLD = Situation(tier="gold", multiplier=Decimal("1.5"))
PLATINUM = Situation(tier="platinum", multiplier=Decimal(2))

DOUBLE = Campaign(id="c-double", kind=Kind.PURCHASE, code="double", effect=Effect.MULTIPLY, factor=Decimal(2))
TRIPLE = Campaign(id="c-triple", kind=Kind.PURCHASE, code="triple", effect=Effect.MULTIPLY, factor=Decimal(3))
GIFT = Campaign(id="c-gift", kind=Kind.PURCHASE, code="gift", effect=Effect.ADD, points=Decimal(100))
WELCOME = Campaign(
    id="c-welcome", kind=Kind.BONUS, code="welcome", effect=Effect.ADD, points=Decimal(50), expires_after_days=30
)


def purchase(amount: str, *, at: datetime = NOON, shop: str = "", discount: str = "0", **lines: str) -> Deed:
    return Deed(
        kind=Kind.PURCHASE,
        at=at,
        amount=Decimal(amount),
        shop=shop,
        discount=Decimal(discount),
        lines=tuple(Line(category=category, amount=Decimal(part)) for category, part in lines.items()),
    )


def bonus(points: int | None = None, *, campaign: str = "", at: datetime = NOON) -> Deed:
    return Deed(kind=Kind.BONUS, at=at, points=None if points is None else Decimal(points), campaign=campaign)


def activity(name: str, *, at: datetime = NOON, points: int | None = None) -> Deed:
    return Deed(kind=Kind.ACTIVITY, at=at, activity=name, points=None if points is None else Decimal(points))


def rules(*campaigns: Campaign, combination: Combination = Combination.BEST, **purchases: object) -> Rules:
    """The defaults with campaigns, and with the purchase rule changed."""
    return Rules(
        version=7,
        rules=(replace(PURCHASE, **purchases), *DEFAULTS.rules[1:]),  # type: ignore[arg-type]
        campaigns=campaigns,
        combination=combination,
    )


def who(tallies: Mapping[str, int], *, given: Mapping[str, int] | None = None, zone: ZoneInfo = VILNIUS) -> Situation:
    """A Bronze customer who had this before."""
    return Situation(
        tier="bronze",
        tallied=lambda name: Decimal(tallies.get(name, 0)),
        given={name: Decimal(points) for name, points in (given or {}).items()},
        zone=zone,
    )


def earned(of: Rules, deed: Deed, situation: Situation = BRONZE) -> Calculation:
    return earning.work_out(of, deed, situation)


# Purchases by the default rules


@pytest.mark.parametrize(
    ("amount", "situation", "points"),
    [
        ("25.99", BRONZE, 51),  # 51.98
        ("25.99", SILVER, 64),  # 64.975: floored once; 51 x 1.25 would be 63.
        ("25.99", GOLD, 77),  # 77.97; 51 x 1.5 would be 76.
        ("25.99", PLATINUM, 103),  # 103.96; 51 x 2 would be 102.
        ("0.50", BRONZE, 1),
        ("0.34", GOLD, 1),  # 1.02
        ("5000.00", BRONZE, 10_000),
        ("4999.99", BRONZE, 9_999),  # 9,999.98
    ],
)
def test_multiplies_a_purchase_and_floors_once(amount: str, situation: Situation, points: int) -> None:
    calculation = earned(DEFAULTS, purchase(amount), situation)
    assert calculation.points == points
    assert calculation.cap is None


@pytest.mark.parametrize("amount", ["0.49", "0.01"])
def test_refuses_a_purchase_that_earns_less_than_a_point(amount: str) -> None:
    with pytest.raises(NothingEarned) as refusal:
        earned(DEFAULTS, purchase(amount))
    assert refusal.value.facts["field"] == "points"


def test_lowers_a_purchase_to_the_cap_and_names_it() -> None:
    calculation = earned(DEFAULTS, purchase("1000000.00"))
    assert (calculation.points, calculation.cap) == (10_000, 10_000)
    assert calculation.base == 1_000_000 * 2


def test_applies_the_cap_after_the_tier() -> None:
    calculation = earned(DEFAULTS, purchase("4000.00"), GOLD)
    assert 4000 * 2 < 10_000 < 4000 * 2 * Decimal("1.5")
    assert (calculation.points, calculation.cap) == (10_000, 10_000)


def test_names_no_cap_that_is_just_reached() -> None:
    assert earned(DEFAULTS, purchase("5000.49")).cap is None  # 10,000.98, and the fraction would be lost anyway
    assert earned(DEFAULTS, purchase("5000.50")).cap == 10_000  # 10,001


def test_tells_how_the_points_came_about() -> None:
    assert earned(rules(DOUBLE), purchase("25.99"), GOLD).told() == {
        "base": "51.98",  # 25.99 x 2
        "multiplier": "1.5",
        "tier": "gold",
        "campaigns": [{"code": "double", "points": "78"}],  # 155 - 77
        "cap": None,
        "rule": "Purchases",
        "rule_version": 7,
        "points": "155",  # 25.99 x 2 x 2 x 1.5 = 155.94
    }


def test_earns_decimals_where_the_points_have_some() -> None:
    cents = replace(GOLD, decimal_places=2)
    assert earned(rules(rate=Decimal("0.333")), purchase("10.01"), cents).points == Decimal("4.99")  # 4.999995


def test_floors_a_cap_that_is_finer_than_the_points() -> None:
    calculation = earned(rules(most_per_transaction=Decimal("10.50")), purchase("100.00"))
    assert (calculation.points, calculation.cap) == (10, Decimal("10.50"))


def test_says_that_no_rule_works_it_out() -> None:
    with pytest.raises(NotWorkedOut) as refusal:
        earned(Rules(), purchase("25.99"))
    assert refusal.value.facts["field"] == "points"


def test_does_not_earn_below_the_smallest_purchase() -> None:
    of = rules(smallest_purchase=Decimal("20.00"))
    with pytest.raises(NotWorkedOut):
        earned(of, purchase("19.99"))
    assert earned(of, purchase("20.00")).points == 20 * 2


# Activities, bonuses, referrals, points by hand


@pytest.mark.parametrize(("name", "points"), ACTIVITIES.items())
def test_gives_an_activity_its_points_whatever_the_tier(name: str, points: int) -> None:
    calculation = earned(DEFAULTS, activity(name), PLATINUM)
    assert (calculation.points, calculation.multiplier, calculation.rule) == (points, 1, name)


@pytest.mark.parametrize("name", ["", "dance"])
def test_asks_for_points_for_an_activity_that_no_rule_knows(name: str) -> None:
    with pytest.raises(NotWorkedOut) as refusal:
        earned(DEFAULTS, activity(name))
    assert refusal.value.facts["field"] == "points"


def test_multiplies_an_activity_by_its_campaigns() -> None:
    of = replace(DEFAULTS, campaigns=(replace(DOUBLE, kind=Kind.ACTIVITY),))
    assert earned(of, activity("review"), GOLD).points == 10 * 2


@pytest.mark.parametrize("kind", [Kind.BONUS, Kind.REFERRAL, Kind.MANUAL, Kind.ACTIVITY, Kind.PURCHASE])
def test_awards_exactly_the_points_that_were_sent(kind: Kind) -> None:
    calculation = earned(
        rules(DOUBLE), Deed(kind=kind, at=NOON, points=Decimal(321), amount=Decimal(1), activity="review"), GOLD
    )
    assert (calculation.points, calculation.base, calculation.multiplier) == (321, 321, 1)
    assert calculation.campaigns == {}


@pytest.mark.parametrize("kind", [Kind.BONUS, Kind.REFERRAL, Kind.MANUAL])
def test_needs_points_or_a_campaign_where_nothing_can_be_worked_out(kind: Kind) -> None:
    with pytest.raises(NotWorkedOut) as refusal:
        earned(replace(DEFAULTS, campaigns=(WELCOME,)), Deed(kind=kind, at=NOON))
    assert refusal.value.facts["field"] == "points"


def test_gives_the_bonus_of_the_campaign_that_is_named() -> None:
    other = replace(WELCOME, id="c-other", code="other", points=Decimal(900), priority=9)
    calculation = earned(replace(DEFAULTS, campaigns=(other, WELCOME)), bonus(campaign="welcome"), GOLD)
    assert (calculation.points, calculation.campaigns) == (50, {"welcome": 50})
    assert calculation.expires_after_days == 30


def test_counts_a_bonus_that_is_sent_to_the_campaign_that_is_named() -> None:
    of = replace(DEFAULTS, campaigns=(replace(WELCOME, most_in_all=Decimal(1000), most_per_customer=Decimal(200)),))
    calculation = earned(of, bonus(70, campaign="welcome"))
    assert (calculation.points, calculation.campaigns, calculation.expires_after_days) == (70, {"welcome": 70}, 30)
    assert calculation.tallies["campaign/c-welcome"] == 70
    assert calculation.budgets == {"c-welcome": 70}


def test_does_not_give_a_campaigns_bonus_to_another_kind() -> None:
    of = replace(DEFAULTS, campaigns=(WELCOME,))
    with pytest.raises(NotWorkedOut):
        earned(of, Deed(kind=Kind.REFERRAL, at=NOON, campaign="welcome"))


def test_leaves_the_end_of_purchase_points_to_the_kind_of_points() -> None:
    calculation = earned(rules(replace(DOUBLE, expires_after_days=7)), purchase("10.00"))
    assert (calculation.points, calculation.expires_after_days) == (40, None)


# Which rule holds


def test_takes_the_rule_of_the_highest_priority_and_of_equals_the_first() -> None:
    generous = replace(PURCHASE, id="r-2", name="Generous", rate=Decimal(5), priority=1)
    equal = replace(PURCHASE, id="r-3", name="Equal", rate=Decimal(7), priority=1)
    calculation = earned(Rules(rules=(PURCHASE, generous, equal)), purchase("10.00"))
    assert (calculation.points, calculation.rule) == (10 * 5, "Generous")


@pytest.mark.parametrize(
    ("at", "points"),
    [
        (NOON - timedelta(microseconds=1), 20),
        (NOON, 50),
        (NOON + timedelta(hours=1, microseconds=-1), 50),
        (NOON + timedelta(hours=1), 20),
    ],
)
def test_holds_from_its_start_and_no_more_at_its_end(at: datetime, points: int) -> None:
    hour = replace(PURCHASE, id="r-2", rate=Decimal(5), priority=1, starts_at=NOON, ends_at=NOON + timedelta(hours=1))
    assert earned(Rules(rules=(PURCHASE, hour)), purchase("10.00", at=at)).points == points


def test_holds_in_its_shops_only() -> None:
    corner = replace(PURCHASE, id="r-2", rate=Decimal(5), priority=1, shops=("corner", "market"))
    of = Rules(rules=(PURCHASE, corner))
    assert earned(of, purchase("10.00", shop="market")).points == 10 * 5
    assert earned(of, purchase("10.00", shop="elsewhere")).points == 10 * 2
    assert earned(of, purchase("10.00")).points == 10 * 2


def test_counts_the_lines_of_its_categories_only() -> None:
    coffee = replace(PURCHASE, id="r-2", rate=Decimal(5), priority=1, categories=("coffee",))
    of = Rules(rules=(PURCHASE, coffee))
    assert earned(of, purchase("10.00", coffee="4.00", tea="6.00")).points == 4 * 5
    assert earned(of, purchase("10.00", tea="10.00")).points == 10 * 2


# Which part of the amount earns


def test_earns_nothing_for_excluded_lines() -> None:
    of = replace(DEFAULTS, excluded_categories=("giftcard", "tobacco"))
    assert earned(of, purchase("30.00", giftcard="10.00", tobacco="5.00", coffee="15.00")).points == (30 - 10 - 5) * 2
    with pytest.raises(NothingEarned):
        earned(of, purchase("10.00", giftcard="10.00"))


def test_earns_no_more_than_for_the_amount_when_the_lines_are_more() -> None:
    of = replace(DEFAULTS, rules=(replace(PURCHASE, categories=("coffee",)),))
    assert earned(of, purchase("10.00", coffee="12.00")).points == 10 * 2
    with pytest.raises(NothingEarned):
        earned(replace(DEFAULTS, excluded_categories=("giftcard",)), purchase("10.00", giftcard="12.00"))


@pytest.mark.parametrize(("basis", "points"), [(SpendBasis.BEFORE, 40 * 2), (SpendBasis.AFTER, (40 - 15) * 2)])
def test_earns_before_or_after_what_points_paid(basis: SpendBasis, points: int) -> None:
    assert earned(replace(DEFAULTS, spend_basis=basis), purchase("40.00", discount="15.00")).points == points


def test_spreads_what_points_paid_over_all_lines() -> None:
    of = replace(DEFAULTS, spend_basis=SpendBasis.AFTER, excluded_categories=("giftcard",))
    # A half was paid with points, so a half of the coffee earns.
    assert earned(of, purchase("40.00", discount="20.00", giftcard="10.00", coffee="30.00")).points == 30 // 2 * 2


def test_makes_a_whole_of_three_thirds() -> None:
    of = replace(DEFAULTS, spend_basis=SpendBasis.AFTER, excluded_categories=("giftcard",))
    # 10 x 10 / 30 = 3.33…, x 2 x 1.5 = 10 and not 9.99…
    assert earned(of, purchase("30.00", discount="20.00", giftcard="20.00", coffee="10.00"), GOLD).points == 10


@pytest.mark.parametrize("discount", ["40.00", "41.00"])
def test_earns_nothing_after_points_paid_it_all(discount: str) -> None:
    with pytest.raises(NothingEarned):
        earned(replace(DEFAULTS, spend_basis=SpendBasis.AFTER), purchase("40.00", discount=discount))


# What campaigns multiply and add


@pytest.mark.parametrize("campaign", [GIFT, replace(GIFT, smallest_purchase=Decimal(50))])
def test_gives_nothing_for_a_cart_of_excluded_lines(campaign: Campaign) -> None:
    of = replace(rules(campaign), excluded_categories=("voucher",))
    with pytest.raises(earning.NothingEarned):
        earned(of, purchase("60.00", voucher="60.00"))


def test_counts_excluded_lines_for_no_smallest_purchase_and_no_category() -> None:
    of = replace(rules(replace(GIFT, smallest_purchase=Decimal(50))), excluded_categories=("voucher",))
    assert earned(of, purchase("60.00", voucher="50.00", coffee="10.00")).points == 10 * 2
    assert earned(of, purchase("110.00", voucher="60.00", coffee="50.00")).points == 50 * 2 + 100
    of = replace(rules(replace(GIFT, categories=("voucher",))), excluded_categories=("voucher",))
    assert earned(of, purchase("60.00", voucher="50.00", coffee="10.00")).points == 10 * 2


def test_multiplies_before_the_floor_and_with_the_tier() -> None:
    calculation = earned(rules(DOUBLE), purchase("25.99"), GOLD)
    assert calculation.points == 155  # 155.94
    assert calculation.campaigns == {"double": 155 - 77}


def test_adds_after_the_tier() -> None:
    calculation = earned(rules(GIFT), purchase("25.99"), GOLD)
    assert (calculation.points, calculation.campaigns) == (77 + 100, {"gift": 100})


def test_counts_the_best_campaign_only() -> None:
    small, large = purchase("10.00"), purchase("60.00")
    # Of 20 points tripling gives 40 and the gift 100; of 120 it gives 240.
    assert earned(rules(TRIPLE, GIFT, DOUBLE), small).campaigns == {"gift": 100}
    assert earned(rules(TRIPLE, GIFT, DOUBLE), large).campaigns == {"triple": 240}


def test_counts_of_equally_good_campaigns_the_one_of_the_highest_priority() -> None:
    twin = replace(DOUBLE, id="c-twin", code="twin", priority=1)
    assert earned(rules(DOUBLE, twin), purchase("10.00")).campaigns == {"twin": 20}


def test_adds_campaigns_up_where_the_programme_says_so() -> None:
    calculation = earned(rules(DOUBLE, TRIPLE, GIFT, combination=Combination.SUM), purchase("25.99"), GOLD)
    # 51.98 x (1 + 1 + 2) x 1.5 = 311.88, and 100.
    assert calculation.points == 311 + 100
    assert calculation.points == 77 + sum(calculation.campaigns.values())
    assert calculation.campaigns == {"double": 155 - 77, "triple": 311 - 155, "gift": 100}


def test_does_not_lose_the_fractions_of_campaigns_that_add_up() -> None:
    tenth = replace(DOUBLE, factor=Decimal("1.1"))
    tenths = [replace(tenth, id=f"c-{number}", code=f"tenth-{number}") for number in range(4)]
    # 2.00 earns 4, and each of the four 0.4.
    calculation = earned(rules(*tenths, combination=Combination.SUM), purchase("2.00"))
    assert calculation.points == 5  # 4 + 1.6
    assert sum(calculation.campaigns.values()) == 1


def test_multiplies_the_lines_of_its_categories_only() -> None:
    of = rules(replace(DOUBLE, categories=("coffee",)))
    assert earned(of, purchase("10.00", coffee="4.00", tea="6.00")).points == 10 * 2 + 4 * 2
    assert earned(of, purchase("10.00", tea="10.00")).campaigns == {}
    assert earned(of, purchase("10.00")).campaigns == {}


def test_does_not_multiply_lines_that_are_excluded_or_that_the_rule_leaves_out() -> None:
    of = rules(replace(DOUBLE, categories=("tea", "coffee")), categories=("coffee", "cake"))
    # Coffee and cake earn, tea and coffee are doubled.
    assert earned(of, purchase("30.00", coffee="4.00", tea="20.00", cake="6.00")).points == (4 + 6) * 2 + 4 * 2
    without = replace(rules(replace(DOUBLE, categories=("coffee",))), excluded_categories=("coffee",))
    assert earned(without, purchase("10.00", coffee="4.00", tea="6.00")).points == 6 * 2


@pytest.mark.parametrize(
    ("campaign", "deed", "situation"),
    [
        (replace(GIFT, shops=("corner",)), purchase("10.00", shop="market"), BRONZE),
        (replace(GIFT, tiers=("gold", "platinum")), purchase("10.00"), SILVER),
        (replace(GIFT, tiers=("gold",)), purchase("10.00"), Situation()),
        (replace(GIFT, smallest_purchase=Decimal("10.01")), purchase("10.00"), BRONZE),
        (replace(GIFT, categories=("coffee",)), purchase("10.00", tea="10.00"), BRONZE),
        (replace(GIFT, starts_at=NOON + timedelta(microseconds=1)), purchase("10.00"), BRONZE),
        (replace(GIFT, ends_at=NOON), purchase("10.00"), BRONZE),
        (replace(GIFT, first_purchase_only=True), purchase("10.00"), who({"purchases": 1})),
        (replace(GIFT, kind=Kind.ACTIVITY), purchase("10.00"), BRONZE),
    ],
)
def test_gives_nothing_of_a_campaign_that_does_not_hold(campaign: Campaign, deed: Deed, situation: Situation) -> None:
    calculation = earned(rules(campaign), deed, situation)
    assert calculation.points == 10 * 2 * situation.multiplier
    assert (calculation.campaigns, calculation.budgets) == ({}, {})


@pytest.mark.parametrize(
    ("campaign", "deed", "situation"),
    [
        (replace(GIFT, shops=("corner", "market")), purchase("10.00", shop="market"), BRONZE),
        (replace(GIFT, tiers=("gold", "platinum")), purchase("10.00"), GOLD),
        (replace(GIFT, smallest_purchase=Decimal("10.00")), purchase("10.00"), BRONZE),
        (replace(GIFT, categories=("coffee",)), purchase("10.00", tea="9.99", coffee="0.01"), BRONZE),
        (replace(GIFT, starts_at=NOON), purchase("10.00"), BRONZE),
        (replace(GIFT, ends_at=NOON + timedelta(microseconds=1)), purchase("10.00"), BRONZE),
        (replace(GIFT, first_purchase_only=True), purchase("10.00"), BRONZE),
    ],
)
def test_gives_the_points_of_a_campaign_that_holds(campaign: Campaign, deed: Deed, situation: Situation) -> None:
    assert earned(rules(campaign), deed, situation).points == 10 * 2 * situation.multiplier + 100


# The caps of campaigns


def test_gives_a_customer_no_more_of_a_campaign_than_it_may() -> None:
    of = rules(replace(GIFT, most_per_customer=Decimal(250)))
    assert earned(of, purchase("10.00"), who({"campaign/c-gift": 100})).points == 20 + 100
    last = earned(of, purchase("10.00"), who({"campaign/c-gift": 200}))
    assert (last.points, last.campaigns) == (20 + 250 - 200, {"gift": 50})
    assert last.tallies["campaign/c-gift"] == 50
    over = earned(of, purchase("10.00"), who({"campaign/c-gift": 250}))
    assert (over.points, over.campaigns) == (20, {})
    assert "campaign/c-gift" not in over.tallies


def test_gives_no_more_of_a_campaign_in_all_than_it_has() -> None:
    of = rules(replace(GIFT, most_in_all=Decimal(1000)))
    last = earned(of, purchase("10.00"), who({}, given={"c-gift": 970}))
    assert (last.points, last.budgets) == (20 + 1000 - 970, {"c-gift": 30})
    for given in (1000, 1001):
        over = earned(of, purchase("10.00"), who({}, given={"c-gift": given}))
        assert (over.points, over.budgets) == (20, {})


def test_does_not_hand_what_is_over_one_campaigns_cap_to_the_next() -> None:
    of = rules(
        replace(GIFT, priority=1, most_per_customer=Decimal(5)),
        replace(GIFT, id="c-small", code="small", points=Decimal(10)),
        combination=Combination.SUM,
    )
    calculation = earned(of, purchase("10.00"))
    assert (calculation.points, calculation.campaigns) == (20 + 5 + 10, {"gift": 5, "small": 10})


def test_takes_what_a_campaign_has_left_for_what_it_is_worth() -> None:
    of = rules(replace(GIFT, most_in_all=Decimal(1000)), DOUBLE)
    assert earned(of, purchase("20.00"), who({}, given={"c-gift": 970})).campaigns == {"double": 40}


def test_gives_whole_points_of_a_campaign_with_a_finer_cap() -> None:
    calculation = earned(rules(replace(GIFT, most_per_customer=Decimal("10.50"))), purchase("10.49"))
    assert calculation.points == 20 + 10  # 20.98 + 10.50 would be 31
    assert calculation.campaigns == {"gift": 10}


def test_lowers_campaigns_to_the_rules_cap_the_highest_priority_first() -> None:
    of = rules(
        GIFT,
        replace(GIFT, id="c-first", code="first", points=Decimal(70), priority=1),
        combination=Combination.SUM,
        most_per_transaction=Decimal(120),
    )
    calculation = earned(of, purchase("10.00"))
    assert (calculation.points, calculation.cap) == (120, 120)
    assert calculation.campaigns == {"first": 70, "gift": 120 - 20 - 70}


def test_names_the_cap_that_leaves_nothing_for_a_campaign() -> None:
    calculation = earned(rules(GIFT, most_per_transaction=Decimal(20)), purchase("10.00"))
    assert (calculation.points, calculation.cap, calculation.campaigns) == (20, 20, {})


def test_names_no_cap_when_the_campaign_ended_before_it() -> None:
    calculation = earned(
        rules(replace(GIFT, most_per_customer=Decimal(5)), most_per_transaction=Decimal(50)), purchase("10.00")
    )
    assert (calculation.points, calculation.cap) == (20 + 5, None)


@pytest.mark.parametrize(
    ("most_per_customer", "most_in_all", "cap", "left"),
    [
        (100, None, 100, 100 - 80),
        (None, 1000, 1000, 1000 - 990),
        # Both are there; the one that is passed is named.
        (100, 1000, 100, 100 - 80),
        (500, 1000, 1000, 1000 - 990),
        (0, 1000, 0, 0),
    ],
)
def test_refuses_a_bonus_that_is_sent_above_its_campaigns_cap(
    most_per_customer: int | None, most_in_all: int | None, cap: int, left: int
) -> None:
    campaign = replace(
        WELCOME,
        most_per_customer=None if most_per_customer is None else Decimal(most_per_customer),
        most_in_all=None if most_in_all is None else Decimal(most_in_all),
    )
    situation = who({"campaign/c-welcome": 80}, given={"c-welcome": 990})
    with pytest.raises(CapExceeded) as refusal:
        earned(replace(DEFAULTS, campaigns=(campaign,)), bonus(21, campaign="welcome"), situation)
    assert (refusal.value.cap, refusal.value.left) == (cap, left)


# The caps of rules


def test_refuses_points_that_are_sent_above_the_cap_of_a_transaction() -> None:
    sent = Deed(kind=Kind.PURCHASE, at=NOON, amount=Decimal(1), points=Decimal(10_000))
    assert earned(DEFAULTS, sent).points == 10_000
    with pytest.raises(CapExceeded) as refusal:
        earned(DEFAULTS, replace(sent, points=Decimal(10_001)))
    assert (refusal.value.cap, refusal.value.left) == (10_000, 10_000)
    assert "10000" in refusal.value.facts["errors"]["points"][0]


@pytest.mark.parametrize(
    ("period", "tally"), [("most_per_day", "bonus/2026-03-10"), ("most_per_month", "bonus/2026-03")]
)
def test_refuses_points_that_are_sent_above_what_is_left_of_a_period(period: str, tally: str) -> None:
    limited = replace(Rule(id="r-bonus", kind=Kind.BONUS, name="Bonuses"), **{period: Decimal(100)})  # type: ignore[arg-type]
    of = Rules(rules=(limited,))
    assert earned(of, bonus(30), who({tally: 70})).points == 30
    with pytest.raises(CapExceeded) as refusal:
        earned(of, bonus(31), who({tally: 70}))
    assert (refusal.value.cap, refusal.value.left) == (100, 100 - 70)
    with pytest.raises(CapExceeded) as refusal:
        earned(of, bonus(1), who({tally: 130}))
    assert refusal.value.left == 0


def test_lowers_worked_out_points_to_what_is_left_of_the_day() -> None:
    of = rules(most_per_day=Decimal(100), most_per_month=Decimal(1000))
    calculation = earned(of, purchase("40.00"), who({"purchase/2026-03-10": 70, "purchase/2026-03": 500}))
    assert (calculation.points, calculation.cap) == (100 - 70, 30)


def test_lowers_worked_out_points_to_what_is_left_of_the_month() -> None:
    of = rules(most_per_day=Decimal(100), most_per_month=Decimal(1000))
    calculation = earned(of, purchase("40.00"), who({"purchase/2026-03-10": 70, "purchase/2026-03": 990}))
    assert (calculation.points, calculation.cap) == (1000 - 990, 10)


@pytest.mark.parametrize("before", [100, 101])
def test_refuses_a_purchase_when_the_cap_of_the_day_is_used_up(before: int) -> None:
    with pytest.raises(CapExceeded) as refusal:
        earned(rules(most_per_day=Decimal(100)), purchase("40.00"), who({"purchase/2026-03-10": before}))
    assert (refusal.value.cap, refusal.value.left) == (100, 0)


def test_counts_each_activity_for_itself() -> None:
    of = Rules(rules=tuple(replace(rule, most_per_day=Decimal(10)) for rule in DEFAULTS.rules[1:]))
    situation = who({"activity.check_in/2026-03-10": 10})
    with pytest.raises(CapExceeded):
        earned(of, activity("check_in"), situation)
    assert earned(of, activity("review"), situation).points == 10


@pytest.mark.parametrize(
    ("at", "day", "month"),
    [
        # Midnight in Vilnius is 22:00 in UTC in winter, 21:00 in summer; the clocks change on 29 March.
        ("2025-12-31T21:59:59Z", "2025-12-31", "2025-12"),
        ("2025-12-31T22:00:00Z", "2026-01-01", "2026-01"),
        ("2026-03-28T22:00:00Z", "2026-03-29", "2026-03"),
        ("2026-03-29T20:59:59Z", "2026-03-29", "2026-03"),
        ("2026-03-29T21:00:00Z", "2026-03-30", "2026-03"),
        ("2026-03-31T21:00:00Z", "2026-04-01", "2026-04"),
    ],
)
def test_counts_days_and_months_by_the_programmes_clock(at: str, day: str, month: str) -> None:
    calculation = earned(DEFAULTS, purchase("10.00", at=datetime.fromisoformat(at)), who({}))
    assert calculation.tallies == {f"purchase/{day}": 20, f"purchase/{month}": 20, "purchases": 1}


def test_counts_what_an_activity_gave() -> None:
    assert earned(DEFAULTS, activity("review"), who({})).tallies == {
        "activity.review/2026-03-10": 10,
        "activity.review/2026-03": 10,
    }


def test_counts_all_points_of_a_purchase_for_the_day_and_the_campaigns_for_theirs() -> None:
    limited = replace(GIFT, most_in_all=Decimal(1000), most_per_customer=Decimal(200))
    of = rules(limited, DOUBLE, combination=Combination.SUM)
    calculation = earned(of, purchase("10.00"), who({}))
    assert calculation.tallies == {
        "purchase/2026-03-10": 20 + 100 + 20,
        "purchase/2026-03": 20 + 100 + 20,
        "purchases": 1,
        # Only where it has a limit for a customer.
        "campaign/c-gift": 100,
    }
    assert calculation.budgets == {"c-gift": 100}
