"""What happened, in the order in which others are told of it; and who is to be told."""

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now

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
        indexes = [models.Index(fields=["program", "xid", "id"], name="event_program_xid")]

    def __str__(self) -> str:
        return str(self.type)


class WebhookEndpoint(models.Model):
    """An address of the shop's that is sent events."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="webhook_endpoints", verbose_name="programme")
    url = models.URLField(max_length=2000)
    description = models.CharField(max_length=255, blank=True)
    event_types = ArrayField(
        models.CharField(max_length=30), default=list, help_text="Types of events, or * alone: all of them."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False, help_text="Since when nothing is sent there.")

    class Meta:
        verbose_name = "webhook endpoint"

    def __str__(self) -> str:
        return self.url
