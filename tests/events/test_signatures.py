"""What is posted is signed, so that a receiver knows who posted it."""

import datetime
import hashlib
import hmac
import json
import subprocess
from pathlib import Path
from typing import Any

import time_machine
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from cards.models import Customer
from tests.api.v1.client import Client, done, refused
from tests.clients.node import NODE, needs_node
from tests.events.hooks import award, deliver, deliveries, hook
from tests.events.receivers import Seen, receiving

ANOTHER = "whsec_" + "A" * 43 + "="


def verifies(secret: str, seen: Seen) -> bool:
    try:
        Webhook(secret).verify(seen.body, dict(seen.headers))
    except WebhookVerificationError:
        return False
    return True


def rotated(shop: Client, endpoint: dict[str, Any]) -> dict[str, Any]:
    return done(shop.post(f"webhook-endpoints/{endpoint['id']}/rotate-secret"))


def test_verifies_with_the_specifications_library(shop: Client, alice: Customer) -> None:
    with receiving() as receiver:
        endpoint = hook(shop, receiver.url)
        award(shop, alice)
        deliver()
    [seen] = receiver.seen
    told = Webhook(endpoint["secret"]).verify(seen.body, dict(seen.headers))
    [event] = done(shop.get("events"))["data"]
    assert told == event
    assert seen.headers["webhook-id"] == event["id"]
    assert abs(int(seen.headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60
    assert (seen.path, seen.headers["content-type"]) == ("/hook", "application/json")
    assert "x-loyalty-signature" not in seen.headers
    assert not verifies(ANOTHER, seen)


def in_node(folder: Path, secret: str, seen: Seen) -> dict[str, Any]:
    told = json.dumps({"secret": secret, "headers": dict(seen.headers), "body": seen.body.decode()})
    command = [NODE, "verify.mjs"]
    verified = subprocess.run(command, cwd=folder, input=told, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(verified.stdout)


@needs_node
def test_verifies_in_node(shop: Client, alice: Customer, node_folder: Path) -> None:
    with receiving() as receiver:
        endpoint = hook(shop, receiver.url)
        # Also what is no ASCII.
        done(shop.patch(f"customers/cus_{alice.pk.hex}", {"name": "Žaneta 🌞"}))
        award(shop, alice)
        deliver()
    assert len(receiver.seen) == 2
    for seen in receiver.seen:
        assert in_node(node_folder, endpoint["secret"], seen) == {"event": seen.told}
        assert in_node(node_folder, ANOTHER, seen) == {"refused": "No matching signature found"}


def test_is_signed_with_both_secrets_for_a_day(shop: Client, alice: Customer) -> None:
    start = timezone.now()
    with receiving() as receiver:
        endpoint = hook(shop, receiver.url)
        with time_machine.travel(start):
            new = rotated(shop, endpoint)
            award(shop, alice)
            deliver()
            [seen] = receiver.seen
            assert len(seen.headers["webhook-signature"].split(" ")) == 2
            assert verifies(endpoint["secret"], seen)
            assert verifies(new["secret"], seen)
            assert not verifies(ANOTHER, seen)
        until = datetime.datetime.fromisoformat(new["previous_secret_expires_at"])
        assert datetime.timedelta(hours=24) <= until - start < datetime.timedelta(hours=24, minutes=1)
        with time_machine.travel(until - datetime.timedelta(minutes=1)):
            award(shop, alice)
            deliver()
            assert verifies(endpoint["secret"], receiver.seen[1])
        with time_machine.travel(until):
            award(shop, alice)
            deliver()
            assert not verifies(endpoint["secret"], receiver.seen[2])
            assert verifies(new["secret"], receiver.seen[2])
            assert done(shop.get(f"webhook-endpoints/{endpoint['id']}"))["previous_secret_expires_at"] is None


def test_is_signed_with_no_more_than_two(shop: Client, alice: Customer) -> None:
    with receiving() as receiver:
        secrets = [hook(shop, receiver.url)]
        secrets += [rotated(shop, secrets[0]), rotated(shop, secrets[0])]
        award(shop, alice)
        deliver()
    assert [verifies(one["secret"], receiver.seen[0]) for one in secrets] == [False, True, True]


def test_signs_the_body_alone_where_that_is_asked_for(shop: Client, alice: Customer) -> None:
    with receiving() as receiver:
        endpoint = hook(shop, receiver.url, body_signature=True)
        award(shop, alice)
        deliver()
        new = rotated(shop, endpoint)
        award(shop, alice)
        deliver()
    for seen, secret in zip(receiver.seen, (endpoint["secret"], new["secret"]), strict=True):
        digest = hmac.new(secret.encode(), seen.body, hashlib.sha256).hexdigest()
        assert seen.headers["x-loyalty-signature"] == f"sha256={digest}"
        assert verifies(secret, seen)


def test_keeps_no_secret_that_can_be_read(shop: Client) -> None:
    with receiving() as receiver:
        answer = shop.post("webhook-endpoints", {"url": receiver.url, "events": ["*"]}, key="once")
        endpoint = done(answer, 201)
        again = shop.post("webhook-endpoints", {"url": receiver.url, "events": ["*"]}, key="once")
    assert again.content == answer.content
    assert again.headers["Idempotent-Replayed"] == "true"
    for table in ("events_webhookendpoint", "loyalty_idempotencyrecord"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{endpoint['secret'][6:]}%"])
            assert cursor.fetchone() == (0,)


def test_goes_on_with_a_former_key_and_says_so_without(shop: Client, alice: Customer, settings: Settings) -> None:
    with receiving() as receiver:
        endpoint = hook(shop, receiver.url)
        former, settings.SECRET_KEY = settings.SECRET_KEY, "another-key-of-the-service-0123456789-abcdefghijklmn"
        settings.SECRET_KEY_FALLBACKS = [former]
        award(shop, alice)
        deliver()
        assert verifies(endpoint["secret"], receiver.seen[0])
        settings.SECRET_KEY_FALLBACKS = []
        award(shop, alice)
        deliver()
        assert len(receiver.seen) == 1
        assert deliveries(shop, endpoint)[0]["error"] == "secret_unreadable"
        new = rotated(shop, endpoint)
        delivery = deliveries(shop, endpoint)[0]
        done(shop.post(f"webhook-endpoints/{endpoint['id']}/deliveries/{delivery['id']}/redeliver"))
        deliver()
        assert verifies(new["secret"], receiver.seen[1])


def test_answers_no_secret_whose_key_is_gone(shop: Client, settings: Settings) -> None:
    body = {"url": "https://shop.example/", "events": ["*"]}
    done(shop.post("webhook-endpoints", body, key="once"), 201)
    settings.SECRET_KEY = "another-key-of-the-service-0123456789-abcdefghijklmn"
    refused(shop.post("webhook-endpoints", body, key="once"), 410, "erased")
