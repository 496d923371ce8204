"""A shop in Vilnius that writes to its customers about everything, and what arrives."""

import datetime
from collections.abc import Iterator

import pytest
import time_machine

from cards.models import Customer
from loyalty.models import Program
from notices import following
from notices.kinds import Kind
from notices.models import NoticeSettings
from tests.api.management.conftest import make_program
from tests.api.v1.client import Client
from tests.factories import CustomerFactory

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def silent(clock: time_machine.Traveller) -> Program:
    """A programme that has never heard of notices."""
    return make_program(timezone="Europe/Vilnius")


@pytest.fixture
def program(silent: Program) -> Iterator[Program]:
    NoticeSettings.objects.create(program=silent, kinds=Kind.values)
    following.switch(program=silent, is_on=True)
    yield silent
    # What it still has to send is none of the next test's.
    following.switch(program=silent, is_on=False)


@pytest.fixture
def shop(program: Program) -> Client:
    return Client(program)


@pytest.fixture
def alice(program: Program) -> Customer:
    return CustomerFactory(program=program, name="Alice", email="alice@example.com", external_id="customer-77")
