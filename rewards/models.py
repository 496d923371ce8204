"""Vouchers: money that points were turned into, and the rule of a kind of points by which they are.

Rewards and their codes are in `rewards/reward_models.py`.
"""

import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program
from points.models import PointDefinition, points_field
from rewards.money import CENT, money_field
from rewards.reward_models import Lapse, Redemption, RedemptionEvent, Reward

__all__ = ["Lapse", "Redemption", "RedemptionEvent", "Reward", "RewardVoucher", "VoucherEvent", "VoucherRule"]

MOST_REACTIVATIONS = 3


class VoucherRule(models.Model):
    """How points of one kind become vouchers. What it says is copied onto each voucher that it makes."""

    class Conversion(models.TextChoices):
        """How many points a voucher takes."""

        ALL = "all", "All points, at a value each"
        STEPS = "steps", "Whole steps of points, at a value each"

    definition = models.OneToOneField(PointDefinition, models.PROTECT, primary_key=True, related_name="voucher_rule")
    conversion = models.CharField(max_length=10, choices=Conversion.choices, default=Conversion.ALL)
    smallest_points = models.DecimalField(
        "from so many points",
        max_digits=15,
        decimal_places=2,
        default=1,
        validators=[MinValueValidator(CENT)],
        help_text="Fewer are not turned into a voucher.",
    )
    point_value = models.DecimalField(
        "value of a point",
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="In the programme's currency. A voucher's value is lowered to the cent.",
    )
    step_points = models.DecimalField(
        "points of a step",
        max_digits=15,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(CENT)],
    )
    step_value = money_field(
        verbose_name="value of a step",
        null=True,
        blank=True,
        validators=[MinValueValidator(CENT)],
        help_text="In the programme's currency.",
    )
    voucher_name = models.CharField(max_length=100, default="Reward voucher", help_text="What a voucher is called.")
    valid_months = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        default=12,
        validators=[MinValueValidator(1), MaxValueValidator(1200)],
        help_text="How long a voucher can be redeemed. Empty: for ever.",
    )
    is_active = models.BooleanField("active", default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(conversion="all", point_value__gt=0)
                | models.Q(conversion="steps", step_points__gt=0, step_value__gt=0),
                name="voucher_rule_says_what_points_are_worth",
            ),
            models.CheckConstraint(
                condition=models.Q(smallest_points__gt=0), name="voucher_rule_smallest_points_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"Vouchers for {self.definition}"

    def clean(self) -> None:
        """This will refuse a rule that does not say what points are worth."""
        needed = ("step_points", "step_value") if self.conversion == self.Conversion.STEPS else ("point_value",)
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValidationError(dict.fromkeys(missing, "Say what the points are worth."))
        if self.definition_id is None:
            # A form asks although it was left empty there.
            return
        places = self.definition.decimal_places
        for name in ("smallest_points", "step_points"):
            points = getattr(self, name)
            if points is not None and points != round(points, places):
                raise ValidationError({name: f"These points have at most {places} decimals."})


class RewardVoucher(models.Model):
    """Money that points were turned into. Only its use changes: whether it is redeemed, and how often it was again."""

    class State(models.TextChoices):
        """What can be done with it."""

        AVAILABLE = "available"
        REDEEMED = "redeemed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="vouchers", verbose_name="programme")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="vouchers")
    definition = models.ForeignKey(PointDefinition, models.PROTECT, related_name="+")
    account_id = models.UUIDField(editable=False)
    entry_id = models.UUIDField(editable=False, help_text="The ledger entry that took the points.")
    number = models.CharField(max_length=19, editable=False)
    name = models.CharField(max_length=100)
    points = points_field()
    value = money_field()
    currency = models.CharField(max_length=3)
    expires_at = models.DateTimeField(null=True, blank=True)
    redeemed_at = models.DateTimeField(null=True, blank=True)
    reactivations = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "number"], name="voucher_number_unique_in_program"),
            models.CheckConstraint(condition=models.Q(points__gt=0), name="voucher_points_positive"),
            models.CheckConstraint(condition=models.Q(value__gt=0), name="voucher_value_positive"),
            models.CheckConstraint(
                condition=models.Q(reactivations__lte=MOST_REACTIVATIONS), name="voucher_reactivated_at_most_3_times"
            ),
        ]
        indexes = [models.Index(fields=["customer", "created_at", "id"], name="voucher_customer_created_at")]

    def __str__(self) -> str:
        return self.number

    def state(self, at: datetime.datetime) -> State:
        """This will answer the voucher's state by the clock."""
        if self.redeemed_at is not None:
            return self.State.REDEEMED
        return self.State.EXPIRED if self.expires_at is not None and self.expires_at <= at else self.State.AVAILABLE


class VoucherEvent(models.Model):
    """A voucher was redeemed, or could be again. Append-only."""

    class Kind(models.TextChoices):
        """What happened to it."""

        REDEEMED = "redeemed"
        REACTIVATED = "reactivated"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    voucher = models.ForeignKey(RewardVoucher, models.PROTECT, related_name="events")
    kind = models.CharField(max_length=11, choices=Kind.choices)
    actor = models.CharField(max_length=150, help_text="Who did it: an API key, a member of staff.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.kind)
