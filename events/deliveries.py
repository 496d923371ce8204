"""Deliveries, as a shop and its staff see them: listing them, and sending one again."""

import datetime
import uuid

from django.db import connection, transaction
from django.db.models import QuerySet

from events import endpoints
from events.models import TEST, Delivery, Event, WebhookEndpoint
from loyalty import errors, ids
from loyalty.models import Program

BATCH = 10_000


class DeliveryNotFound(errors.NotFound):
    """The webhook endpoint has no such delivery, or its event is kept no more."""

    code = "DELIVERY_NOT_FOUND"
    message = "There is no such delivery."


def of_endpoint(*, endpoint: WebhookEndpoint, state: str | None = None) -> QuerySet[Delivery]:
    """This will answer an endpoint's deliveries, the newest first: those that are `delivered`, those whose last attempt
    `failed`, those that are `pending`, or all."""
    found = endpoint.deliveries.order_by("-position")
    if state is None:
        return found
    if state == "delivered":
        return found.filter(delivered_at__isnull=False)
    waiting = found.filter(delivered_at=None)
    return waiting.filter(retries=0) if state == "pending" else waiting.filter(retries__gt=0)


def state_of(delivery: Delivery) -> str:
    """This will answer how it is with a delivery."""
    if delivery.delivered_at is not None:
        return "delivered"
    return "failed" if delivery.retries else "pending"


def after(deliveries: QuerySet[Delivery], delivery: Delivery) -> QuerySet[Delivery]:
    """This will answer those deliveries of a list that come after one of them: the older ones."""
    return deliveries.filter(position__lt=delivery.position)


def before(deliveries: QuerySet[Delivery], delivery: Delivery) -> QuerySet[Delivery]:
    """This will answer those deliveries of a list that come before one of them, the nearest first."""
    return deliveries.filter(position__gt=delivery.position).reverse()


def find(*, endpoint: WebhookEndpoint, delivery_id: uuid.UUID | None) -> Delivery:
    """This will answer the endpoint's delivery of that id.

    Raises:
        DeliveryNotFound: there is none.
    """
    delivery = endpoint.deliveries.filter(pk=delivery_id).first() if delivery_id else None
    if delivery is None:
        raise DeliveryNotFound
    return delivery


def redeliver(
    *, program: Program, endpoint_id: uuid.UUID | None, delivery_id: uuid.UUID | None, at: datetime.datetime
) -> Delivery:
    """This will have a delivery attempted again now, also one that arrived; if it fails, it is tried as often as one
    that is new. One that arrived holds nothing of its customer back.

    Raises:
        endpoints.WebhookEndpointNotFound, endpoints.WebhookEndpointPaused.
        DeliveryNotFound: there is none, or its event is kept no more.
    """
    with transaction.atomic():
        endpoint = _running(program, endpoint_id)
        delivery = find(endpoint=endpoint, delivery_id=delivery_id)
        if not _is_kept(delivery):
            raise DeliveryNotFound
        if delivery.delivered_at is not None:
            delivery.lane = delivery.pk
        else:
            endpoint.deliveries.filter(lane=delivery.lane, delivered_at=None, next_attempt_at__gt=at).update(
                next_attempt_at=at
            )
        delivery.delivered_at = delivery.failing_since = None
        delivery.retries, delivery.next_attempt_at = 0, at
        delivery.save(update_fields=["lane", "delivered_at", "failing_since", "retries", "next_attempt_at"])
        _look_now(endpoint, at)
    return delivery


def send_test(*, program: Program, endpoint_id: uuid.UUID | None, at: datetime.datetime) -> Delivery:
    """This will have an endpoint sent an event that is in no log.

    Raises:
        endpoints.WebhookEndpointNotFound, endpoints.WebhookEndpointPaused.
    """
    with transaction.atomic():
        endpoint = _running(program, endpoint_id)
        endpoint.last_position += 1
        endpoint.save(update_fields=["last_position"])
        delivery = Delivery(
            endpoint=endpoint,
            position=endpoint.last_position,
            event_id=ids.new_id(),
            event_type=TEST,
            created_at=at,
            next_attempt_at=at,
        )
        delivery.lane = delivery.pk
        delivery.save(force_insert=True)
        _look_now(endpoint, at)
    return delivery


def purge(*, before: datetime.datetime) -> int:
    """This will delete the deliveries that were made before a moment, but those that still wait at an endpoint that is
    there, a batch in each statement, and answer how many it was."""
    purged = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM events_delivery WHERE id IN (SELECT d.id FROM events_delivery d"
                " JOIN events_webhookendpoint w ON w.id = d.endpoint_id WHERE d.created_at < %s"
                " AND (d.next_attempt_at IS NULL OR w.deleted_at IS NOT NULL) LIMIT %s)",
                [before, BATCH],
            )
            purged += cursor.rowcount
            if cursor.rowcount < BATCH:
                return purged


def _running(program: Program, endpoint_id: uuid.UUID | None) -> WebhookEndpoint:
    endpoint = endpoints.locked(program=program, endpoint_id=endpoint_id)
    if endpoint.paused_at is not None:
        raise endpoints.WebhookEndpointPaused
    return endpoint


def _is_kept(delivery: Delivery) -> bool:
    if delivery.account_id is None:
        return True
    return Event.objects.filter(account_id=delivery.account_id, pk=delivery.event_id).exists()


def _look_now(endpoint: WebhookEndpoint, at: datetime.datetime) -> None:
    # Somebody looks whether it works again: that need not wait for the next try of an endpoint that is down.
    if endpoint.probe_at is not None and endpoint.probe_at > at:
        endpoint.probe_at = at
        endpoint.save(update_fields=["probe_at"])
