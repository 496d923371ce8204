"""What happened, in the order in which others are told of it; and who is to be told."""

import uuid

import httpx
from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Func
from django.db.models.functions import Cast, Now

from loyalty import ids, xids
from loyalty.models import Program


class EventType(models.TextChoices):
    """What can happen."""

    POINTS_EARNED = "points.earned", "Points earned"
    POINTS_REDEEMED = "points.redeemed", "Points redeemed"
    POINTS_ADJUSTED = "points.adjusted", "Points adjusted"
    POINTS_REVERSED = "points.reversed", "Points reversed"
    POINTS_EXPIRED = "points.expired", "Points expired"
    POINTS_ACTIVATED = "points.activated", "Points activated"
    POINTS_EXPIRING_SOON = "points.expiring_soon", "Points expiring soon"
    POINTS_HELD = "points.held", "Points held"
    POINTS_RELEASED = "points.released", "Points released"
    POINTS_TRANSFERRED = "points.transferred", "Points transferred"
    CUSTOMER_CREATED = "customer.created", "Customer created"
    CUSTOMER_UPDATED = "customer.updated", "Customer updated"
    CUSTOMER_MERGED = "customer.merged", "Customer merged"
    CUSTOMER_ERASED = "customer.erased", "Customer erased"
    CUSTOMER_TIER_CHANGED = "customer.tier_changed", "Tier changed"
    CUSTOMER_TIER_AT_RISK = "customer.tier_at_risk", "Tier at risk"
    CARD_CREATED = "card.created", "Card created"
    CARD_BLOCKED = "card.blocked", "Card blocked"
    CARD_UNBLOCKED = "card.unblocked", "Card unblocked"
    CARD_REPLACED = "card.replaced", "Card replaced"
    REDEMPTION_CREATED = "redemption.created", "Code created"
    REDEMPTION_USED = "redemption.used", "Code used"
    REDEMPTION_CANCELLED = "redemption.cancelled", "Code cancelled"
    REDEMPTION_EXPIRED = "redemption.expired", "Code expired"
    VOUCHER_CREATED = "voucher.created", "Voucher created"
    VOUCHER_REDEEMED = "voucher.redeemed", "Voucher redeemed"


# What an endpoint is sent when somebody wants to see whether it works; it is in no log.
TEST = "webhook.test"


class Fault(models.TextChoices):
    """Why an attempt failed, without a word about the insides of the network."""

    STATUS = "status", "It answered with another status than 2xx"
    REDIRECT = "redirect", "It redirected, which is not followed"
    TIMEOUT = "timeout", "It did not answer in time"
    NAME = "name_not_found", "Its host name leads nowhere"
    ADDRESS = "address_refused", "It leads to an address that must not be called"
    CONNECTION = "connection_failed", "No connection came about"
    TLS = "tls_failed", "Its certificate is not good for its host name, or it speaks no TLS"
    ANSWER = "answer_unreadable", "It answered something that is no HTTP"
    SECRET = "secret_unreadable", "Its secret cannot be decrypted: rotate it"


class Event(models.Model):
    """One thing that happened, written in the transaction in which it did. The row of a posting is small: what it tells
    is the ledger's entry, which never changes."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, db_index=False, db_constraint=False, related_name="events")
    account_id = models.UUIDField(help_text="Of the customer and the cards: the customer's id.")
    customer_id = models.UUIDField()
    type = models.CharField(max_length=30, choices=EventType.choices)
    sequence = models.BigIntegerField(null=True, help_text="The version of the entry it tells of: 1, 2, 3 …")
    subject_id = models.UUIDField(null=True, help_text="The entry, or the change of tier, that it tells of.")
    data = models.JSONField(null=True, encoder=DjangoJSONEncoder, help_text="What it tells, where no row keeps that.")
    created_at = models.DateTimeField()
    xid = xids.field()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "sequence"], name="event_sequence_unique_in_account"),
            models.CheckConstraint(
                condition=models.Q(subject_id=None) ^ models.Q(data__isnull=True), name="event_tells_a_row_or_data"
            ),
            models.CheckConstraint(
                condition=models.Q(sequence=None) | models.Q(subject_id__isnull=False),
                name="event_with_a_sequence_tells_an_entry",
            ),
        ]
        indexes = [
            models.Index(fields=["program", "xid", "id"], name="event_program_xid"),
            # Lists of one type, which may be rare; those of entries are not, and cost no index.
            models.Index(
                fields=["program", "type", "xid", "id"],
                condition=models.Q(sequence=None),
                name="event_program_type",
            ),
        ]

    def __str__(self) -> str:
        return str(self.type)


# What the database sees as it writes the row.
_SNAPSHOT = Func(function="pg_current_snapshot", output_field=models.TextField())


class WebhookEndpoint(models.Model):
    """An address of the shop's that is sent events."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="webhook_endpoints", verbose_name="programme")
    url = models.CharField("address", max_length=2000)
    description = models.CharField(max_length=255, blank=True)
    event_types = ArrayField(
        models.CharField(max_length=30), default=list, help_text="Types of events, or * alone: all of them."
    )
    signs_body = models.BooleanField(
        default=False, db_default=False, help_text="Whether X-Loyalty-Signature is sent beside webhook-signature."
    )
    sealed_secret = models.TextField(
        default="", db_default="", editable=False, help_text="What signs, encrypted; empty: it was deleted."
    )
    sealed_previous_secret = models.TextField(null=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    paused_at = models.DateTimeField(null=True, editable=False, help_text="Since when nothing is sent; null: it is.")
    gave_up = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Whether it was paused because it failed for days."
    )
    deleted_at = models.DateTimeField(null=True, editable=False, help_text="Since when nothing is sent there.")

    # How far its programme's events have become deliveries, and what was there before it was.
    cursor_xid = xids.Xid8Field(db_default=Func(_SNAPSHOT, function="pg_snapshot_xmin"), editable=False)
    cursor_id = models.UUIDField(default=uuid.UUID(int=0), db_default=uuid.UUID(int=0), editable=False)
    made_in = models.TextField(
        db_default=Cast(_SNAPSHOT, models.TextField()), editable=False, help_text="The snapshot that it was made in."
    )
    last_position = models.BigIntegerField(default=0, db_default=0, editable=False)

    # Whether it answers at all: how many first attempts have failed since one succeeded, and when it is tried next.
    failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    probe_at = models.DateTimeField(null=True, editable=False)

    # Which worker sends, and until when no other may.
    claimed_by = models.UUIDField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "webhook endpoint"
        indexes = [
            models.Index(fields=["program"], condition=models.Q(deleted_at=None), name="webhook_endpoint_of_program")
        ]

    def __str__(self) -> str:
        # What comes after is often a word that nobody else should know.
        url = httpx.URL(self.url)
        return url.host if url.port is None else f"{url.host}:{url.port}"


class Delivery(models.Model):
    """An event on its way to an endpoint, and what became of the last attempt."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, db_index=False, related_name="deliveries")
    position = models.BigIntegerField(help_text="1, 2, 3 … in the endpoint: the order in which they are sent.")
    event_id = models.UUIDField(help_text="What the receiver knows it by, also after other attempts.")
    event_type = models.CharField(max_length=30)
    account_id = models.UUIDField(null=True, help_text="Where the event is; null: a test, which is in no log.")
    customer_id = models.UUIDField(null=True)
    lane = models.UUIDField(help_text="Those of a lane wait for one another: the customer's, or its own.")
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(null=True, help_text="Null: there is none to come.")
    delivered_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    retries = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many attempts of the present row of them have failed."
    )
    failing_since = models.DateTimeField(null=True, help_text="When the first of that row failed.")
    attempted_at = models.DateTimeField(null=True)
    milliseconds = models.PositiveIntegerField(null=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    answer = models.CharField(max_length=1000, blank=True, db_default="")
    fault = models.CharField(max_length=30, choices=Fault.choices, blank=True, db_default="")
    is_erased = models.BooleanField(
        default=False, db_default=False, help_text="Whether its customer was erased: no answer is kept."
    )

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "position"], name="delivery_position_unique_in_endpoint")
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                condition=models.Q(delivered_at=None),
                name="delivery_due",
            ),
            models.Index(
                fields=["endpoint", "lane", "position"],
                condition=models.Q(delivered_at=None),
                name="delivery_in_lane",
            ),
            models.Index(fields=["customer_id"], name="delivery_customer"),
            models.Index(fields=["created_at"], name="delivery_created_at"),
        ]

    def __str__(self) -> str:
        return self.event_type
