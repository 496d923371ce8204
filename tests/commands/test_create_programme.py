import secrets
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from loyalty import api_keys
from loyalty.models import Program, Scope
from points import definitions


@pytest.fixture
def slug() -> str:
    return f"shop-{secrets.token_hex(6)}"


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("create_programme", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_makes_a_programme_with_its_default_points(slug: str) -> None:
    run(slug, "--name", "Corner Shop", "--currency", "GBP", "--timezone", "Europe/London")
    program = Program.objects.get(slug=slug)
    assert (program.name, program.currency, program.timezone) == ("Corner Shop", "GBP", "Europe/London")
    definition = definitions.find(program, None)
    assert (definition.decimal_places, definition.expiry_policy, definition.expiry_count) == (0, "months", 12)


def test_prints_the_credentials_of_a_first_key(slug: str) -> None:
    lines = dict(line.split("=", 1) for line in run(slug, "--format", "env"))
    assert set(lines) == {"LOYALTY_API_KEY", "LOYALTY_API_SECRET"}
    key = api_keys.find(secret=lines["LOYALTY_API_SECRET"], key_id=lines["LOYALTY_API_KEY"])
    assert key is not None
    assert (key.program.slug, key.scopes) == (slug, Scope.values)
    assert lines["LOYALTY_API_SECRET"].startswith("sk_live_")


def test_gives_a_sandbox_secrets_of_its_own_kind(slug: str) -> None:
    assert run(slug, "--sandbox", "--format", "env")[1].startswith("LOYALTY_API_SECRET=sk_test_")


@pytest.mark.parametrize("arguments", [["--timezone", "Mars/Olympus"], ["--currency", "euro"], ["--name", "x" * 101]])
def test_refuses_bad_values_and_makes_nothing(slug: str, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(slug, *arguments)
    assert not Program.objects.filter(slug=slug).exists()


def test_refuses_a_slug_that_is_taken(slug: str) -> None:
    run(slug)
    with pytest.raises(CommandError, match="already exists"):
        run(slug)
