"""Webhook endpoints as tests of the admin make them, and what is sent to those."""

from typing import Any

import time_machine

from events import endpoints
from events.models import Delivery, WebhookEndpoint
from loyalty.models import Program
from tests.events import hooks
from tests.points.till import NOON

HOST = "shop.example"
URL = f"https://{HOST}/events?token=a-word-of-the-shop"


def make(program: Program, url: str = URL, **said: Any) -> WebhookEndpoint:
    """This will make an endpoint that is sent all events, or what is said of it."""
    return endpoints.create(program=program, url=url, **{"event_types": ["*"]} | said)


def deliver() -> None:
    """This will send what is there to be sent."""
    # Nothing is sent by a clock that stands still.
    with time_machine.travel(NOON, tick=True):
        hooks.deliver()


def newest(endpoint: WebhookEndpoint) -> Delivery:
    return endpoint.deliveries.select_related("endpoint__program").latest("position")


def pause(endpoint: WebhookEndpoint, **facts: Any) -> None:
    """This will pause an endpoint, or have it given up."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**{"paused_at": NOON} | facts)
