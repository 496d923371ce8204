"""API keys in the admin: made with a secret that is shown once, limited, and revoked."""

import datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session

from loyalty import api_keys
from loyalty.models import ApiKey, Program
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.points.till import NOON


def form(program: Program, **said: Any) -> dict[str, Any]:
    return {"program": program.pk, "name": "Till 3", "scopes": ["points:read", "points:manage"]} | said


@pytest.fixture
def made(program: Program) -> tuple[ApiKey, str]:
    return api_keys.generate(program=program, name="Till 1", scopes=["points:read"])


def test_shows_the_secret_once(manager: Browser, program: Program) -> None:
    answer = manager.post(pages.adding(ApiKey), form(program))

    key = program.api_keys.get()
    page = pages.text(answer)
    [secret] = {word for word in page.split() if word.startswith("sk_live_")}
    assert api_keys.find(secret=secret, key_id=key.key_id) == key
    assert f"LOYALTY_API_KEY={key.key_id} LOYALTY_API_SECRET={secret}" in page
    assert (key.name, key.scopes) == ("Till 3", ["points:read", "points:manage"])
    assert "no-store" in answer["Cache-Control"]


def test_keeps_the_secret_nowhere(manager: Browser, program: Program) -> None:
    answer = manager.post(pages.adding(ApiKey), form(program))
    [secret] = {word for word in pages.text(answer).split() if word.startswith("sk_live_")}

    key = program.api_keys.get()
    assert secret not in pages.text(manager.get(pages.of(key)))
    assert secret not in pages.text(manager.get(pages.listing(ApiKey)))
    assert secret not in str(answer.cookies) + str(manager.cookies)
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    log = LogEntry.objects.filter(object_id=str(key.pk))
    assert [secret in entry.change_message + entry.object_repr for entry in log] == [False]


def test_makes_sandbox_secrets_for_a_sandbox(manager: Browser, program: Program) -> None:
    Program.objects.filter(pk=program.pk).update(is_sandbox=True)

    assert "LOYALTY_API_SECRET=sk_test_" in pages.text(manager.post(pages.adding(ApiKey), form(program)))


def test_takes_limits(manager: Browser, program: Program) -> None:
    limits = {"allowed_ips": "192.0.2.7, 198.51.100.0/24", "expires_at_0": "2027-01-31", "expires_at_1": "12:00:00"}

    manager.post(pages.adding(ApiKey), form(program, **limits))

    key = program.api_keys.get()
    assert key.allowed_ips == ["192.0.2.7", "198.51.100.0/24"]
    assert key.expires_at == datetime.datetime(2027, 1, 31, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"allowed_ips": "10.0.0.0/8, nonsense"}, "“nonsense” is not an address or a range of addresses."),
        ({"allowed_ips": "10.0.0.0/33"}, "“10.0.0.0/33” is not an address"),
        ({"scopes": []}, "This field is required."),
        ({"scopes": ["points:steal"]}, "Select a valid choice."),
    ],
)
def test_refuses_limits_that_make_no_sense(
    manager: Browser, program: Program, said: dict[str, Any], complaint: str
) -> None:
    assert complaint in pages.text(manager.post(pages.adding(ApiKey), form(program, **said)))
    assert not program.api_keys.exists()


def test_changes_what_a_key_may_do_and_never_the_secret(manager: Browser, made: tuple[ApiKey, str]) -> None:
    key, secret = made

    manager.post(pages.of(key), form(key.program, scopes=["loyalty:read"], key_id="key_mine", secret_hash="mine"))

    found = api_keys.find(secret=secret, key_id=key.key_id)
    assert found is not None
    assert found.scopes == ["loyalty:read"]


def test_revokes_for_good(manager: Browser, made: tuple[ApiKey, str]) -> None:
    key, _ = made
    assert "It cannot be undone" in pages.text(manager.get(pages.of(key, "revoke")))
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None

    page = manager.post(pages.of(key, "revoke"), follow=True)

    assert "Till 1 is revoked: its callers are refused from now on." in pages.text(page)
    assert pages.of(key, "revoke") not in page.content.decode()
    assert ApiKey.objects.get(pk=key.pk).revoked_at == NOON
    assert manager.post(pages.of(key), form(key.program)).status_code == 403
    assert ApiKey.objects.get(pk=key.pk).name == "Till 1"


def test_keeps_the_moment_of_the_first_revocation(manager: Browser, made: tuple[ApiKey, str]) -> None:
    earlier = NOON - datetime.timedelta(days=1)
    ApiKey.objects.filter(pk=made[0].pk).update(revoked_at=earlier)

    manager.post(pages.of(made[0], "revoke"))

    assert ApiKey.objects.get(pk=made[0].pk).revoked_at == earlier


@pytest.mark.parametrize(
    ("facts", "state"),
    [({}, "Active"), ({"revoked_at": NOON}, "Revoked"), ({"expires_at": NOON}, "Expired")],
)
def test_shows_the_state(manager: Browser, made: tuple[ApiKey, str], facts: dict[str, Any], state: str) -> None:
    ApiKey.objects.filter(pk=made[0].pk).update(**facts)

    assert f"State {state}" in pages.text(manager.get(pages.of(made[0])))
    assert f"{state} " in pages.text(manager.get(pages.listing(ApiKey), {"q": made[0].key_id}))


def test_offers_the_scopes_that_something_asks_for(manager: Browser, program: Program) -> None:
    page = pages.text(manager.get(pages.adding(ApiKey)))

    assert "Award, redeem, reverse and expire points (points:manage)" in page
    assert "Manage webhooks (webhooks:manage)" in page
    assert "program:manage" not in page


def test_keeps_a_scope_that_a_key_has_otherwise(manager: Browser, program: Program) -> None:
    key, _ = api_keys.generate(program=program, name="Till", scopes=["points:read", "program:manage"])

    manager.post(pages.of(key), form(program, scopes=["program:manage"]))

    assert ApiKey.objects.get(pk=key.pk).scopes == ["program:manage"]
