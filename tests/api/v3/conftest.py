import pytest

from cards.models import Customer
from loyalty.models import Program
from points import definitions
from tests.api.management.conftest import make_program
from tests.api.v3.system import System
from tests.factories import CustomerFactory, make_definition


@pytest.fixture
def program() -> Program:
    return make_program()


@pytest.fixture
def alice(program: Program) -> Customer:
    return CustomerFactory(program=program)


@pytest.fixture
def system(program: Program, alice: Customer) -> System:
    """A system that keeps Alice's money-like points: one decimal place, they never expire."""
    return System(program, alice, make_definition(program, decimal_places=1, name="Bonus"))


@pytest.fixture
def usual(program: Program, alice: Customer) -> System:
    """The same on Alice's account of the programme's default points: whole ones that expire after 12 months."""
    return System(program, alice, definitions.find(program, None))


@pytest.fixture
def stranger() -> System:
    """A system of another programme, with Mallory's account."""
    other = make_program()
    return System(other, CustomerFactory(program=other, name="Mallory"), definitions.find(other, None))
