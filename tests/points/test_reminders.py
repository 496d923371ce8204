"""What is told in advance: points that expire, 30, 7 and 1 days before, and tiers that fall; each once."""

import datetime
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program
from points import definitions, reminders, rules
from points.models import AccountRef, Reminder
from tests.api.management.conftest import make_program
from tests.api.v1.client import Client, done
from tests.api.v1.test_events import events
from tests.factories import CustomerFactory
from tests.points.threads import at_once
from tiers.models import Tier, TierScheme

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def program() -> Program:
    program = make_program(timezone="Europe/Vilnius")
    program.keeps_events = True
    program.save(update_fields=["keeps_events"])
    return program


@pytest.fixture
def shop(program: Program) -> Client:
    return Client(program)


@pytest.fixture
def alice(program: Program) -> Customer:
    return CustomerFactory(program=program, external_id="customer-77")


def award(shop: Client, points: int, *, days: float, **more: Any) -> Any:
    """Points that end so many days after now."""
    ends = datetime.datetime.now(datetime.UTC) + days * DAY
    body = {"customer_id": "customer-77", "points": points, "reason": "x", "expires_at": ends.isoformat()}
    return done(shop.post("points/award", body | more), 201)


def told(shop: Client, kind: str = "points.expiring_soon") -> list[dict[str, Any]]:
    return [event["data"] for event in events(shop, type=kind)]


def remind() -> reminders.Tally:
    return reminders.remind(at=datetime.datetime.now(datetime.UTC))


def test_tells_points_that_expire_three_times(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        award(shop, 100, days=40)
        award(shop, 20, days=40.1)
        award(shop, 5, days=200)
        for _ in range(42):
            remind()
            remind()
            clock.shift(DAY)
        rows = told(shop)
    assert [(row["days"], row["points"], row["points_balance"]) for row in rows] == [
        (30, 100 + 20, 125),
        (7, 100 + 20, 125),
        (1, 100 + 20, 125),
    ]
    assert rows[0] == {
        "object": "expiring_points",
        "customer_id": ids.public("cus", alice.pk),
        "points": 120,
        "expires_at": "2026-04-11T12:00:00Z",
        "days": 30,
        "points_balance": 125,
    }


def test_tells_on_the_very_day_what_ends_late_on_the_last(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON.replace(hour=18, minute=20), tick=False):
        award(shop, 100, days=30.06)
        remind()
        assert [(row["days"], row["expires_at"][:10]) for row in told(shop)] == [(30, "2026-04-01")]


def test_tells_once_where_it_did_not_run_for_long(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        award(shop, 100, days=40)
        clock.shift(36 * DAY)
        remind()
        assert [row["days"] for row in told(shop)] == [7]


def test_tells_what_is_left(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False):
        award(shop, 100, days=5)
        done(shop.post("points/redeem", {"customer_id": "customer-77", "points": 30}), 201)
        done(shop.post("holds", {"customer_id": "customer-77", "points": 20}), 201)
        remind()
        assert [row["points"] for row in told(shop)] == [100 - 30 - 20]


def test_tells_nothing_of_what_is_spent_pending_or_endless(shop: Client, program: Program, alice: Customer) -> None:
    program.definitions.update(expiry_policy="none", expiry_count=None)
    with time_machine.travel(NOON, tick=False):
        award(shop, 100, days=5)
        done(shop.post("points/redeem", {"customer_id": "customer-77", "points": 100}), 201)
        done(shop.post("points/award", {"customer_id": "customer-77", "points": 9, "reason": "x"}), 201)
        remind()
        assert told(shop) == []


def test_tells_points_that_end_by_inactivity_by_the_last_activity(
    shop: Client, program: Program, alice: Customer
) -> None:
    program.definitions.update(expiry_policy="inactivity", expiry_count=2)
    with time_machine.travel(NOON, tick=False) as clock:
        body = {"customer_id": "customer-77", "points": 50, "reason": "x"}
        done(shop.post("points/award", body), 201)
        clock.move_to(NOON + 40 * DAY)
        remind()
        assert [row["days"] for row in told(shop)] == [30]
        done(shop.post("points/award", body), 201)
        clock.move_to(NOON + 55 * DAY)
        remind()
        assert [row["days"] for row in told(shop)] == [30]


def test_is_told_by_one_of_many(shop: Client, program: Program, alice: Customer) -> None:
    others = [CustomerFactory(program=program, external_id=f"other-{n}") for n in range(20)]
    with time_machine.travel(NOON, tick=False):
        for customer in [alice, *others]:
            award(shop, 10, days=5, customer_id=customer.external_id)
        tallies = at_once(*[partial(reminders.remind, at=NOON)] * 4)
        assert sum(tally.expiring for tally in tallies) == len(told(shop)) == 21


def test_writes_nothing_where_nobody_listens(shop: Client, program: Program, alice: Customer) -> None:
    Program.objects.filter(pk=program.pk).update(keeps_events=False)
    with time_machine.travel(NOON, tick=False):
        award(shop, 100, days=5)
        remind()
        assert told(shop) == []
        # Whoever comes to listen is told what has not been told.
        Program.objects.filter(pk=program.pk).update(keeps_events=True)
        remind()
        assert [row["points"] for row in told(shop)] == [100]


def test_tells_a_tier_at_risk_once(shop: Client, program: Program, alice: Customer) -> None:
    Tier.objects.filter(program=program, code="silver").update(threshold=500)
    TierScheme.objects.filter(program=program).update(basis="rolling", window_months=2)
    rules.publish(program=program, by="test")
    with time_machine.travel(NOON, tick=False) as clock:
        award(shop, 600, days=300)
        for _ in range(100):
            remind()
            clock.shift(DAY)
        rows = told(shop, "customer.tier_at_risk")
    assert [(row["object"], row["tier"], row["falls_to"], row["points_needed"]) for row in rows] == [
        ("tier_risk", "Silver", "Bronze", 500)
    ]


def test_tells_no_tier_at_risk_of_whoever_keeps_it(shop: Client, program: Program, alice: Customer) -> None:
    CustomerFactory(program=program, external_id="customer-78")
    TierScheme.objects.filter(program=program).update(basis="calendar")
    rules.publish(program=program, by="test")
    with time_machine.travel(datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC), tick=False) as clock:
        award(shop, 600, days=900)
        award(shop, 600, days=900, customer_id="customer-78")
        clock.move_to(datetime.datetime(2027, 7, 1, tzinfo=datetime.UTC))
        award(shop, 600, days=900)
        clock.move_to(datetime.datetime(2027, 12, 20, tzinfo=datetime.UTC))
        remind()
        assert [row["customer_id"] for row in told(shop, "customer.tier_at_risk")] == [
            done(shop.get("customers/customer-78"))["id"]
        ]


def test_cannot_be_noted_twice(shop: Client, program: Program, alice: Customer) -> None:
    account = AccountRef(program=program, definition=definitions.find(program, None), customer_id=alice.pk)
    row = {"account_id": account.id, "kind": "points", "ends_on": NOON.date(), "days": 7}
    Reminder.objects.create(**row)
    with pytest.raises(IntegrityError):
        Reminder.objects.create(**row)
