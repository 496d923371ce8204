"""What was sent, what became of it, and sending it again."""

import datetime
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from cards.models import Customer
from events import deliveries as verbs
from events.models import Delivery, Event
from loyalty import ids
from tests.api.v1.client import Client, done, refused
from tests.events.hooks import award, deliver, deliveries, hook
from tests.events.receivers import Receiver, receiving
from tests.factories import CustomerFactory


@pytest.fixture
def statuses() -> list[int]:
    """What the receiver answers."""
    return [200]


@pytest.fixture
def receiver(statuses: list[int]) -> Any:
    with receiving(lambda *_: statuses[0]) as receiver:
        yield receiver


def again(shop: Client, endpoint: dict[str, Any], delivery: dict[str, Any], key: str | None = None) -> Any:
    return shop.post(f"webhook-endpoints/{endpoint['id']}/deliveries/{delivery['id']}/redeliver", key=key)


def test_tells_what_arrived(shop: Client, alice: Customer, receiver: Receiver) -> None:
    endpoint = hook(shop, receiver.url)
    award(shop, alice)
    deliver()
    [event] = done(shop.get("events"))["data"]
    [told] = deliveries(shop, endpoint)
    row = Delivery.objects.get(endpoint_id=ids.parse("whk", endpoint["id"]))
    assert told == {
        "id": ids.public("dlv", row.pk),
        "object": "webhook_delivery",
        "endpoint_id": endpoint["id"],
        "event_id": event["id"],
        "event_type": "points.earned",
        "customer_id": ids.public("cus", alice.pk),
        "status": "delivered",
        "attempts": 1,
        "next_attempt_at": None,
        "attempted_at": told["attempted_at"],
        "delivered_at": told["attempted_at"],
        "response_status": 200,
        "response_body": "ok",
        "duration_ms": told["duration_ms"],
        "error": None,
        "created_at": told["created_at"],
    }
    assert done(shop.get(f"webhook-endpoints/{endpoint['id']}/deliveries/{told['id']}")) == told


def test_lists_the_newest_first_in_pages(shop: Client, alice: Customer, receiver: Receiver) -> None:
    endpoint = hook(shop, receiver.url, events=["points.earned"])
    for _ in range(7):
        award(shop, alice)
    deliver()
    every = deliveries(shop, endpoint)
    path = f"webhook-endpoints/{endpoint['id']}/deliveries"
    order = {event["id"]: event["sequence"] for event in done(shop.get("events"))["data"]}
    assert [order[one["event_id"]] for one in every] == [7, 6, 5, 4, 3, 2, 1]
    page = done(shop.get(path, limit=3))
    assert (page["data"], page["has_more"]) == (every[:3], True)
    page = done(shop.get(path, limit=3, starting_after=every[2]["id"]))
    assert (page["data"], page["has_more"]) == (every[3:6], True)
    page = done(shop.get(path, limit=3, starting_after=every[5]["id"]))
    assert (page["data"], page["has_more"]) == (every[6:], False)
    page = done(shop.get(path, limit=3, ending_before=every[5]["id"]))
    assert (page["data"], page["has_more"]) == (every[2:5], True)
    refused(shop.get(path, starting_after="dlv_1"), 400, "parameter_invalid", "starting_after")
    refused(shop.get(path, status="lost"), 400, "parameter_invalid", "status")


def test_lists_those_of_a_status(
    shop: Client, alice: Customer, bob: Customer, receiver: Receiver, statuses: list[int]
) -> None:
    endpoint = hook(shop, receiver.url)
    award(shop, alice)
    deliver()
    statuses[0] = 500
    award(shop, bob)
    award(shop, bob)
    deliver()
    told = {status: deliveries(shop, endpoint, status=status) for status in ("delivered", "failed", "pending")}
    assert {status: [one["status"] for one in rows] for status, rows in told.items()} == {
        "delivered": ["delivered"],
        "failed": ["failed"],
        "pending": ["pending"],
    }
    assert (told["failed"][0]["error"], told["pending"][0]["error"]) == ("status", None)
    assert told["failed"][0]["next_attempt_at"] == told["pending"][0]["next_attempt_at"]


def test_sends_again_what_arrived(shop: Client, alice: Customer, receiver: Receiver) -> None:
    endpoint = hook(shop, receiver.url)
    award(shop, alice)
    deliver()
    [delivery] = deliveries(shop, endpoint)
    told = done(again(shop, endpoint, delivery))
    assert (told["id"], told["status"], told["attempts"]) == (delivery["id"], "pending", 1)
    deliver()
    assert [seen.id for seen in receiver.seen] == [delivery["event_id"]] * 2
    assert receiver.seen[0].body == receiver.seen[1].body
    [told] = deliveries(shop, endpoint)
    assert (told["status"], told["attempts"]) == ("delivered", 2)
    # Nobody has to wait for it.
    deliver()
    assert len(receiver.seen) == 2


def test_holds_nobody_back_by_what_is_sent_again(
    shop: Client, alice: Customer, receiver: Receiver, statuses: list[int]
) -> None:
    endpoint = hook(shop, receiver.url)
    award(shop, alice)
    deliver()
    [delivery] = deliveries(shop, endpoint)
    statuses[0] = 500
    done(again(shop, endpoint, delivery))
    deliver()
    statuses[0] = 200
    award(shop, alice)
    deliver()
    assert [seen.told["sequence"] for seen in receiver.seen] == [1, 1, 2]
    assert [one["status"] for one in deliveries(shop, endpoint)] == ["delivered", "failed"]


def test_tries_now_what_waits_and_then_what_waits_for_it(
    shop: Client, alice: Customer, receiver: Receiver, statuses: list[int]
) -> None:
    endpoint = hook(shop, receiver.url)
    statuses[0] = 500
    award(shop, alice)
    award(shop, alice)
    deliver()
    second, first = deliveries(shop, endpoint)
    statuses[0] = 200
    # Whichever is asked for, they come in their order.
    done(again(shop, endpoint, second))
    deliver()
    assert [seen.told["sequence"] for seen in receiver.seen] == [1, 1, 2]
    assert first["attempts"] == 1


def test_sends_again_once_under_one_key(shop: Client, alice: Customer, receiver: Receiver) -> None:
    endpoint = hook(shop, receiver.url)
    award(shop, alice)
    deliver()
    [delivery] = deliveries(shop, endpoint)
    first = again(shop, endpoint, delivery, key="once")
    deliver()
    second = again(shop, endpoint, delivery, key="once")
    deliver()
    assert (first.content, second.headers["Idempotent-Replayed"]) == (second.content, "true")
    assert len(receiver.seen) == 2


def test_does_not_send_again_what_is_kept_no_more(shop: Client, alice: Customer, receiver: Receiver) -> None:
    endpoint = hook(shop, receiver.url)
    award(shop, alice)
    deliver()
    [delivery] = deliveries(shop, endpoint)
    Event.objects.filter(account_id__isnull=False, program=shop.program).delete()
    refused(again(shop, endpoint, delivery), 404, "delivery_not_found")


def test_passes_by_what_is_kept_no_more(shop: Client, alice: Customer, receiver: Receiver, statuses: list[int]) -> None:
    endpoint = hook(shop, receiver.url)
    statuses[0] = 500
    award(shop, alice)
    deliver()
    Event.objects.filter(account_id__isnull=False, program=shop.program).delete()
    statuses[0] = 200
    award(shop, alice)
    with time_machine.travel(timezone.now() + datetime.timedelta(minutes=1)):
        deliver()
    assert [one["status"] for one in deliveries(shop, endpoint)] == ["delivered"]
    assert [seen.told["sequence"] for seen in receiver.seen] == [1, 2]


def test_sends_a_test(shop: Client, receiver: Receiver) -> None:
    endpoint = hook(shop, receiver.url, events=["card.blocked"])
    told = done(shop.post(f"webhook-endpoints/{endpoint['id']}/test"), 201)
    assert (told["event_type"], told["status"], told["customer_id"]) == ("webhook.test", "pending", None)
    deliver()
    [seen] = receiver.seen
    assert seen.told == {
        "id": told["event_id"],
        "object": "event",
        "type": "webhook.test",
        "created_at": told["created_at"],
        "sequence": None,
        "customer_id": None,
        "definition": None,
        "data": {"id": endpoint["id"], "object": "webhook_endpoint"},
    }
    assert seen.id == told["event_id"]
    assert done(shop.get("events"))["data"] == []
    refused(shop.get(f"events/{told['event_id']}"), 404, "event_not_found")
    assert deliveries(shop, endpoint)[0]["status"] == "delivered"


def test_sends_a_test_once(shop: Client, receiver: Receiver, statuses: list[int]) -> None:
    endpoint = hook(shop, receiver.url)
    statuses[0] = 503
    done(shop.post(f"webhook-endpoints/{endpoint['id']}/test"), 201)
    deliver()
    with time_machine.travel(timezone.now() + datetime.timedelta(days=4)):
        deliver()
        [told] = deliveries(shop, endpoint)
        assert (told["status"], told["next_attempt_at"], told["response_status"]) == ("failed", None, 503)
        statuses[0] = 200
        done(again(shop, endpoint, told))
        deliver()
    assert len(receiver.seen) == 2
    assert deliveries(shop, endpoint)[0]["status"] == "delivered"


def test_sends_a_test_now_where_the_endpoint_is_down(shop: Client, receiver: Receiver, statuses: list[int]) -> None:
    endpoint = hook(shop, receiver.url, events=["points.earned"])
    statuses[0] = 500
    for _ in range(8):
        award(shop, CustomerFactory(program=shop.program))
    deliver()
    statuses[0] = 200
    came = len(receiver.seen)
    told = done(shop.post(f"webhook-endpoints/{endpoint['id']}/test"), 201)
    deliver()
    # It works again: so the rest is sent, too.
    assert receiver.seen[came].id == told["event_id"]
    assert len(receiver.seen) == came + 1 + 8


def test_belongs_to_its_endpoint(shop: Client, stranger: Client, alice: Customer, receiver: Receiver) -> None:
    endpoint, other = hook(shop, receiver.url), hook(shop, receiver.url, events=["card.blocked"])
    theirs = hook(stranger, receiver.url)
    award(shop, alice)
    deliver()
    [delivery] = deliveries(shop, endpoint)
    for owner, wrong in ((shop, other), (stranger, theirs)):
        assert deliveries(owner, wrong) == []
        path = f"webhook-endpoints/{wrong['id']}/deliveries"
        refused(owner.get(f"{path}/{delivery['id']}"), 404, "delivery_not_found")
        refused(again(owner, wrong, delivery), 404, "delivery_not_found")
        refused(owner.get(path, starting_after=delivery["id"]), 400, "parameter_invalid", "starting_after")
    for name in ("dlv_1", "x", "%00", f"evt_{'0' * 32}"):
        refused(shop.get(f"webhook-endpoints/{endpoint['id']}/deliveries/{name}"), 404, "delivery_not_found")


def test_forgets_what_was_answered_of_an_erased_customer(shop: Client, alice: Customer, receiver: Receiver) -> None:
    endpoint = hook(shop, receiver.url)
    award(shop, alice)
    deliver()
    done(shop.delete(f"customers/{ids.public('cus', alice.pk)}"), 204)
    assert {one["response_body"] for one in deliveries(shop, endpoint)} == {""}
    deliver()
    assert b"Alice" not in receiver.seen[-1].body


def test_is_kept_for_so_long(shop: Client, alice: Customer, receiver: Receiver, statuses: list[int]) -> None:
    endpoint = hook(shop, receiver.url)
    award(shop, alice)
    deliver()
    statuses[0] = 500
    award(shop, alice)
    deliver()
    done(shop.post(f"webhook-endpoints/{endpoint['id']}/test"), 201)
    deliver()
    now = timezone.now()
    verbs.purge(before=now - datetime.timedelta(days=1))
    assert len(deliveries(shop, endpoint)) == 3
    # What still waits is kept, as long as there is somebody to send it to.
    verbs.purge(before=now)
    assert [one["attempts"] for one in deliveries(shop, endpoint)] == [1]
    assert deliveries(shop, endpoint)[0]["status"] == "failed"
    done(shop.delete(f"webhook-endpoints/{endpoint['id']}"), 204)
    verbs.purge(before=now)
    assert not Delivery.objects.filter(endpoint_id=ids.parse("whk", endpoint["id"])).exists()
