import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from cards.models import Card
from loyalty import api_keys, ids
from loyalty.models import ApiKey, Program
from points import definitions
from points.models import PointDefinition
from tests.api.management.description import DescribedClient
from tests.factories import CardFactory, CustomerFactory


@pytest.fixture
def program() -> Program:
    """A programme as a command makes it: whole points that expire after 12 months."""
    return definitions.create_program(slug=f"shop-{secrets.token_hex(6)}", name="Corner Shop")


@pytest.fixture
def definition(program: Program) -> PointDefinition:
    return definitions.find(program, None)


def client_of(program: Program, **limits: Any) -> DescribedClient:
    """This will answer a client with a key of the programme, of all scopes unless told otherwise."""
    key, secret = api_keys.generate(program=program, name="till", **limits)
    client = DescribedClient(raise_request_exception=False)
    client.credentials(HTTP_X_API_KEY=key.key_id, HTTP_X_API_SECRET=secret)
    return client


@pytest.fixture
def client(program: Program) -> DescribedClient:
    return client_of(program)


@pytest.fixture
def card(program: Program) -> Card:
    """Alice's card."""
    return CardFactory(customer=CustomerFactory(program=program))


@pytest.fixture
def stranger() -> Card:
    """Mallory's card, of another programme."""
    other = definitions.create_program(slug=f"shop-{secrets.token_hex(6)}", name="Other Shop")
    return CardFactory(customer=CustomerFactory(program=other, name="Mallory"))
