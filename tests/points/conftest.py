from collections.abc import Iterator

import pytest

from cards.models import Card, Customer
from loyalty.models import Program
from points.models import AccountRef, PointDefinition
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.threads import deadlocks
from tests.points.till import Till, breaches


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


@pytest.fixture
def without_limit(program: Program) -> None:
    """As many postings a minute as there are."""
    program.transaction_limit = None
    program.save(update_fields=["transaction_limit"])


@pytest.fixture
def without_deadlock(program: Program) -> Iterator[None]:
    """Nothing waits for itself, and the laws hold afterwards."""
    before = deadlocks()
    yield
    assert deadlocks() == before
    assert breaches(program) == set()
