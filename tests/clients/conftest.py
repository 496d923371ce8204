from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loyalty import api_keys
from loyalty.models import Program
from loyalty_client import Amount, Customer, Loyalty
from tests.api.management.conftest import make_program
from tests.clients.proxy import Proxy, proxied
from tests.clients.service import serving


@pytest.fixture(scope="session")
def service(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the running service."""
    output: Path = tmp_path_factory.mktemp("service") / "output"
    with serving(output) as address:
        yield address


@pytest.fixture
def proxy(service: str) -> Iterator[Proxy]:
    with proxied(service) as proxy:
        yield proxy


@pytest.fixture
def program() -> Program:
    """A programme with tiers, whole points that expire after 12 months, and customers who may send one another some."""
    program = make_program()
    program.transfers_enabled = True
    program.save(update_fields=["transfers_enabled"])
    return program


@pytest.fixture
def secret(program: Program) -> str:
    """Of a key with all scopes."""
    return api_keys.generate(program=program, name="shop")[1]


@pytest.fixture
def client(service: str, secret: str) -> Iterator[Loyalty]:
    with Loyalty(base_url=service, secret=secret) as client:
        yield client


@pytest.fixture
def customer_with(client: Loyalty) -> Callable[[Amount], Customer]:
    """Makes a customer with so many points."""

    def make(points: Amount) -> Customer:
        customer = client.customers.create(name="Alice")
        if points:
            client.points.award(customer_id=customer.id, points=points, reason="Welcome")
        return customer

    return make
