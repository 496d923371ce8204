import pytest

from cards.models import Card, Customer
from loyalty.models import Program
from points.models import AccountRef, PointDefinition
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.till import Till


@pytest.fixture
def definition(program: Program) -> PointDefinition:
    """The programme's default points: whole ones, that never expire."""
    return make_definition(program)


@pytest.fixture
def customer(program: Program) -> Customer:
    return CustomerFactory(program=program)


@pytest.fixture
def card(customer: Customer) -> Card:
    return CardFactory(customer=customer)


@pytest.fixture
def account(program: Program, definition: PointDefinition, customer: Customer) -> AccountRef:
    return AccountRef(program=program, definition=definition, customer_id=customer.pk)


@pytest.fixture
def till(account: AccountRef) -> Till:
    return Till(account)


@pytest.fixture(params=["default", "owner"])
def role(request: pytest.FixtureRequest) -> str:
    """The role that serves requests, and the one that owns the tables."""
    return request.param
