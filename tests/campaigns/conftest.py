"""A shop in Vilnius at NOON, whose points never expire, with Alice and Bob."""

from collections.abc import Iterator

import pytest
import time_machine

from campaigns.models import AwardCampaign
from cards.models import Customer
from loyalty.models import Program
from points.models import PointDefinition
from tests.campaigns.shop import make_campaign, make_segment
from tests.factories import CustomerFactory, make_definition
from tests.points.till import NOON


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """What other tests left running is none of a test's."""
    yield
    left = AwardCampaign.objects.filter(state__in=["running", "paused"])
    left.update(state="cancelled", ended_at=NOON)


@pytest.fixture
def program(program: Program) -> Program:
    Program.objects.filter(pk=program.pk).update(timezone="Europe/Vilnius")
    program.refresh_from_db()
    return program


@pytest.fixture
def definition(program: Program) -> PointDefinition:
    return make_definition(program)


@pytest.fixture
def alice(program: Program) -> Customer:
    return CustomerFactory(program=program, name="Alice")


@pytest.fixture
def bob(program: Program, alice: Customer) -> Customer:
    return CustomerFactory(program=program, name="Bob")


@pytest.fixture
def campaign(program: Program, definition: PointDefinition) -> AwardCampaign:
    return make_campaign(make_segment(program), definition)
