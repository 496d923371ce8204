import secrets

import pytest

from loyalty.models import Program
from tests.factories import make_account, make_definition
from tests.points.till import Till


@pytest.fixture
def program() -> Program:
    """In Vilnius, where a day begins two or three hours before that of UTC."""
    return Program.objects.create(slug=f"shop-{secrets.token_hex(6)}", name="Shop", timezone="Europe/Vilnius")


@pytest.fixture
def till(program: Program) -> Till:
    return Till(make_account(program, make_definition(program, may_go_negative=True)))
