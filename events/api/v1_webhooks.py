"""The customers face's operations on webhook endpoints, and what is posted to those."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiCallback, OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request

from events import deliveries, endpoints, sealing
from events.api import v1_webhooks_shapes as shapes
from events.api.v1 import written
from events.models import TEST, Delivery, Event, WebhookEndpoint
from loyalty import errors, idempotency, ids
from loyalty.api import renderers, v1
from loyalty.models import Program, Scope
from loyalty.permissions import caller

_EXAMPLE = {"url": "https://shop.example/loyalty-events", "events": ["points.earned", "points.redeemed"]}
# OpenAPI 3.0 has no other place for what the service sends.
_CALLBACK = OpenApiCallback(
    "event",
    "{$request.body#/url}",
    extend_schema(
        summary="An event",
        description="What is posted to the endpoint, with the headers `webhook-id`, `webhook-timestamp` and "
        "`webhook-signature` of the Standard Webhooks specification: verify them with one of its libraries. Answer 2xx "
        "within ten seconds; anything else is tried again. An event may come twice: its `webhook-id` is its `id`.",
        request=shapes.WebhookEvent,
        responses={200: OpenApiResponse(description="It was taken.")},
    ),
)
_NO_ENDPOINT = (endpoints.WebhookEndpointNotFound,)


class WebhookEndpointsViewSet(v1.V1ViewSet):
    """Makes, tells, changes and deletes webhook endpoints, and tells what was sent to them."""

    scopes = dict.fromkeys(
        ("create", "list", "retrieve", "update", "remove", "rotate", "test", "deliveries", "delivery", "redeliver"),
        Scope.WEBHOOKS_MANAGE,
    )
    refusals = {
        "create": (endpoints.TooManyWebhookEndpoints, errors.IdempotencyKeyReused),
        "retrieve": _NO_ENDPOINT,
        "update": _NO_ENDPOINT,
        "remove": _NO_ENDPOINT,
        "rotate": (*_NO_ENDPOINT, errors.IdempotencyKeyReused),
        "test": (*_NO_ENDPOINT, endpoints.WebhookEndpointPaused, errors.IdempotencyKeyReused),
        "deliveries": (*_NO_ENDPOINT, errors.InvalidParameters),
        "delivery": (*_NO_ENDPOINT, deliveries.DeliveryNotFound),
        "redeliver": (
            *_NO_ENDPOINT,
            deliveries.DeliveryNotFound,
            endpoints.WebhookEndpointPaused,
            errors.IdempotencyKeyReused,
        ),
    }

    @extend_schema(
        summary="Make a webhook endpoint",
        tags=v1.WEBHOOKS,
        request=shapes.EndpointInput,
        responses={201: shapes.NewWebhookEndpoint},
        callbacks=[_CALLBACK],
        examples=[
            OpenApiExample("What happens to points", value=_EXAMPLE, request_only=True),
            OpenApiExample("Everything", value=_EXAMPLE | {"events": [endpoints.ALL]}, request_only=True),
        ],
    )
    def create(self, request: Request) -> HttpResponse:
        """Makes an endpoint that is sent what happens from now on, and answers its secret, which is not shown again. A
        programme has at most 20."""
        body = shapes.EndpointInput.read(request.data)
        program = caller(request).program

        def work() -> idempotency.Answer:
            endpoint = endpoints.create(
                program=program,
                url=body["url"],
                event_types=body["events"],
                description=body["description"] or "",
                signs_body=body["body_signature"] or False,
            )
            return v1.answer(_told(endpoint) | {"secret": endpoint.sealed_secret}, 201)

        return _once(request, work)

    @extend_schema(summary="Webhook endpoints", tags=v1.WEBHOOKS, responses={200: v1.list_of(shapes.WebhookEndpoint)})
    def list(self, request: Request) -> HttpResponse:
        """Lists all of the programme's webhook endpoints, the newest first."""
        found = endpoints.of_program(program=caller(request).program)
        return v1.respond_with_list([_told(endpoint) for endpoint in found], has_more=False)

    @extend_schema(summary="Webhook endpoint", tags=v1.WEBHOOKS, responses={200: shapes.WebhookEndpoint})
    def retrieve(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Tells a webhook endpoint."""
        return v1.respond(_told(_find(request, endpoint_id)))

    @extend_schema(
        summary="Change a webhook endpoint",
        tags=v1.WEBHOOKS,
        request=shapes.EndpointChange,
        responses={200: shapes.WebhookEndpoint},
        examples=[OpenApiExample("Go on where it stopped", value={"active": True}, request_only=True)],
    )
    def update(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Changes what is sent of a webhook endpoint, pauses it, or goes on where it stopped. Other types of events are
        sent from the next event on that has not come to its turn."""
        said = shapes.EndpointChange.read(request.data)
        is_active = said.pop("active", None)
        if said.get("description", "") is None:
            said["description"] = ""
        endpoint = endpoints.change(
            program=caller(request).program,
            endpoint_id=ids.parse("whk", endpoint_id),
            is_active=is_active,
            at=timezone.now(),
            **{_NAMES.get(name, name): value for name, value in said.items()},
        )
        return v1.respond(_told(endpoint))

    @extend_schema(summary="Delete a webhook endpoint", tags=v1.WEBHOOKS, responses={204: None})
    def remove(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Deletes a webhook endpoint: nothing is sent to it any more, and its deliveries are no longer told."""
        endpoints.delete(program=caller(request).program, endpoint_id=ids.parse("whk", endpoint_id), at=timezone.now())
        return HttpResponse(status=204)

    @extend_schema(
        summary="Rotate the secret", tags=v1.WEBHOOKS, request=None, responses={200: shapes.NewWebhookEndpoint}
    )
    def rotate(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Gives a webhook endpoint another secret, and answers it. For 24 hours events are signed with both; a secret
        that was former already signs no more."""

        def work() -> idempotency.Answer:
            endpoint = endpoints.rotate_secret(
                program=caller(request).program, endpoint_id=ids.parse("whk", endpoint_id), at=timezone.now()
            )
            return v1.answer(_told(endpoint) | {"secret": endpoint.sealed_secret})

        return _once(request, work)

    @extend_schema(summary="Send a test", tags=v1.WEBHOOKS, request=None, responses={201: shapes.WebhookDelivery})
    def test(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Sends a webhook endpoint an event of the type `webhook.test`, once, whichever types it is sent. What came of
        it is told by its delivery, a moment later."""

        def work() -> idempotency.Answer:
            delivery = deliveries.send_test(
                program=caller(request).program, endpoint_id=ids.parse("whk", endpoint_id), at=timezone.now()
            )
            return v1.answer(_delivery(delivery), 201)

        return v1.once(request, work)

    @extend_schema(
        summary="Deliveries",
        tags=v1.WEBHOOKS,
        parameters=[shapes.DeliveriesQuery],
        responses={200: v1.list_of(shapes.WebhookDelivery)},
    )
    def deliveries(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Lists what was or is to be sent to a webhook endpoint, the newest first, for 30 days. While it takes nothing,
        events wait where they are, and become deliveries when their turn comes."""
        query = shapes.DeliveriesQuery.read(request.query_params.dict())
        endpoint = _find(request, endpoint_id)
        page = v1.read_page(
            deliveries.of_endpoint(endpoint=endpoint, state=query["status"]),
            query,
            find=lambda reference: _of_list(endpoint, reference),
            after=deliveries.after,
            before=deliveries.before,
        )
        return v1.respond_with_list([_delivery(row) for row in page.rows], has_more=page.has_more)

    @extend_schema(summary="Delivery", tags=v1.WEBHOOKS, responses={200: shapes.WebhookDelivery})
    def delivery(self, request: Request, endpoint_id: str, delivery_id: str) -> HttpResponse:
        """Tells a delivery."""
        endpoint = _find(request, endpoint_id)
        return v1.respond(_delivery(deliveries.find(endpoint=endpoint, delivery_id=ids.parse("dlv", delivery_id))))

    @extend_schema(summary="Send again", tags=v1.WEBHOOKS, request=None, responses={200: shapes.WebhookDelivery})
    def redeliver(self, request: Request, endpoint_id: str, delivery_id: str) -> HttpResponse:
        """Sends an event once more under the same `webhook-id`, also one that arrived. What waits for another attempt
        is tried now."""

        def work() -> idempotency.Answer:
            delivery = deliveries.redeliver(
                program=caller(request).program,
                endpoint_id=ids.parse("whk", endpoint_id),
                delivery_id=ids.parse("dlv", delivery_id),
                at=timezone.now(),
            )
            return v1.answer(_delivery(delivery))

        return v1.once(request, work)


def bodies(events: Sequence[Event], program: Program) -> list[bytes]:
    """This will write events of the programme as they are posted to webhooks."""
    return [renderers.dumps(event) for event in written(events, program)]


def test_body(endpoint: WebhookEndpoint, delivery: Delivery) -> bytes:
    """This will write the event that tests an endpoint."""
    told = {
        "id": ids.public("evt", delivery.event_id),
        "object": "event",
        "type": TEST,
        "created_at": delivery.created_at,
        "sequence": None,
        "customer_id": None,
        "definition": None,
        "data": shapes.TestSubject.write(endpoint),
    }
    return renderers.dumps(told)


_NAMES = {"events": "event_types", "body_signature": "signs_body"}


_FORGOTTEN = "The endpoint was deleted since, or its secret cannot be read any more."


def _once(request: Request, work: Any) -> HttpResponse:
    """This will do the work once: what is kept under the caller's key has the secret sealed, what goes out does not.

    Raises:
        errors.Erased: the endpoint was deleted since, or its secret cannot be read any more.
    """
    answer = idempotency.answer_once(owner_id=caller(request).program.pk, key=v1.key_of(request), work=work)
    told = orjson.loads(answer.body)
    try:
        _find(request, told["id"])
        told["secret"] = sealing.unseal(told["secret"])
    except (endpoints.WebhookEndpointNotFound, sealing.Unreadable) as failure:
        raise errors.Erased(_FORGOTTEN) from failure
    return v1.send(dataclasses.replace(answer, body=renderers.dumps(told)))


def _find(request: Request, reference: str) -> WebhookEndpoint:
    return endpoints.find(program=caller(request).program, endpoint_id=ids.parse("whk", reference))


def _of_list(endpoint: WebhookEndpoint, reference: str) -> Delivery | None:
    key = ids.parse("dlv", reference)
    return endpoint.deliveries.filter(pk=key).first() if key else None


def _told(endpoint: WebhookEndpoint) -> dict[str, Any]:
    until = endpoint.previous_secret_until
    reason = None
    if endpoint.paused_at is not None:
        reason = "failing" if endpoint.gave_up else "asked"
    return shapes.WebhookEndpoint.write(
        endpoint,
        description=endpoint.description or None,
        active=endpoint.paused_at is None,
        paused_reason=reason,
        previous_secret_expires_at=until if until is not None and until > timezone.now() else None,
    )


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return shapes.WebhookDelivery.write(delivery, status=deliveries.state_of(delivery), error=delivery.fault or None)
