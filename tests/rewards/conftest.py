from collections.abc import Iterator

import pytest

from loyalty.models import Program
from tests.api.management.conftest import make_program
from tests.points.till import breaches
from tests.rewards.shop import Shop


@pytest.fixture
def program() -> Program:
    """Whole points that expire after 12 months, four tiers, no limit of postings."""
    program = make_program()
    program.transaction_limit = None
    program.save(update_fields=["transaction_limit"])
    return program


@pytest.fixture
def shop(program: Program) -> Shop:
    return Shop(program)


@pytest.fixture(autouse=True)
def _lawful(program: Program) -> Iterator[None]:
    yield
    assert breaches(program) == set()
