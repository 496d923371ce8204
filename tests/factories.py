"""Rows for tests. What the ledger writes is made by the ledger: see `tests/points/till.py`."""

import itertools
from typing import Any

import factory
from factory.django import DjangoModelFactory

from cards.models import Card, Customer
from loyalty.models import Program
from points import definitions
from points.models import AccountRef, PointDefinition


class CustomerFactory(DjangoModelFactory[Customer]):
    """A customer of a programme, which must be named."""

    class Meta:
        model = Customer

    name = "Alice"
    email = factory.Sequence(lambda n: f"alice-{n}@example.com")


class CardFactory(DjangoModelFactory[Card]):
    """An active card of a customer, who must be named."""

    class Meta:
        model = Card

    program = factory.SelfAttribute("customer.program")
    number = factory.Sequence(lambda n: f"LC{n:012}")


_codes = itertools.count(1)


def make_definition(program: Program, **policies: Any) -> PointDefinition:
    """A kind of points that never expire, unless a policy is named; the first one is the programme's default."""
    is_first = not program.definitions.exists()
    values = {"code": f"points-{next(_codes)}", "name": "Points", "expiry_policy": "none", "is_default": is_first}
    return definitions.create_definition(program=program, **values | policies)


def make_account(program: Program, definition: PointDefinition | None = None, **policies: Any) -> AccountRef:
    """A new customer's account, which does not exist in the database before something is posted."""
    return AccountRef(
        program=program,
        definition=definition or make_definition(program, **policies),
        customer_id=CustomerFactory(program=program).pk,
    )
