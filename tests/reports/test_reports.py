"""GET /api/reports/…: what the ledger says, told by day or month."""

import csv
import datetime
import io
from typing import Any

import pytest
import time_machine

from loyalty import idempotency, ids
from loyalty.models import Program, Scope
from points import ledger, rules
from points.models import AccountRef, PointDefinition
from reports import counting
from rewards import catalogue, redeeming
from tests.api.management.till import Till as Caller
from tests.api.management.till import data, error
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.till import Till
from tests.reports.recounted import counted
from tiers.models import Tier, TierScheme

REPORTS = ("roll-forward", "liability", "velocity", "health", "behaviour", "money", "cohorts")
NOTHING = idempotency.Answer(status=201, body=b"")
APRIL = datetime.datetime(2026, 4, 30, 12, tzinfo=datetime.UTC)


def day(month: int, number: int) -> datetime.datetime:
    """Noon of a day of 2026."""
    return datetime.datetime(2026, month, number, 12, tzinfo=datetime.UTC)


@pytest.fixture
def definition(program: Program) -> PointDefinition:
    return make_definition(program, code="points", point_value="0.01")


@pytest.fixture
def alice(program: Program, definition: PointDefinition) -> Till:
    return person(program, definition)


@pytest.fixture
def bob(program: Program, definition: PointDefinition) -> Till:
    return person(program, definition)


@pytest.fixture
def caller(program: Program) -> Caller:
    card = CardFactory(customer=CustomerFactory(program=program))
    return Caller(program, card, scopes=[Scope.ANALYTICS_READ])


def person(program: Program, definition: PointDefinition) -> Till:
    return Till(AccountRef(program=program, definition=definition, customer_id=CustomerFactory(program=program).pk))


def report(caller: Caller, name: str, **query: Any) -> dict[str, Any]:
    with time_machine.travel(APRIL, tick=False):
        counted(caller.program)
        return data(caller.get(f"reports/{name}", **query), 200)


def test_rolls_points_forward(caller: Caller, alice: Till, bob: Till) -> None:
    first = alice.award(100, at=day(2, 27), expires_at=day(4, 3))
    alice.award(50, at=day(3, 1), valid_from=day(3, 20))
    bob.award(30, at=day(3, 2))
    bob.adjust(5, at=day(3, 3))
    alice.redeem(60, at=day(3, 10))
    alice.reverse(first, 10, at=day(3, 11))
    alice.settle(day(4, 4))
    rows = report(caller, "roll-forward", by="month", **{"from": "2026-02-28", "to": "2026-04-01"})["rows"]
    assert rows == [
        row("2026-02", 0, earned=100, closing=100),
        row("2026-03", 100, earned=30, activated=50, adjusted=5, reversed=-10, redeemed=-60, closing=115),
        # Of the first award 100 - 60 - 10 were left.
        row("2026-04", 115, expired=-30, closing=85),
    ]


def row(period: str, opening: int, *, closing: int, pending: int = 0, **changes: int) -> dict[str, Any]:
    names = ("earned", "activated", "adjusted", "reversed", "redeemed", "expired", "transferred")
    told = {name: changes.get(name, 0) for name in names}
    assert opening + sum(told.values()) == closing
    of = {"period": period, "definition": "points"}
    return of | {"opening": opening, **told, "closing": closing, "pending_closing": pending}


def test_holds_net_to_zero_and_pending_points_stand_beside(caller: Caller, alice: Till) -> None:
    alice.award(100, at=day(4, 1))
    alice.award(40, at=day(4, 1), valid_from=day(6, 1))
    alice.post(ledger.hold, points=30, lasts=datetime.timedelta(days=60), at=day(4, 2))
    rows = report(caller, "roll-forward", **{"from": "2026-04-01", "to": "2026-04-02"})["rows"]
    assert rows == [
        row("2026-04-01", 0, earned=100, closing=100, pending=40),
        row("2026-04-02", 100, closing=100, pending=40),
    ]


def test_goes_by_the_days_of_the_programme(caller: Caller, alice: Till) -> None:
    # 00:30 of 1 March in Vilnius.
    alice.award(10, at=datetime.datetime(2026, 2, 28, 22, 30, tzinfo=datetime.UTC))
    rows = report(caller, "roll-forward", by="month", **{"from": "2026-02-01", "to": "2026-03-01"})["rows"]
    assert [(told["period"], told["earned"]) for told in rows] == [("2026-02", 0), ("2026-03", 10)]


def test_tells_what_is_owed_by_when_it_ends(caller: Caller, alice: Till, bob: Till) -> None:
    alice.award(100, at=day(3, 1), expires_at=day(5, 3))
    # It ends as June begins in Vilnius, and is told with what expires in June.
    alice.award(7, at=day(3, 1), expires_at=datetime.datetime(2026, 5, 31, 21, tzinfo=datetime.UTC))
    bob.award(30, at=day(3, 2))
    bob.award(20, at=day(4, 2), valid_from=day(8, 1), expires_at=day(9, 1))
    alice.redeem(40, at=day(4, 1))
    as_of_march = {"to": "2026-03-31"}
    assert report(caller, "liability", **as_of_march)["rows"] == [
        owed("2026-03-31", "2026-05", 100, value=1),
        owed("2026-03-31", "2026-06", 7, value=0.07),
        owed("2026-03-31", "never", 30, value=0.3),
    ]
    rows = report(caller, "liability", to="2026-04-02")["rows"]
    assert rows == [
        owed("2026-04-02", "2026-05", 100 - 40, value=0.6),
        owed("2026-04-02", "2026-06", 7, value=0.07),
        owed("2026-04-02", "2026-09", 0, pending=20, value=0),
        owed("2026-04-02", "never", 30, value=0.3),
    ]
    [closing] = report(caller, "roll-forward", **{"from": "2026-04-02", "to": "2026-04-02"})["rows"]
    assert sum(told["points"] for told in rows) == closing["closing"] == 97
    assert sum(told["pending"] for told in rows) == closing["pending_closing"] == 20


def test_owes_what_it_rolls_forward_where_pending_points_pay_a_debt(
    caller: Caller, program: Program, definition: PointDefinition
) -> None:
    definition.may_go_negative = True
    definition.save(update_fields=["may_go_negative"])
    till = person(program, definition)
    till.award(100, at=day(4, 1), valid_from=day(4, 10))
    till.adjust(-30, at=day(4, 2))
    till.settle(day(4, 11))
    for last, points, pending in (("2026-04-05", -30, 100), ("2026-04-12", 70, 0)):
        rows = report(caller, "liability", to=last)["rows"]
        assert (sum(told["points"] for told in rows), sum(told["pending"] for told in rows)) == (points, pending)
        [closing] = report(caller, "roll-forward", **{"from": last, "to": last})["rows"]
        assert (closing["closing"], closing["pending_closing"]) == (points, pending)


@pytest.mark.parametrize("last", ["2024-02-29", "2025-01-31", "2024-03-15", "2026-01-01", "2026-12-31", "2024-10-31"])
def test_tells_twelve_months_where_no_first_day_is_named(
    caller: Caller, definition: PointDefinition, last: str
) -> None:
    rows = report(caller, "roll-forward", by="month", to=last)["rows"]
    assert len(rows) == 12
    assert rows[-1]["period"] == last[:7]


def owed(period: str, ends: str, points: int, *, value: float, pending: int = 0) -> dict[str, Any]:
    of = {"period": period, "definition": "points", "ends": ends}
    return of | {"points": points, "pending": pending, "value": value}


def test_tells_how_fast_points_come_and_go(caller: Caller, alice: Till, bob: Till, program: Program) -> None:
    alice.award(100, at=day(4, 6))
    alice.award(20, at=day(4, 7))
    bob.award(30, at=day(4, 6))
    alice.redeem(10, at=day(4, 16))
    bob.redeem(30, at=day(4, 26))
    told = report(caller, "velocity", **{"from": "2026-04-06", "to": "2026-04-30"})
    first = told["rows"][0]
    assert (first["awarded"], first["awards"], first["earning_customers"]) == (130, 2, 2)
    assert first["awarded_per_customer"] == 65
    assert first["days_to_redemption"] is None
    month = report(caller, "velocity", by="month", **{"from": "2026-04-01", "to": "2026-04-30"})["rows"]
    assert [(row["earning_customers"], row["awarded_per_customer"]) for row in month] == [(2, 75)]
    # 10 points after 10 days, 30 after 20.
    assert month[0]["days_to_redemption"] == (10 * 10 + 30 * 20) / 40
    # 6 April is a Monday, 16 a Thursday, 26 a Sunday.
    assert [(day["awarded"], day["redeemed"]) for day in told["weekdays"]] == [
        (130, 0),
        (20, 0),
        (0, 0),
        (0, 10),
        (0, 0),
        (0, 0),
        (0, 30),
    ]


def test_names_the_rewards_that_are_redeemed_most(program: Program, alice: Till, caller: Caller) -> None:
    alice.award(100, at=day(4, 1))
    tea, cake = (
        catalogue.create(program=program, name=name, points_cost=cost) for name, cost in (("Tea", 10), ("Cake", 25))
    )
    customer_id = alice.account.customer_id
    for reward in (tea, cake, tea):
        wish = redeeming.Wish(customer_id=customer_id, reward_id=reward.pk)
        redeeming.redeem(program=program, wish=wish, actor="till", at=day(4, 2), render=lambda _: NOTHING)
    told = report(caller, "velocity")["popular_rewards"]
    assert told == [
        {"reward_id": ids.public("rwd", tea.pk), "name": "Tea", "redemptions": 2, "points": 20},
        {"reward_id": ids.public("rwd", cake.pk), "name": "Cake", "redemptions": 1, "points": 25},
    ]


def test_tells_how_the_programme_is_doing(caller: Caller, alice: Till, bob: Till) -> None:
    alice.award(100, at=day(3, 30), expires_at=day(4, 2))
    bob.award(60, at=day(4, 1))
    bob.redeem(20, at=day(4, 1))
    alice.settle(day(4, 3))
    rows = report(caller, "health", by="month", **{"from": "2026-03-01", "to": "2026-04-30"})["rows"]
    assert rows == [
        health("2026-03", outstanding=100, liability=1, new=1, members=1, active=1, frequency=1, expiry_rate=0),
        # 100 points expired, 60 were earned.
        health("2026-04", outstanding=40, liability=0.4, expired=100, expiry_rate=1.6667, new=1, members=2, active=1)
        | {"engagement": 0.5, "frequency": 2},
    ]


def health(period: str, **told: Any) -> dict[str, Any]:
    return {
        "period": period,
        "definition": "points",
        "outstanding": told["outstanding"],
        "liability": told["liability"],
        "expired": told.get("expired", 0),
        "expiry_rate": told["expiry_rate"],
        "members": told["members"],
        "new_members": told["new"],
        "active_members": told["active"],
        "engagement": 1,
        "frequency": told.get("frequency"),
    }


def test_tells_what_customers_do(caller: Caller, alice: Till, bob: Till) -> None:
    alice.award(1000, at=day(1, 10))
    bob.award(1000, at=day(4, 1))
    for points in (49, 50, 99, 700):
        bob.redeem(points, at=day(4, 2))
    told = report(caller, "behaviour", **{"from": "2026-04-01", "to": "2026-04-02"})
    first, second = told["rows"]
    assert (first["earn_burn_ratio"], first["preferred_size"]) == (0, None)
    assert (second["redemptions"], second["redeemed"], second["average_redemption"]) == (4, 898, 224.5)
    assert (second["redeeming_customers"], second["preferred_size"]) == (1, 50)
    assert told["sizes"] == [size(0, 1), size(50, 2), size(500, 1)]
    # As of 30 April Bob did something 28 days ago, Alice 110.
    assert told["inactive"] == [inactive(30, 1), inactive(90, 1), inactive(180, 0), inactive(365, 0)]


def test_tells_how_many_hold_which_tier(program: Program, caller: Caller, alice: Till, bob: Till) -> None:
    for name, threshold in (("Silver", 100), ("Gold", 500)):
        Tier.objects.create(program=program, code=name.lower(), name=name, threshold=threshold)
    TierScheme.objects.create(program=program)
    rules.publish(program=program, by="test")
    for till, points in ((alice, 100), (bob, 10)):
        till.award(points, at=day(4, 1))
    counting.count_tiers(at=day(4, 1))
    alice.award(400, at=day(4, 2))
    counting.count_tiers(at=day(4, 2))
    told = report(caller, "behaviour", **{"from": "2026-04-02", "to": "2026-04-30"})["tiers"]
    assert told == [tier("No tier", 1, 0), tier("Silver", 0, -1), tier("Gold", 1, 1)]
    assert report(caller, "behaviour", to="2026-04-01")["tiers"][1] == tier("Silver", 1, None)


def tier(name: str, customers: int, change: int | None) -> dict[str, Any]:
    return {"tier": name, "customers": customers, "change": change}


def size(points: int, count: int) -> dict[str, int]:
    return {"from_points": points, "redemptions": count}


def inactive(days: int, customers: int) -> dict[str, int]:
    return {"days": days, "customers": customers}


def test_works_out_what_the_programme_may_bring(caller: Caller, program: Program, alice: Till, bob: Till) -> None:
    program.margin_percent = 30
    program.save(update_fields=["margin_percent"])
    buy(alice, 200, points=1000, at=day(4, 1))
    alice.redeem(500, at=day(4, 2))
    # Who redeemed counts as such with all of the month.
    buy(alice, 40, points=10, at=day(4, 3))
    buy(bob, 100, points=500, at=day(4, 4))
    [told] = report(caller, "money", **{"from": "2026-04-01", "to": "2026-04-30"})["rows"]
    assert told == {
        "period": "2026-04",
        "definition": "points",
        "redeemed": 500,
        "redemption_cost": 5,
        "redeeming_customers": 1,
        "redeeming_spend": 240,
        "spend_per_redeeming_customer": 240,
        "other_customers": 1,
        "other_spend": 100,
        "spend_per_other_customer": 100,
        "difference": 140,
        "margin_percent": 30,
        "return": (140 * 0.3 - 5) / 5,
    }


def buy(till: Till, amount: int, *, points: int, at: datetime.datetime) -> None:
    note = ledger.Note(reason="Purchase", actor="till", metadata={"order_total": amount})
    till.award(points, at=at, note=note)


def test_does_not_guess_what_nobody_said(caller: Caller, program: Program, definition: PointDefinition) -> None:
    PointDefinition.objects.filter(pk=definition.pk).update(point_value=None)
    till = person(program, definition)
    till.award(10, at=day(4, 1))
    till.redeem(5, at=day(4, 1))
    [told] = report(caller, "money", **{"from": "2026-04-01", "to": "2026-04-30"})["rows"]
    assert (told["redemption_cost"], told["difference"], told["return"]) == (None, None, None)
    assert report(caller, "liability")["rows"][0]["value"] is None


def test_tells_when_points_are_redeemed_by_when_they_were_earned(caller: Caller, alice: Till) -> None:
    alice.award(100, at=day(2, 1))
    alice.award(80, at=day(3, 1))
    alice.redeem(60, at=day(3, 5))
    alice.redeem(80, at=day(4, 5))
    rows = report(caller, "cohorts", **{"from": "2026-02-01", "to": "2026-04-30"})["rows"]
    assert rows == [
        cohort("2026-02", "2026-03", 60, 0.6),
        cohort("2026-02", "2026-04", 40, 0.4),
        cohort("2026-03", "2026-04", 40, 0.5),
    ]


def cohort(earned_in: str, redeemed_in: str, points: int, share: float) -> dict[str, Any]:
    of = {"earned_in": earned_in, "redeemed_in": redeemed_in, "definition": "points"}
    return of | {"points": points, "share": share}


@pytest.mark.parametrize("name", REPORTS)
def test_writes_csv_with_the_rows_of_json(caller: Caller, alice: Till, name: str) -> None:
    alice.award(100, at=day(4, 1))
    alice.redeem(10, at=day(4, 2))
    rows = report(caller, name, to="2026-04-30")["rows"]
    with time_machine.travel(APRIL, tick=False):
        answer = caller.get(f"reports/{name}", to="2026-04-30", format="csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [list(told) for told in table] == [list(told) for told in rows]
    assert [told["definition"] for told in table] == [told["definition"] for told in rows]


@pytest.mark.parametrize("name", REPORTS)
def test_tells_nothing_of_another_programme(name: str, caller: Caller, program: Program) -> None:
    other = Program.objects.create(slug=f"{program.slug}-2", name="Other shop")
    stranger = person(other, make_definition(other, code="stars", point_value="0.01"))
    stranger.award(100, at=day(4, 1))
    counted(other)
    assert report(caller, name)["rows"] == []
    error(caller.get(f"reports/{name}", definition="stars"), 400, "INVALID_PARAMETERS")


@pytest.mark.parametrize("name", REPORTS)
def test_needs_the_scope(program: Program, caller: Caller, name: str) -> None:
    without = Caller(program, caller.card, scopes=[Scope.POINTS_READ])
    assert error(without.get(f"reports/{name}"), 403, "FORBIDDEN")["required_permissions"] == ["analytics:read"]


@pytest.mark.usefixtures("definition")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-05-01", "to": "2026-04-01"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"to": "0001-01-01"}, "to"),
        ({"to": "9999-12-31"}, "to"),
        ({"from": "1969-12-31"}, "from"),
        ({"from": "2020-01-01", "to": "2026-01-01"}, "from"),
        ({"from": "2006-01-31", "to": "2026-01-01", "by": "month"}, "from"),
        ({"by": "week"}, "by"),
        ({"format": "xlsx"}, "format"),
        ({"definition": "stars"}, "definition"),
        ({"definition": "a\x00b"}, "definition"),
    ],
)
def test_refuses_what_it_cannot_tell(caller: Caller, query: dict[str, str], field: str) -> None:
    with time_machine.travel(APRIL, tick=False):
        told = error(caller.get("reports/roll-forward", **query), 400, "INVALID_PARAMETERS")
    assert told["details"]["field"] == field


def test_says_up_to_when_it_has_counted(caller: Caller, definition: PointDefinition) -> None:
    assert data(caller.get("reports/roll-forward"), 200)["counted_at"] is None
    assert report(caller, "roll-forward")["counted_at"] == "2026-04-30T12:00:00Z"
