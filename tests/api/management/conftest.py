import secrets

import pytest

from cards.models import Card
from loyalty.models import Program
from points import definitions
from points.models import PointDefinition
from tests.api.management.till import Till
from tests.factories import CardFactory, CustomerFactory


def make_program(**options: str) -> Program:
    """A programme as the command makes it: whole points that expire after 12 months."""
    return definitions.create_program(slug=f"shop-{secrets.token_hex(6)}", name="Corner Shop", **options)


@pytest.fixture
def program() -> Program:
    return make_program()


@pytest.fixture
def definition(program: Program) -> PointDefinition:
    return definitions.find(program, None)


@pytest.fixture
def card(program: Program) -> Card:
    """Alice's card."""
    return CardFactory(customer=CustomerFactory(program=program))


@pytest.fixture
def till(program: Program, card: Card) -> Till:
    """A till of the programme, with Alice's card in its hand."""
    return Till(program, card)


@pytest.fixture
def stranger() -> Till:
    """A till of another programme, with Mallory's card in its hand."""
    other = make_program()
    return Till(other, CardFactory(customer=CustomerFactory(program=other, name="Mallory")))
