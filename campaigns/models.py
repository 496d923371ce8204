"""Segments of customers, and campaigns that award points to all customers of one.

What `points` calls a campaign multiplies what purchases earn for a while; an award campaign sends points, once.
"""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program
from points.expiry import MAX_DAYS
from points.models import PointDefinition
from points.numbers import MAX_DIGITS, points_field

LONGEST_ACTOR = 150


class CardState(models.TextChoices):
    """What a customer's card is by the clock; or that there is none."""

    ACTIVE = "active", "An active card"
    INACTIVE = "inactive", "An inactive card"
    BLOCKED = "blocked", "A blocked card"
    EXPIRED = "expired", "An expired card"
    NONE = "none", "No card"


class CustomerList(models.Model):
    """Customers whom a file named. It never changes: another file is another list."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="+", verbose_name="programme")
    name = models.CharField(max_length=200, help_text="Of the file.")
    customers = models.PositiveIntegerField(default=0, help_text="How many it names.")
    lines = models.PositiveIntegerField(default=0, help_text="How many lines say something.")
    missing = models.PositiveIntegerField(default=0, help_text="How many lines name nobody.")
    missing_lines = ArrayField(
        models.CharField(max_length=120), default=list, help_text="The first of those, as they stand in the file."
    )
    created_by = models.CharField(max_length=LONGEST_ACTOR)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name


class ListedCustomer(models.Model):
    """A customer of a list."""

    pk = models.CompositePrimaryKey("listing_id", "customer_id")
    listing = models.ForeignKey(CustomerList, models.PROTECT, db_index=False, related_name="rows")
    customer = models.ForeignKey(Customer, models.PROTECT, db_index=False, db_constraint=False, related_name="+")

    def __str__(self) -> str:
        return str(self.customer_id)


class Segment(models.Model):
    """Conditions that a customer meets, all of them. Empty ones ask for nothing."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="segments", verbose_name="programme")
    name = models.CharField(max_length=100)
    definition = models.ForeignKey(
        PointDefinition,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose balance, earned points and activity are looked at. Empty: the programme's usual points.",
    )
    tiers = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    active_from_on = models.DateField("last active on or after", null=True, blank=True)
    active_until_on = models.DateField("last active before", null=True, blank=True)
    joined_from_on = models.DateField("joined on or after", null=True, blank=True)
    joined_until_on = models.DateField("joined before", null=True, blank=True)
    balance_least = points_field(verbose_name="balance at least", null=True, blank=True)
    balance_most = points_field(verbose_name="balance at most", null=True, blank=True)
    earned_least = points_field(verbose_name="ever earned at least", null=True, blank=True)
    earned_most = points_field(verbose_name="ever earned at most", null=True, blank=True)
    spent_least = models.DecimalField("spent at least", max_digits=17, decimal_places=2, null=True, blank=True)
    spent_most = models.DecimalField("spent at most", max_digits=17, decimal_places=2, null=True, blank=True)
    spent_from_on = models.DateField("bought on or after", null=True, blank=True)
    spent_until_on = models.DateField("bought before", null=True, blank=True)
    cards = ArrayField(models.CharField(max_length=10, choices=CardState.choices), default=list, blank=True)
    listing = models.ForeignKey(
        CustomerList, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="uploaded list"
    )
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts its changes.")
    changed_by = models.CharField(max_length=LONGEST_ACTOR, editable=False)
    changed_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["program", "name"],
                name="segment_name_unique_in_program",
                violation_error_message="The programme has a segment of this name already.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class AwardCampaign(models.Model):
    """Points for every customer of a segment, once. What is not a draft any more never changes but in its state."""

    class State(models.TextChoices):
        """What is done with it now."""

        DRAFT = "draft", "Draft"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        UNDOING = "undoing", "Being undone"
        UNDONE = "undone", "Undone"

    class Expiry(models.TextChoices):
        """When its points end."""

        POLICY = "policy", "As the definition says"
        DATE = "date", "On a date"
        DAYS = "days", "After some days"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="award_campaigns", verbose_name="programme")
    name = models.CharField(max_length=100, help_text="For staff.")
    reason = models.CharField(max_length=255, help_text="Customers see it in the history of their points.")
    definition = models.ForeignKey(PointDefinition, models.PROTECT, related_name="+")
    points = points_field(
        validators=[MinValueValidator(Decimal("0.01"))], verbose_name="points each", help_text="For each customer."
    )
    segment = models.ForeignKey(Segment, models.PROTECT, related_name="award_campaigns", verbose_name="for the segment")
    conditions = models.JSONField(default=dict, editable=False, help_text="The segment's, as it was started with them.")
    expiry = models.CharField("points expire", max_length=10, choices=Expiry.choices, default=Expiry.POLICY)
    expires_on = models.DateField("last day", null=True, blank=True)
    expires_after_days = models.PositiveSmallIntegerField(
        "days",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DAYS)],
        help_text="From the start of the campaign: the same moment for all.",
    )
    tells_customers = models.BooleanField(
        "tell customers by e-mail",
        default=False,
        help_text="Who has unsubscribed, or has no address, is not written to.",
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False, help_text="Null: as the definition says.")
    actor = models.CharField(max_length=LONGEST_ACTOR, blank=True, editable=False, help_text="Who started it.")
    started_at = models.DateTimeField(null=True, editable=False)
    frozen_to_id = models.UUIDField(null=True, editable=False, help_text="The last customer who was written down.")
    frozen_at = models.DateTimeField(null=True, editable=False, help_text="When all of them were.")
    customers = models.PositiveIntegerField(default=0, editable=False, help_text="How many were written down.")
    ended_at = models.DateTimeField(null=True, editable=False, help_text="When it was done or cancelled.")
    undo_reason = models.CharField(max_length=255, blank=True, editable=False)
    undo_actor = models.CharField(max_length=LONGEST_ACTOR, blank=True, editable=False)
    undone_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        default_permissions = ("add", "change", "view")
        permissions = [
            ("start_awardcampaign", "Can start, pause, resume and cancel award campaigns"),
            ("undo_awardcampaign", "Can undo award campaigns"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["program", "name"],
                name="award_campaign_name_unique_in_program",
                violation_error_message="The programme has an award campaign of this name already.",
            ),
            models.CheckConstraint(condition=models.Q(points__gt=0), name="award_campaign_points_positive"),
            models.CheckConstraint(
                condition=models.Q(expiry="date", expires_on__isnull=False, expires_after_days=None)
                | models.Q(expiry="days", expires_on=None, expires_after_days__isnull=False)
                | models.Q(expiry="policy", expires_on=None, expires_after_days=None),
                name="award_campaign_says_when_points_end",
            ),
            models.CheckConstraint(
                condition=models.Q(state="draft")
                | models.Q(started_at__isnull=False)
                | models.Q(state="cancelled", customers=0),
                name="award_campaign_started_unless_a_draft",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["draft", "running", "paused"]) ^ models.Q(ended_at__isnull=False),
                name="award_campaign_ended_says_when",
            ),
        ]
        indexes = [
            models.Index(
                fields=["started_at", "id"],
                condition=models.Q(state__in=["running", "undoing"]),
                name="award_campaign_to_work_on",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """Its id as entries of the ledger name it."""
        return ids.public("awc", self.id)


class CampaignDeed(models.Model):
    """What somebody did with an award campaign, or a worker. Append-only."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    campaign = models.ForeignKey(AwardCampaign, models.PROTECT, related_name="deeds")
    deed = models.CharField(max_length=20)
    actor = models.CharField(max_length=LONGEST_ACTOR)
    done_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.deed


class CampaignCustomer(models.Model):
    """A customer whom an award campaign is for, and what became of that. None is written twice, or ever deleted."""

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", "Waiting"
        AWARDED = "awarded", "Awarded"
        REFUSED = "refused", "Refused"
        UNDONE = "undone", "Undone"
        KEPT = "kept", "Not undone"

    pk = models.CompositePrimaryKey("campaign_id", "customer_id")
    # Rows of neither table are ever deleted, and a trigger looks at both when customers are written down.
    campaign = models.ForeignKey(
        AwardCampaign, models.PROTECT, db_index=False, db_constraint=False, related_name="members"
    )
    customer = models.ForeignKey(Customer, models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    position = models.PositiveIntegerField(help_text="1, 2, 3 … in the order of the customers' ids.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    entry_id = models.UUIDField(null=True, help_text="The award.")
    undo_entry_id = models.UUIDField(null=True, help_text="What took it back.")
    shortfall = points_field(default=0, db_default=0, help_text="What could not be taken back, because it was spent.")
    refusal = models.CharField(max_length=200, blank=True, db_default="", help_text="Why not.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["waiting", "refused"]) ^ models.Q(entry_id__isnull=False),
                name="campaign_customer_awarded_names_the_entry",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["refused", "kept"]) ^ ~models.Q(refusal=""),
                name="campaign_customer_refused_says_why",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="undone") ^ models.Q(undo_entry_id__isnull=False),
                name="campaign_customer_undone_names_the_entry",
            ),
        ]
        indexes = [models.Index(fields=["campaign", "state", "position"], name="campaign_customer_by_state")]

    def __str__(self) -> str:
        return str(self.customer_id)


def _sum_field() -> models.DecimalField:
    """This will make a column for points of many customers, each of whom may have as many as an account holds."""
    return models.DecimalField(max_digits=2 * MAX_DIGITS, decimal_places=2, default=0)


class CampaignShare(models.Model):
    """What one run of a worker did of a campaign. It locks this row in each of its transactions: whoever holds all
    shares of a campaign knows that nobody is at it, and two workers do not wait for each other."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    campaign = models.ForeignKey(AwardCampaign, models.PROTECT, related_name="shares")
    awarded = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    undone = models.PositiveIntegerField(default=0)
    kept = models.PositiveIntegerField(default=0)
    points_awarded = _sum_field()
    points_taken = _sum_field()
    points_short = _sum_field()
    refusals = models.JSONField(default=dict, help_text="How many were refused, by why.")

    def __str__(self) -> str:
        return str(self.id)
