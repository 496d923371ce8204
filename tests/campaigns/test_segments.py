"""Which customers a segment means."""

import dataclasses
import datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from campaigns import segments
from campaigns.conditions import Conditions
from cards.models import Card, Customer
from loyalty.models import Program
from points import rules
from points.models import Order, PointAccount, PointDefinition
from points.terms import Kind
from rewards import persons
from tests.campaigns.shop import MARY, make_segment, many, till_of
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.till import NOON, NOTE, days
from tiers.models import Tier

DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def at_noon(clock: time_machine.Traveller) -> None:
    """All is at NOON."""


def found(program: Program, **asked: Any) -> list[str]:
    """The names of those whom the conditions mean."""
    conditions = Conditions.of(make_segment(program, **asked))
    # As a campaign keeps them.
    assert Conditions.read(conditions.keep()) == conditions
    told = segments.find(program=program, conditions=conditions, at=timezone.now())
    assert told.count == len(told.first)
    return sorted(customer.name for customer in told.first)


def test_means_everybody_who_is_a_customer(program: Program, alice: Customer, bob: Customer) -> None:
    CustomerFactory(program=program, name="Carol")
    other = Program.objects.create(slug=f"other-{alice.pk.hex[-12:]}", name="Other Shop")
    CustomerFactory(program=other, name="A stranger")
    assert found(program) == ["Alice", "Bob", "Carol"]


def test_means_nobody_who_was_merged_or_erased(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer
) -> None:
    carol = CustomerFactory(program=program, name="Carol")
    persons.merge(customer=alice, into=bob, actor=MARY, at=NOON)
    persons.erase(customer=carol, actor=MARY, at=NOON)
    assert found(program) == ["Bob"]


def test_looks_at_balances_and_at_points_earned(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer
) -> None:
    till_of(alice, definition).award(100)
    till_of(alice, definition).redeem(70)
    assert found(program, balance_least=30) == ["Alice"]
    assert found(program, balance_least=31) == []
    assert found(program, balance_most=30) == ["Alice", "Bob"]
    assert found(program, balance_most=29) == ["Bob"]
    assert found(program, earned_least=100) == ["Alice"]
    assert found(program, earned_least=1, earned_most=99) == []
    assert found(program, balance_least=30, earned_most=100) == ["Alice"]


def test_looks_at_other_points_where_it_says_so(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer
) -> None:
    stamps = make_definition(program, code="stamps")
    till_of(bob, stamps).award(5)
    assert found(program, definition=stamps, balance_least=5) == ["Bob"]
    assert found(program, balance_least=5) == []


def test_looks_at_the_last_activity_by_the_programmes_clocks(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer
) -> None:
    # 1 March begins in Vilnius at 22:00 UTC.
    till_of(alice, definition).award(1, at=datetime.datetime(2026, 2, 28, 22, tzinfo=datetime.UTC))
    first = datetime.date(2026, 3, 1)
    assert found(program, active_from_on=first) == ["Alice"]
    assert found(program, active_from_on=first + DAY) == []
    assert found(program, active_until_on=first) == ["Bob"]
    assert found(program, active_until_on=first + DAY) == ["Alice", "Bob"]


def test_looks_at_when_they_joined(program: Program, alice: Customer, bob: Customer) -> None:
    Customer.objects.filter(pk=alice.pk).update(created_at=datetime.datetime(2025, 12, 31, 22, tzinfo=datetime.UTC))
    Customer.objects.filter(pk=bob.pk).update(created_at=datetime.datetime(2025, 12, 31, 21, tzinfo=datetime.UTC))
    year = datetime.date(2026, 1, 1)
    assert found(program, joined_from_on=year) == ["Alice"]
    assert found(program, joined_until_on=year) == ["Bob"]


def test_looks_at_tiers(program: Program, definition: PointDefinition, alice: Customer, bob: Customer) -> None:
    for code, threshold in (("bronze", 0), ("silver", 100), ("gold", 1_000)):
        Tier.objects.create(program=program, code=code, name=code.title(), threshold=threshold)
    rules.publish(program=program, by=MARY)
    program.refresh_from_db()
    till_of(Customer.objects.select_related("program").get(pk=alice.pk), definition).award(100)
    till_of(Customer.objects.select_related("program").get(pk=bob.pk), definition).award(1)
    assert PointAccount.objects.filter(program=program, tier__code="silver").count() == 1
    assert found(program, tiers=["silver"]) == ["Alice"]
    assert found(program, tiers=["silver", "bronze"]) == ["Alice", "Bob"]
    assert found(program, tiers=["gold"]) == []


@pytest.mark.parametrize(
    ("cards", "names"),
    [
        (["active"], ["Alice"]),
        (["blocked"], ["Bob"]),
        (["expired"], ["Carol"]),
        (["none"], ["Dora"]),
        (["inactive"], []),
        (["active", "none"], ["Alice", "Dora"]),
    ],
)
def test_looks_at_cards(program: Program, alice: Customer, bob: Customer, cards: list[str], names: list[str]) -> None:
    CardFactory(customer=alice, number=number(1))
    CardFactory(customer=bob, number=number(2), status=Card.Status.BLOCKED)
    CardFactory(customer=CustomerFactory(program=program, name="Carol"), number=number(3), expires_at=NOON)
    CustomerFactory(program=program, name="Dora")
    assert found(program, cards=cards) == names


def test_adds_up_what_was_spent_in_orders_and_purchases(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer
) -> None:
    ann, rob = till_of(alice, definition), till_of(bob, definition)
    order(ann.account.id, program, "1", total=80, refunded=30)
    order(ann.account.id, program, "2", total=1_000, currency="USD")
    order(ann.account.id, program, "3", total=None)
    ann.award(1, note=said(actor="import", metadata={"amount": "25.50"}))
    ann.award(1, note=said(metadata={"purchase_amount": "4.50", "transaction_type": Kind.PURCHASE.value}))
    # No number, and none of an import.
    rob.award(1, note=said(metadata={"purchase_amount": "much", "amount": "99"}))
    assert found(program, spent_least=80) == ["Alice"]
    # 80 - 30 + 25.50 + 4.50
    assert found(program, spent_least=Decimal("80.01")) == []
    assert found(program, spent_most=0) == ["Bob"]


def test_adds_up_what_was_spent_between_two_days(
    program: Program, definition: PointDefinition, alice: Customer
) -> None:
    till = till_of(alice, definition)
    till.award(1, note=said(actor="import", metadata={"amount": "10"}, transaction_date=days(-40)))
    till.award(1, note=said(actor="import", metadata={"amount": "5"}, transaction_date=days(-1)))
    order(till.account.id, program, "1", total=20, created_at=days(-40))
    month = {"spent_from_on": days(-30).date()}
    assert found(program, spent_least=35) == ["Alice"]
    assert found(program, spent_least=6, **month) == []
    assert found(program, spent_least=5, **month) == ["Alice"]
    assert found(program, spent_least=30, spent_until_on=days(-30).date()) == ["Alice"]


def test_asks_for_everything_at_once(program: Program, definition: PointDefinition, alice: Customer) -> None:
    CardFactory(customer=alice, number=number(1))
    till_of(alice, definition).award(10)
    assert found(
        program,
        balance_least=1,
        balance_most=100,
        earned_least=1,
        active_from_on=NOON.date(),
        active_until_on=NOON.date() + DAY,
        joined_from_on=datetime.date(2020, 1, 1),
        joined_until_on=datetime.date(2100, 1, 1),
        spent_most=5,
        cards=["active"],
    ) == ["Alice"]


def test_counts_all_and_shows_the_first_twenty(program: Program) -> None:
    customers = many(program, 25)
    told = segments.find(program=program, conditions=Conditions(), at=NOON)
    assert told.count == 25
    assert told.first == list(customers[:20])
    assert told.cost(50) == 25 * 50  # type: ignore[arg-type]


def number(n: int) -> str:
    return f"LC{n:012}"


def said(**facts: Any) -> Any:
    return dataclasses.replace(NOTE, **facts)


def order(account_id: Any, program: Program, number: str, **facts: Any) -> None:
    Order.objects.create(program=program, number=number, account_id=account_id, **{"currency": "EUR"} | facts)
