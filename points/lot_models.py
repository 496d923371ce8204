"""The lots of an account, and which of them paid what."""

from django.db import models
from django.db.models.lookups import GreaterThan

from loyalty.models import Program
from points.numbers import points_field


class Clawback(models.TextChoices):
    """What happens when a reversed award's points are already spent."""

    REFUSE = "refuse", "Refuse the reversal"
    TO_ZERO = "to_zero", "Take what is there and note the rest"
    NEGATIVE = "negative", "Let the balance go below zero, where the account may"


class PointLot(models.Model):
    """The points that one entry brought: what is left of them, from when they count and until when."""

    id = models.UUIDField(
        primary_key=True, editable=False, help_text="The id of the entry that made it, where that made no other."
    )
    account = models.ForeignKey("points.PointAccount", models.PROTECT, db_index=False, related_name="lots")
    program = models.ForeignKey(Program, models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    entry_id = models.UUIDField(help_text="The entry that made it.")
    origin_id = models.UUIDField(
        null=True, help_text="The lot whose points these were before they came from another account."
    )
    version = models.BigIntegerField(help_text="The version of the entry that made it: the older lot has the lower.")
    points = points_field()
    remaining = points_field()
    active_from = models.DateTimeField(
        null=True, help_text="Null: since it was made. A lot that ends by inactivity always has it."
    )
    expires_at = models.DateTimeField(null=True, help_text="Null: never, or by inactivity.")
    inactivity_months = models.PositiveSmallIntegerField(
        null=True, help_text="It ends that many months after the customer's last activity."
    )
    clawback = models.CharField(max_length=10, choices=Clawback.choices)
    is_open = models.GeneratedField(
        expression=GreaterThan(models.F("remaining"), 0), output_field=models.BooleanField(), db_persist=True
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(points__gt=0), name="lot_points_positive"),
            models.CheckConstraint(
                condition=models.Q(remaining__gte=0) & models.Q(remaining__lte=models.F("points")),
                name="lot_remaining_between_zero_and_points",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__isnull=True)
                | models.Q(active_from__isnull=True)
                | models.Q(expires_at__gt=models.F("active_from")),
                name="lot_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=models.Q(inactivity_months__isnull=True)
                | models.Q(expires_at__isnull=True, active_from__isnull=False),
                name="lot_by_inactivity_has_a_start_and_no_date",
            ),
        ]
        # Keyed on is_open, not on remaining: a part payment then leaves every index alone (a HOT update).
        indexes = [
            models.Index(
                fields=["account", "expires_at", "version"],
                condition=models.Q(is_open=True, inactivity_months__isnull=True),
                name="lot_open",
            ),
            models.Index(
                fields=["account", "active_from"],
                condition=models.Q(is_open=True, active_from__isnull=False),
                name="lot_open_starting",
            ),
            models.Index(
                fields=["account", "inactivity_months", "version"],
                condition=models.Q(is_open=True, inactivity_months__isnull=False),
                name="lot_open_by_inactivity",
            ),
            models.Index(
                fields=["program", "expires_at", "id"],
                condition=models.Q(is_open=True, expires_at__isnull=False),
                name="lot_program_expiring",
            ),
            models.Index(
                fields=["account", "origin_id"], condition=models.Q(origin_id__isnull=False), name="lot_account_origin"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.remaining} of {self.points}"


class LotUse(models.Model):
    """How much of which lot an entry took; below zero: gave back. Append-only.

    A use without a lot is a debt: points taken that were not there. Zero points name a lot that became active. What a
    capture pays with comes out of the hold (`is_held`, below zero) and is taken.
    """

    pk = models.CompositePrimaryKey("account_id", "entry_id", "position")
    account = models.ForeignKey(
        "points.PointAccount", models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    entry = models.ForeignKey(
        "points.PointTransaction", models.PROTECT, db_index=False, db_constraint=False, related_name="uses"
    )
    position = models.PositiveIntegerField(help_text="The order in which the entry took them.")
    lot = models.ForeignKey(
        PointLot, models.PROTECT, null=True, db_index=False, db_constraint=False, related_name="uses"
    )
    points = points_field()
    pays_debt = models.BooleanField(default=False, help_text="The lot paid an older debt, or got such a payment back.")
    is_expiry = models.BooleanField(default=False, db_default=False, help_text="The entry is an expiry.")
    is_held = models.BooleanField(
        default=False, db_default=False, help_text="The points went into a hold of the account, or came out of one."
    )

    class Meta:
        indexes = [
            models.Index(fields=["account", "lot"], name="use_account_lot"),
            models.Index(fields=["account", "lot"], condition=models.Q(pays_debt=True), name="use_pays_debt"),
            models.Index(fields=["account", "lot"], condition=models.Q(is_expiry=True), name="use_expires"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(lot__isnull=False) | models.Q(pays_debt=False), name="use_debt_is_paid_by_a_lot"
            ),
            models.CheckConstraint(
                condition=models.Q(is_held=False) | models.Q(lot__isnull=False, pays_debt=False),
                name="use_held_is_of_a_lot",
            ),
        ]

    def __str__(self) -> str:
        return str(self.points)
