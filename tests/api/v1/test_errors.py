from typing import Any

import pytest
from django.db import OperationalError

from points import rules
from tests.api.v1.client import Client, refused


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v1/tiers/", "/v1/shop", "/v1/shop/nothing", "/v1/%00"]
)
def test_answers_in_its_shape_on_a_path_that_leads_nowhere(shop: Client, path: str) -> None:
    assert refused(shop.client.get(path), 404, "not_found") == {}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_names_the_methods_that_a_path_takes(shop: Client, method: str) -> None:
    answer = getattr(shop.client, method)("/v1/tiers")
    assert refused(answer, 405, "method_not_allowed") == {}
    assert answer.headers["Allow"]


def test_answers_the_head_of_what_it_answers(shop: Client) -> None:
    answer = shop.client.head("/v1/tiers")
    assert (answer.status_code, answer.content) == (200, b"")


def test_needs_credentials(shop: Client) -> None:
    shop.client.credentials()
    answer = shop.get("tiers")
    assert refused(answer, 401, "unauthorized") == {}
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_hides_a_fault_of_ours_and_names_the_request(shop: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("SELECT secret FROM insides")

    monkeypatch.setattr(rules, "of", fail)
    answer = shop.get("tiers")
    assert refused(answer, 500, "internal_error") == {"request_id": answer.headers["X-Request-Id"]}
    assert b"insides" not in answer.content


def test_says_when_to_try_again_while_the_database_is_away(shop: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(rules, "of", fail)
    answer = shop.get("tiers")
    assert refused(answer, 503, "unavailable") == {"retry_after": 1}
    assert answer.headers["Retry-After"] == "1"
