import secrets
from pathlib import Path

import pytest

from loyalty.models import Program
from points import definitions
from tests.points.importing.shop import Shop


@pytest.fixture
def program() -> Program:
    return definitions.create_program(slug=f"shop-{secrets.token_hex(6)}", timezone="Europe/Vilnius")


@pytest.fixture
def shop(program: Program, tmp_path: Path) -> Shop:
    return Shop(program, tmp_path)
