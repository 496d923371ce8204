from collections.abc import Iterator

import pytest
from django.utils import timezone

from cards.models import Customer
from events.models import WebhookEndpoint
from loyalty.models import Program
from tests.api.management.conftest import make_program
from tests.api.v1.client import Client
from tests.factories import CustomerFactory


@pytest.fixture
def program() -> Program:
    """A programme as the command makes it, without a limit of postings."""
    program = make_program()
    program.transaction_limit = None
    program.save(update_fields=["transaction_limit"])
    return program


@pytest.fixture
def shop(program: Program) -> Client:
    """A system of the programme."""
    return Client(program)


@pytest.fixture
def stranger() -> Client:
    """A system of another programme."""
    return Client(make_program())


@pytest.fixture
def alice(program: Program) -> Customer:
    return CustomerFactory(program=program)


@pytest.fixture
def bob(program: Program) -> Customer:
    return CustomerFactory(program=program)


@pytest.fixture(autouse=True)
def _quiet(program: Program) -> Iterator[None]:
    """Leaves nothing behind that other tests would send."""
    yield
    WebhookEndpoint.objects.filter(deleted_at=None).update(deleted_at=timezone.now())
