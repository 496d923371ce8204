"""/v1/webhook-endpoints: making, telling, changing and deleting what events are sent to."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from events.models import Event, WebhookEndpoint
from loyalty import ids
from loyalty.models import Program, Scope
from tests.api.v1.client import Client, done, refused
from tests.points.threads import at_once, times


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Leaves nothing behind that other tests would send."""
    yield
    WebhookEndpoint.objects.filter(deleted_at=None).update(deleted_at=timezone.now())


URL = "https://shop.example/hook"
MINUTE = datetime.timedelta(minutes=1)


def make(shop: Client, *, key: str | None = None, **said: Any) -> Any:
    return shop.post("webhook-endpoints", {"url": URL, "events": ["*"]} | said, key=key)


def made(shop: Client, **said: Any) -> dict[str, Any]:
    return done(make(shop, **said), 201)


def count(program: Program) -> int:
    return WebhookEndpoint.objects.filter(program=program, deleted_at=None).count()


def test_makes_what_the_contract_says(shop: Client) -> None:
    told = made(shop, events=["points.earned", "card.blocked"], description="Web shop", body_signature=True)
    endpoint = WebhookEndpoint.objects.get(program=shop.program)
    secret = told.pop("secret")
    assert secret.startswith("whsec_")
    assert len(secret) == len("whsec_") + 44
    assert told == {
        "id": ids.public("whk", endpoint.pk),
        "object": "webhook_endpoint",
        "url": URL,
        "events": ["points.earned", "card.blocked"],
        "description": "Web shop",
        "body_signature": True,
        "active": True,
        "paused_at": None,
        "paused_reason": None,
        "previous_secret_expires_at": None,
        "created_at": told["created_at"],
    }
    assert abs(datetime.datetime.fromisoformat(told["created_at"]) - timezone.now()) < MINUTE
    # Shown once.
    assert done(shop.get(f"webhook-endpoints/{told['id']}")) == told
    assert done(shop.get("webhook-endpoints")) == {"object": "list", "data": [told], "has_more": False}
    assert done(shop.patch(f"webhook-endpoints/{told['id']}", {})) == told


def test_needs_an_address_and_types_alone(shop: Client) -> None:
    told = made(shop, description=None, body_signature=None, unknown=[1])
    assert (told["description"], told["body_signature"], told["events"]) == (None, False, ["*"])


REFUSED = [
    ("url", None),
    ("url", ""),
    ("url", 7),
    ("url", ["https://shop.example/"]),
    ("url", "shop.example/hook"),
    ("url", "/hook"),
    ("url", "ftp://shop.example/"),
    ("url", "javascript:alert(1)"),
    ("url", "file:///etc/passwd"),
    ("url", "https://"),
    ("url", "https:///hook"),
    ("url", "https://:443/"),
    ("url", "https://user:word@shop.example/"),
    ("url", "https://user@shop.example/"),
    ("url", "https://shop.example:0/"),
    ("url", "https://shop.example:65536/"),
    ("url", "https://shop.example:port/"),
    ("url", "https://shop example/"),
    ("url", "https://shop.example/a b"),
    ("url", "https://shop.example/\r\nX-Header: 1"),
    ("url", "https://shop.example/\u0000"),
    ("url", "https://[::1/"),
    ("url", "https://a..b/"),
    ("url", f"https://{'a' * 64}.example/"),
    ("url", "https://shop.example/" + "a" * 2000),
    ("events", None),
    ("events", []),
    ("events", "*"),
    ("events", {"points.earned": True}),
    ("events", [None]),
    ("events", [["points.earned"]]),
    ("events", [1]),
    ("events", ["points.eaten"]),
    ("events", ["webhook.test"]),
    ("events", ["points.earned", "points.earned"]),
    ("events", ["*", "points.earned"]),
    ("events", ["points.earned\u0000"]),
    ("events", ["points.earned"] * 50_000),
    ("events", ["x" * 500_000]),
    ("description", "x" * 256),
    ("description", 7),
    ("description", "\u0000"),
    ("body_signature", "yes"),
    ("body_signature", 1),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_refuses_what_makes_no_sense(shop: Client, name: str, value: Any) -> None:
    # What cannot be stored is refused as it is parsed.
    param = None if "\\u0000" in ascii(value) or "\\x00" in ascii(value) else name
    answer = make(shop, **{name: value})
    assert answer.status_code == 400, answer.content
    if param is not None:
        refused(answer, 400, "parameter_invalid", param)
    assert count(shop.program) == 0
    endpoint = made(shop)
    endpoint.pop("secret")
    answer = shop.patch(f"webhook-endpoints/{endpoint['id']}", {name: value})
    if value is None and name == "description":
        return
    assert answer.status_code == 400, answer.content
    assert done(shop.get(f"webhook-endpoints/{endpoint['id']}")) == endpoint


@pytest.mark.parametrize("name", ["url", "events"])
def test_refuses_what_is_missing(shop: Client, name: str) -> None:
    body = {"url": URL, "events": ["*"]}
    body.pop(name)
    refused(shop.post("webhook-endpoints", body), 400, "parameter_missing", name)


@pytest.mark.parametrize("body", [None, [], "x", 7, [{"url": URL}]])
def test_refuses_what_is_no_object(shop: Client, body: Any) -> None:
    assert shop.post("webhook-endpoints", body).status_code == 400
    endpoint = made(shop)
    if body is not None:
        assert shop.patch(f"webhook-endpoints/{endpoint['id']}", body).status_code == 400


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example",
        "https://shop.example:8443/hook?token=a%20b#part",
        "http://127.0.0.1:8000/",
        "http://[::1]:8000/",
        "https://žalia.example/kelias/ž",
        "HTTPS://Shop.Example/",
    ],
)
def test_takes_addresses(shop: Client, url: str) -> None:
    assert made(shop, url=url)["url"] == url


def test_changes_what_is_said(shop: Client) -> None:
    endpoint = made(shop, description="Web shop")
    endpoint.pop("secret")
    change = {"url": "http://shop.example/other", "events": ["tier.none"]}
    refused(shop.patch(f"webhook-endpoints/{endpoint['id']}", change), 400, "parameter_invalid", "events")
    change = {"url": "http://shop.example/other", "events": ["points.earned"], "description": None}
    told = done(shop.patch(f"webhook-endpoints/{endpoint['id']}", change))
    assert told == endpoint | change
    assert done(shop.patch(f"webhook-endpoints/{endpoint['id']}", {"body_signature": True})) == told | {
        "body_signature": True
    }
    refused(shop.patch(f"webhook-endpoints/{endpoint['id']}", {"active": "no"}), 400, "parameter_invalid", "active")
    refused(shop.patch(f"webhook-endpoints/{endpoint['id']}", {"active": None}), 400, "parameter_invalid", "active")


def test_is_gone_when_it_is_deleted(shop: Client) -> None:
    endpoint = made(shop)
    path = f"webhook-endpoints/{endpoint['id']}"
    done(shop.delete(path), 204)
    for answer in (
        shop.get(path),
        shop.patch(path, {"active": True}),
        shop.delete(path),
        shop.post(f"{path}/rotate-secret"),
        shop.post(f"{path}/test"),
        shop.get(f"{path}/deliveries"),
    ):
        refused(answer, 404, "webhook_endpoint_not_found")
    assert done(shop.get("webhook-endpoints"))["data"] == []
    row = WebhookEndpoint.objects.get(program=shop.program)
    assert (row.sealed_secret, row.sealed_previous_secret) == ("", None)


def test_makes_a_programme_listen_and_no_longer(shop: Client, alice: Any) -> None:
    def told() -> int:
        body = {"customer_id": ids.public("cus", alice.pk), "points": 1, "reason": "Purchase"}
        done(shop.post("points/award", body), 201)
        return Event.objects.filter(program=shop.program).count()

    assert told() == 0
    endpoint = made(shop)
    assert told() == 1
    done(shop.delete(f"webhook-endpoints/{endpoint['id']}"), 204)
    assert told() == 1


def test_makes_twenty_at_most(shop: Client) -> None:
    for _ in range(18):
        made(shop)
    answers = at_once(*times(4, lambda: make(shop).status_code))
    assert sorted(answers) == [201, 201, 409, 409]
    refused(make(shop), 409, "too_many_webhook_endpoints")
    assert count(shop.program) == 20
    listed = done(shop.get("webhook-endpoints"))["data"]
    assert len(listed) == 20
    done(shop.delete(f"webhook-endpoints/{listed[0]['id']}"), 204)
    made(shop)


def test_makes_one_under_one_key(shop: Client) -> None:
    first, second = make(shop, key="once"), make(shop, key="once")
    assert (first.content, second.headers["Idempotent-Replayed"]) == (second.content, "true")
    refused(make(shop, key="once", events=["points.earned"]), 422, "idempotency_key_reused")
    assert count(shop.program) == 1
    path = f"webhook-endpoints/{first.json()['id']}/rotate-secret"
    first, second = shop.post(path, key="turn"), shop.post(path, key="turn")
    assert (first.content, second.headers["Idempotent-Replayed"]) == (second.content, "true")


def test_belongs_to_its_programme(shop: Client, stranger: Client) -> None:
    endpoint = made(shop)
    path = f"webhook-endpoints/{endpoint['id']}"
    for answer in (
        stranger.get(path),
        stranger.patch(path, {"url": "https://elsewhere.example/"}),
        stranger.delete(path),
        stranger.post(f"{path}/rotate-secret"),
        stranger.post(f"{path}/test"),
        stranger.get(f"{path}/deliveries"),
        stranger.get(f"{path}/deliveries/dlv_{'0' * 32}"),
        stranger.post(f"{path}/deliveries/dlv_{'0' * 32}/redeliver"),
    ):
        refused(answer, 404, "webhook_endpoint_not_found")
    assert done(stranger.get("webhook-endpoints"))["data"] == []
    endpoint.pop("secret")
    assert done(shop.get(path)) == endpoint


@pytest.mark.parametrize("name", ["whk_1", "x", "whk_" + "g" * 32, "cus_" + "0" * 32, "%00", "whk_" + "0" * 32])
def test_does_not_know_what_is_no_id(shop: Client, name: str) -> None:
    refused(shop.get(f"webhook-endpoints/{name}"), 404, "webhook_endpoint_not_found")


def test_needs_the_scope(program: Program) -> None:
    lesser = Client(program, scopes=[scope for scope in Scope.values if scope != Scope.WEBHOOKS_MANAGE])
    path = f"webhook-endpoints/whk_{'0' * 32}"
    for answer in (
        make(lesser),
        lesser.get("webhook-endpoints"),
        lesser.get(path),
        lesser.patch(path, {}),
        lesser.delete(path),
        lesser.post(f"{path}/rotate-secret"),
        lesser.post(f"{path}/test"),
        lesser.get(f"{path}/deliveries"),
        lesser.get(f"{path}/deliveries/dlv_{'0' * 32}"),
        lesser.post(f"{path}/deliveries/dlv_{'0' * 32}/redeliver"),
    ):
        assert refused(answer, 403, "forbidden")["required_permissions"] == ["webhooks:manage"]


def test_is_not_deleted_by_a_path_below_it(shop: Client, program: Program) -> None:
    endpoint = done(shop.post("webhook-endpoints", {"url": "https://shop.example/events", "events": ["*"]}), 201)
    reader = Client(program, scopes=[Scope.LOYALTY_READ])
    path = f"webhook-endpoints/{endpoint['id']}"
    for below in ("webhook-endpoints", f"{path}/test", f"{path}/rotate-secret", f"{path}/deliveries"):
        for client in (reader, shop):
            refused(client.delete(below), 405, "method_not_allowed")
    refused(reader.delete(path), 403, "forbidden")
    assert done(shop.get(path))["id"] == endpoint["id"]


def test_shows_no_secret_of_one_that_was_deleted(shop: Client) -> None:
    body = {"url": "https://shop.example/events", "events": ["*"]}
    endpoint = done(shop.post("webhook-endpoints", body, key="hook-1"), 201)
    assert done(shop.post("webhook-endpoints", body, key="hook-1"), 201) == endpoint
    done(shop.delete(f"webhook-endpoints/{endpoint['id']}"), 204)
    refused(shop.post("webhook-endpoints", body, key="hook-1"), 410, "erased")
