"""Entries that come from another server are in the programme's list at once, before all that is posted from then on."""

import datetime
from decimal import Decimal

from django.db import connections, transaction

from cards import customers
from cards.models import Customer
from loyalty.models import Program
from points import definitions, histories, ledger, restored
from points.models import PointTransaction
from rewards import catalogue

AT = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def award(program: Program, customer: Customer) -> PointTransaction:
    account = ledger.AccountRef(program=program, definition=definitions.find(program, None), customer_id=customer.pk)
    note = ledger.Note(reason="Order", actor="test")
    entry = ledger.award(account=account, points=Decimal(10), note=note, at=AT).entry
    assert entry is not None
    return entry


def listed(program: Program) -> list:
    return [entry.pk for entry in histories.of_program(program=program)]


def write_as_by_another_server(entry: PointTransaction) -> None:
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE points_pointtransaction DISABLE TRIGGER entries_never_change")
        cursor.execute(
            "UPDATE points_pointtransaction SET xid = '1000000000000' WHERE account_id = %s AND id = %s",
            [entry.account_id, entry.pk],
        )
        cursor.execute("ALTER TABLE points_pointtransaction ENABLE TRIGGER entries_never_change")


def test_are_listed_before_what_is_posted_later() -> None:
    program = definitions.create_program(slug=f"restored-{datetime.datetime.now(datetime.UTC):%H%M%S%f}")
    alice = Customer.objects.create(program=program, name="Alice")
    first = award(program, alice)
    write_as_by_another_server(first)
    assert listed(program) == []

    assert restored.adopt() > 0

    second = award(program, alice)
    assert listed(program) == [first.pk, second.pk]
    assert restored.adopt() == 0


def test_are_customers_too() -> None:
    program = definitions.create_program(slug=f"restored-{datetime.datetime.now(datetime.UTC):%H%M%S%f}")
    people = [Customer.objects.create(program=program) for _ in range(3)]
    with connections["owner"].cursor() as cursor:
        cursor.execute("UPDATE cards_customer SET xid = '1000000000000' WHERE id = %s", [people[1].pk])
    assert people[1] not in customers.listed(program=program)

    restored.adopt()

    people.append(Customer.objects.create(program=program))
    assert list(customers.listed(program=program)) == people[::-1]


def test_are_rewards_too() -> None:
    program = definitions.create_program(slug=f"restored-{datetime.datetime.now(datetime.UTC):%H%M%S%f}")
    rewards = [catalogue.create(program=program, name="Coffee", points_cost=100) for _ in range(3)]
    with connections["owner"].cursor() as cursor:
        cursor.execute("UPDATE rewards_reward SET xid = '1000000000000' WHERE id = %s", [rewards[1].pk])
    assert rewards[1] not in catalogue.of_program(program=program)

    restored.adopt()

    rewards.append(catalogue.create(program=program, name="Coffee", points_cost=100))
    assert list(catalogue.of_program(program=program)) == rewards[::-1]


def test_still_never_change() -> None:
    restored.adopt()
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT tgenabled FROM pg_trigger WHERE tgname = 'entries_never_change'")
        assert cursor.fetchone()[0] == "O"
