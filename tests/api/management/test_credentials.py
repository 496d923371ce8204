import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from cards.api.management import CardsViewSet
from loyalty import api_keys
from loyalty.models import ApiKey, Program, Scope
from points.api.management import PointsViewSet
from points.api.management_bulk import BulkViewSet
from points.api.management_transactions import TransactionsViewSet
from tests.api.management.till import Till, data, error


def call(till: Till, **headers: Any) -> Any:
    return APIClient(raise_request_exception=False).get(f"/api/points/balance/{till.card_id}", **headers)


@pytest.fixture
def made(program: Program) -> tuple[ApiKey, str]:
    return api_keys.generate(program=program, name="till")


@pytest.mark.parametrize("form", ["id and secret", "bearer", "lower-case bearer", "apikey", "secret alone"])
def test_takes_every_form_of_header(till: Till, made: tuple[ApiKey, str], form: str) -> None:
    key, secret = made
    headers = {
        "id and secret": {"HTTP_X_API_KEY": key.key_id, "HTTP_X_API_SECRET": secret},
        "bearer": {"HTTP_AUTHORIZATION": f"Bearer {secret}"},
        "lower-case bearer": {"HTTP_AUTHORIZATION": f"bearer {secret}"},
        "apikey": {"HTTP_APIKEY": secret},
        "secret alone": {"HTTP_X_API_KEY": secret},
    }[form]
    data(call(till, **headers), 200)


def test_refuses_wrong_credentials(till: Till, made: tuple[ApiKey, str]) -> None:
    key, secret = made
    other, _ = api_keys.generate(program=key.program, name="other")
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    for headers in (
        {},
        {"HTTP_X_API_KEY": key.key_id},
        {"HTTP_X_API_SECRET": secret},
        {"HTTP_X_API_KEY": other.key_id, "HTTP_X_API_SECRET": secret},
        {"HTTP_X_API_KEY": key.key_id, "HTTP_X_API_SECRET": wrong},
        {"HTTP_AUTHORIZATION": f"Bearer {wrong}"},
        {"HTTP_AUTHORIZATION": f"Basic {secret}"},
        {"HTTP_AUTHORIZATION": "Bearer "},
        {"HTTP_APIKEY": key.key_id},
        {"HTTP_APIKEY": key.secret_hash},
        {"HTTP_APIKEY": "sk_live_ä.x"},
        {"HTTP_APIKEY": "x" * 5000},
    ):
        answer = call(till, **headers)
        assert error(answer, 401, "UNAUTHORIZED") == {}
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_comes_before_everything_else(till: Till) -> None:
    client = APIClient(raise_request_exception=False)
    error(client.post("/api/points/award", "{", content_type="application/json"), 401, "UNAUTHORIZED")
    error(client.get("/api/points/award"), 401, "UNAUTHORIZED")
    error(client.get("/api/points/balance/nonsense"), 401, "UNAUTHORIZED")


def test_refuses_a_key_at_once_when_it_is_revoked(till: Till, made: tuple[ApiKey, str]) -> None:
    key, secret = made
    data(call(till, HTTP_APIKEY=secret), 200)
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    error(call(till, HTTP_APIKEY=secret), 401, "UNAUTHORIZED")


def test_refuses_a_key_once_it_has_expired(till: Till, made: tuple[ApiKey, str]) -> None:
    key, secret = made
    now = timezone.now()
    ApiKey.objects.filter(pk=key.pk).update(expires_at=now + datetime.timedelta(hours=1))
    data(call(till, HTTP_APIKEY=secret), 200)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=now)
    error(call(till, HTTP_APIKEY=secret), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("ranges", "address", "status"),
    [
        (["192.0.2.0/24"], "192.0.2.7", 200),
        (["192.0.2.0/24"], "192.0.3.7", 401),
        (["192.0.2.7"], "192.0.2.7", 200),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::7", 200),
        (["10.0.0.0/8"], "2001:db8::7", 401),
        (["192.0.2.0/24"], "::ffff:192.0.2.7", 200),
        (["192.0.2.0/24"], "", 401),
    ],
)
def test_takes_a_key_from_its_ranges_only(
    till: Till, made: tuple[ApiKey, str], ranges: list[str], address: str, status: int
) -> None:
    key, secret = made
    ApiKey.objects.filter(pk=key.pk).update(allowed_ips=ranges)
    assert call(till, HTTP_APIKEY=secret, REMOTE_ADDR=address).status_code == status


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("192.0.2.7", 200),
        ("203.0.113.1, 192.0.2.7", 200),
        # The caller's own word, before the first hop that is no proxy of ours.
        ("192.0.2.7, 203.0.113.1", 401),
        ("192.0.2.7, 10.0.0.2", 200),
        ("nonsense", 401),
        ("", 401),
    ],
)
def test_believes_its_own_proxies_about_the_address(
    till: Till, made: tuple[ApiKey, str], settings: Any, forwarded: str, status: int
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    key, secret = made
    ApiKey.objects.filter(pk=key.pk).update(allowed_ips=["192.0.2.0/24"])
    answer = call(till, HTTP_APIKEY=secret, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert answer.status_code == status


def test_believes_nobody_else_about_the_address(till: Till, made: tuple[ApiKey, str]) -> None:
    key, secret = made
    ApiKey.objects.filter(pk=key.pk).update(allowed_ips=["192.0.2.0/24"])
    error(call(till, HTTP_APIKEY=secret, HTTP_X_FORWARDED_FOR="192.0.2.7"), 401, "UNAUTHORIZED")


def test_stores_no_secret(made: tuple[ApiKey, str]) -> None:
    key, secret = made
    stored = ApiKey.objects.filter(pk=key.pk).values().get()
    random_part = secret.partition(".")[2]
    assert len(random_part) >= 32
    assert not any(random_part in str(value) for value in stored.values())


def test_begins_secrets_as_their_programme_is() -> None:
    for is_sandbox, beginning in ((False, "sk_live_"), (True, "sk_test_")):
        program = Program.objects.create(slug=f"p-{beginning[:7]}-{timezone.now():%H%M%S%f}", is_sandbox=is_sandbox)
        assert api_keys.generate(program=program)[1].startswith(beginning)


def test_costs_one_query_and_writes_nothing(till: Till, made: tuple[ApiKey, str]) -> None:
    # The first request under new rules reads them.
    call(till, HTTP_APIKEY=made[1])
    with CaptureQueriesContext(connection) as queries:
        call(till, HTTP_APIKEY=made[1])
    asked = [query["sql"] for query in queries]
    assert len([sql for sql in asked if sql.startswith("EXECUTE find_key")]) == 1
    assert all(sql.startswith(("EXECUTE find_", "EXECUTE read_", "PREPARE")) for sql in asked)


@pytest.mark.parametrize("viewset", [PointsViewSet, BulkViewSet, TransactionsViewSet, CardsViewSet])
def test_every_action_names_its_scope(viewset: Any) -> None:
    actions = {name for name, member in vars(viewset).items() if callable(member) and not name.startswith("_")}
    assert actions == set(viewset.scopes) == set(viewset.refusals)
    assert set(viewset.scopes.values()) <= set(Scope)
