"""What tests of webhooks do."""

from typing import Any

from cards.models import Customer
from events import courier, tasks
from events.models import WebhookEndpoint
from loyalty import ids
from tests.api.v1.client import Client, done

PATIENCE = 60


def hook(shop: Client, url: str, **said: Any) -> dict[str, Any]:
    """This will make an endpoint that is sent all events, or what is said of it."""
    return done(shop.post("webhook-endpoints", {"url": url, "events": ["*"]} | said), 201)


def award(shop: Client, customer: Customer, points: int = 100) -> dict[str, Any]:
    body = {"customer_id": ids.public("cus", customer.pk), "points": points, "reason": "Purchase"}
    return done(shop.post("points/award", body), 201)


def deliver() -> None:
    """This will send what is there to be sent."""
    courier.deliver(writers=tasks.WRITERS, seconds=PATIENCE, until_idle=True)


def deliver_for(seconds: float) -> None:
    """This will send for so long, whatever is there to be sent."""
    courier.deliver(writers=tasks.WRITERS, seconds=seconds)


def deliveries(shop: Client, endpoint: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    """This will answer an endpoint's deliveries, the newest first."""
    return done(shop.get(f"webhook-endpoints/{endpoint['id']}/deliveries", **query))["data"]


def row(endpoint: dict[str, Any]) -> WebhookEndpoint:
    key = ids.parse("whk", endpoint["id"])
    assert key is not None
    return WebhookEndpoint.objects.get(pk=key)
