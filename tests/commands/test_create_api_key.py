from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from loyalty import api_keys
from loyalty.models import ApiKey, Program, Scope


def run(program: Program, *arguments: str) -> list[str]:
    out = StringIO()
    call_command("create_api_key", "--programme", program.slug, *arguments, stdout=out)
    return out.getvalue().splitlines()


def made(program: Program, *arguments: str) -> ApiKey:
    lines = dict(line.split("=", 1) for line in run(program, "--format", "env", *arguments))
    key = api_keys.find(secret=lines["LOYALTY_API_SECRET"], key_id=lines["LOYALTY_API_KEY"])
    assert key is not None
    return key


def test_makes_a_key_of_all_scopes(program: Program) -> None:
    key = made(program, "--name", "till 1")
    assert (key.program_id, key.name, key.scopes, key.expires_at) == (program.pk, "till 1", Scope.values, None)


def test_limits_the_key_to_what_is_named(program: Program) -> None:
    program.timezone = "Europe/Vilnius"
    program.save(update_fields=["timezone"])
    key = made(program, "--scopes", "points:read, points:manage", "--expires", "2090-01-01")
    assert key.scopes == ["points:read", "points:manage"]
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2089-12-31T22:00:00+00:00"


def test_shows_the_secret_once(program: Program) -> None:
    text = "\n".join(run(program))
    assert "sk_live_" in text
    assert "cannot be shown again" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scopes", "points:reads"],
        ["--scopes", ""],
        ["--expires", "tomorrow"],
        ["--expires", "2020-01-01"],
        ["--name", "x" * 101],
    ],
)
def test_refuses_bad_values_and_makes_nothing(program: Program, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(program, *arguments)
    assert not ApiKey.objects.filter(program=program).exists()


def test_refuses_a_programme_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="create_programme"):
        call_command("create_api_key", "--programme", "nowhere")
