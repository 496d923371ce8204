import secrets

import pytest

from loyalty.models import Program
from points import definitions
from tests.exchange.shop import Shop


@pytest.fixture
def program() -> Program:
    """Whole points that expire after 12 months, by the clocks of Vilnius."""
    return definitions.create_program(slug=f"shop-{secrets.token_hex(6)}", timezone="Europe/Vilnius")


@pytest.fixture
def shop(program: Program) -> Shop:
    return Shop(program)


@pytest.fixture
def other_shop() -> Shop:
    return Shop(definitions.create_program(slug=f"shop-{secrets.token_hex(6)}"))
