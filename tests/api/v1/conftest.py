import pytest

from cards.models import Customer
from loyalty.models import Program
from tests.api.management.conftest import make_program
from tests.api.v1.client import Client
from tests.factories import CustomerFactory


@pytest.fixture
def program() -> Program:
    """A programme as the command makes it: with tiers, and whole points that expire after 12 months."""
    return make_program()


@pytest.fixture
def shop(program: Program) -> Client:
    """A system of the programme."""
    return Client(program)


@pytest.fixture
def alice(program: Program) -> Customer:
    """A customer of the programme with an id of the shop's own."""
    return CustomerFactory(program=program, external_id="customer-77")


@pytest.fixture
def stranger() -> Client:
    """A system of another programme."""
    return Client(make_program())
