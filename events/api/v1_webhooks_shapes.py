"""What the customers face's operations on webhook endpoints take and answer."""

from typing import Any

from events.api import v1_shapes
from events.endpoints import ALL, MOST_URL
from events.models import TEST, EventType, Fault
from loyalty.api import fields, serializers, v1, values
from loyalty.api.fields import optional

STATES = ("pending", "delivered", "failed")
_TYPES = {"type": "array", "items": {"type": "string", "enum": [ALL, *EventType.values]}, "example": ["points.earned"]}
_URL = "https://shop.example/loyalty-events"
_NULLABLE = {"nullable": True}
_SIGNS = (
    "Whether the header `X-Loyalty-Signature: sha256=…` is sent, too: the HMAC-SHA-256 of the body in hex, its key the "
    "newest secret as it is written."
)


def read_types(value: Any) -> list[str]:
    """This will read a list of words, as short as it can be; whether they are types of events the endpoint sees.

    Raises:
        values.Fault: it is none.
    """
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise values.Fault("Must be a list of types of events.", rule="type")
    if len(value) > len(EventType.values):
        raise values.Fault("More than there are types of events.", rule="max_length")
    return value


class Types(fields.ValueField):
    """Types of events."""

    def __init__(self, **options: Any) -> None:
        described = {**_TYPES, "minItems": 1, "maxItems": len(EventType.values), "uniqueItems": True}
        super().__init__(read_types, described, **options)


class EndpointChange(serializers.Input):
    """What of a webhook endpoint is to change; what is left out stays."""

    url = fields.Text(
        max_length=MOST_URL,
        required=False,
        example=_URL,
        help_text="Where events are posted: http or https, without a user name or password.",
    )
    events = Types(required=False, help_text=f'Which types of events it is sent; `["{ALL}"]`: all.')
    description = fields.Text(
        max_length=255, may_be_empty=True, required=False, allow_null=True, help_text="In the shop's own words."
    )
    body_signature = fields.Flag(required=False, help_text=_SIGNS)
    active = fields.Flag(
        required=False, help_text="False pauses it; true goes on where it stopped, also when it was given up."
    )


class EndpointInput(serializers.Input):
    """A webhook endpoint."""

    url = fields.Text(
        max_length=MOST_URL,
        example=_URL,
        help_text="Where events are posted: http or https, without a user name or password.",
    )
    events = Types(help_text=f'Which types of events it is sent; `["{ALL}"]`: all.')
    description = fields.Text(max_length=255, may_be_empty=True, **optional(help_text="In the shop's own words."))
    body_signature = fields.Flag(**optional(help_text=_SIGNS))


class WebhookEndpoint(serializers.Output):
    """An address that events are posted to."""

    id = fields.PublicId("whk")
    object = v1.Kind("webhook_endpoint")
    url = fields.Words(schema={"example": _URL}, help_text="Where events are posted.")
    events = fields.Written(source="event_types", schema=_TYPES, help_text=f"Which types of events; `{ALL}`: all.")
    description = fields.Words(
        allow_null=True, schema=_NULLABLE | {"example": "Web shop"}, help_text="In the shop's own words; null: none."
    )
    body_signature = fields.Bool(source="signs_body", help_text=_SIGNS)
    active = fields.Bool(schema={"example": True}, help_text="Whether it is sent events.")
    paused_at = fields.Time(
        allow_null=True, schema={"example": None}, help_text="Since when it is sent none; null: it is."
    )
    paused_reason = fields.Words(
        allow_null=True,
        schema=_NULLABLE | {"enum": ["asked", "failing", None], "example": None},
        help_text="`asked`: somebody paused it. `failing`: it took no event for three days.",
    )
    previous_secret_expires_at = fields.Time(
        allow_null=True,
        schema={"example": None},
        help_text="Until when the former secret signs, too; null: there is one secret.",
    )
    created_at = fields.Time()


class NewWebhookEndpoint(WebhookEndpoint):
    """An address that events are posted to, with the secret that they are signed with: it is shown only here."""

    secret = fields.Words(
        schema={"pattern": "^whsec_[A-Za-z0-9+/]+=*$", "example": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"},
        help_text="What verifies the events' signatures. Keep it: it is not shown again.",
    )


class DeliveriesQuery(v1.Cursor):
    """Which deliveries are wanted."""

    status = fields.Choice(among=STATES, **optional(help_text="Default: all."))


class WebhookDelivery(serializers.Output):
    """An event on its way to a webhook endpoint, and what became of the last attempt."""

    id = fields.PublicId("dlv")
    object = v1.Kind("webhook_delivery")
    endpoint_id = fields.PublicId("whk", help_text="Id of the webhook endpoint.")
    event_id = fields.PublicId("evt", help_text="Id of the event, in the header `webhook-id` of every attempt.")
    event_type = fields.Words(
        schema={"enum": [TEST, *EventType.values], "example": "points.earned"}, help_text="The type of the event."
    )
    customer_id = fields.PublicId(
        "cus", allow_null=True, help_text="Whose events arrive in their order, one after the other; null: a test."
    )
    status = fields.Words(
        schema={"enum": list(STATES), "example": "delivered"},
        help_text="`delivered`: it was answered 2xx. `failed`: the last attempt failed. `pending`: it waits for its "
        "turn.",
    )
    attempts = fields.Count(help_text="How many there were.")
    next_attempt_at = fields.Time(
        allow_null=True, schema={"example": None}, help_text="When it is tried, or tried again; null: it is not."
    )
    attempted_at = fields.Time(allow_null=True, help_text="When the last attempt was made; null: there was none.")
    delivered_at = fields.Time(allow_null=True, help_text="When it arrived; null: it has not.")
    response_status = fields.Count(
        source="status_code",
        allow_null=True,
        schema=_NULLABLE | {"example": 200},
        help_text="The status that the last attempt was answered; null: none.",
    )
    response_body = fields.Words(
        source="answer", schema={"example": "ok"}, help_text="How the last answer began: at most 1,000 bytes."
    )
    duration_ms = fields.Count(
        source="milliseconds",
        allow_null=True,
        schema=_NULLABLE | {"example": 84},
        help_text="How long the last attempt took; null: there was none.",
    )
    error = fields.Words(
        allow_null=True,
        schema=_NULLABLE | {"enum": [*Fault.values, None], "example": None},
        help_text="Why the last attempt failed; null: it did not, or there was none.\n"
        + "\n".join(f"- `{fault.value}`: {fault.label}" for fault in Fault),
    )
    created_at = fields.Time()


class TestSubject(serializers.Output):
    """What a test tells of: the endpoint itself."""

    id = fields.PublicId("whk")
    object = v1.Kind("webhook_endpoint")


class WebhookEvent(v1_shapes.Event):
    """The body of a webhook: an event as `GET /v1/events` tells it, or a test, which no list tells."""

    id = fields.PublicId("evt", help_text="Its id, the same in every attempt.")
    object = fields.Words(source="id", schema={"enum": ["event"]}, help_text="What kind of object it is.")  # type: ignore[assignment]
    type = fields.Words(
        schema={"enum": [*EventType.values, TEST], "example": "points.earned"}, help_text="What happened."
    )
    customer_id = fields.PublicId("cus", allow_null=True, help_text="Id of the customer; null: it is a test.")
