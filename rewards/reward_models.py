"""Rewards that points buy, and the codes that customers get for them."""

import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now

from cards.models import Customer
from loyalty import ids, xids
from loyalty.models import Program
from points import rules
from points.expiry import MAX_DAYS
from points.models import PointDefinition, points_field
from rewards.money import CENT, money_field
from tiers.ladder import Rung

MOST_STOCK = 1_000_000_000
# So many of a customer's codes are counted at most, under the account's lock.
MOST_PER_CUSTOMER = 1_000


class Lapse(models.TextChoices):
    """What becomes of the points of a code that nobody used in time."""

    RETURN = "return", "They are given back"
    FORFEIT = "forfeit", "They are forfeited"


def percent_field(**options) -> models.DecimalField:
    """This will make a column for a part of a price, in percent."""
    return models.DecimalField(max_digits=5, decimal_places=2, **options)


def _discount_is_one(name: str) -> models.CheckConstraint:
    condition = models.Q(discount_amount=None) | models.Q(discount_percent=None)
    return models.CheckConstraint(condition=condition, name=name)


class Reward(models.Model):
    """What customers get for points. What it says is copied onto each redemption; a change alters none that exists."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(
        Program, models.PROTECT, db_index=False, related_name="rewards", verbose_name="programme"
    )
    definition = models.ForeignKey(
        PointDefinition, models.PROTECT, db_index=False, related_name="+", help_text="Which points buy it."
    )
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=1000, blank=True)
    category = models.CharField(max_length=50, blank=True, help_text="In the shop's own words.")
    points_cost = points_field(
        verbose_name="price in points",
        validators=[MinValueValidator(CENT), MaxValueValidator(Decimal("999999999999999"))],
    )
    discount_amount = money_field(
        null=True, blank=True, validators=[MinValueValidator(CENT)], help_text="Money off. Empty: none."
    )
    discount_percent = percent_field(
        null=True,
        blank=True,
        validators=[MinValueValidator(CENT), MaxValueValidator(Decimal(100))],
        help_text="Percent off, instead of money. Empty: none.",
    )
    currency = models.CharField(
        max_length=3, validators=[RegexValidator(r"^[A-Z]{3}$", "Three capital letters, as in EUR.")]
    )
    stock = models.PositiveIntegerField(
        "left in stock",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_STOCK)],
        help_text="How many more can be redeemed. Empty: no end.",
    )
    per_customer_limit = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PER_CUSTOMER)],
        help_text="How many one customer can redeem. Empty: no limit.",
    )
    valid_from = models.DateTimeField(null=True, blank=True, help_text="In UTC. Empty: since ever.")
    valid_to = models.DateTimeField(
        null=True, blank=True, help_text="In UTC, not valid any more then. Empty: for ever."
    )
    code_valid_days = models.PositiveSmallIntegerField(
        "days to use a code",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DAYS)],
        help_text="Empty: for ever.",
    )
    lapse = models.CharField(
        "points of a code not used in time", max_length=10, choices=Lapse.choices, default=Lapse.FORFEIT
    )
    min_tier = models.CharField(
        "from the tier", max_length=50, blank=True, help_text="Code of a tier: silver. Empty: for everybody."
    )
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    xid = xids.field()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(points_cost__gt=0), name="reward_points_cost_positive"),
            models.CheckConstraint(
                condition=models.Q(stock=None) | models.Q(stock__gte=0), name="reward_stock_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(per_customer_limit=None) | models.Q(per_customer_limit__gt=0),
                name="reward_limit_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(discount_amount=None) | models.Q(discount_amount__gt=0),
                name="reward_discount_amount_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(discount_percent=None) | models.Q(discount_percent__gt=0, discount_percent__lte=100),
                name="reward_discount_percent_up_to_100",
            ),
            _discount_is_one("reward_discount_is_amount_or_percent"),
            models.CheckConstraint(
                condition=models.Q(valid_from=None)
                | models.Q(valid_to=None)
                | models.Q(valid_to__gt=models.F("valid_from")),
                name="reward_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=models.Q(code_valid_days=None) | models.Q(code_valid_days__gt=0),
                name="reward_code_valid_days_positive",
            ),
        ]
        indexes = [models.Index(fields=["program", "xid", "id"], name="reward_program_xid")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """This will refuse what does not go together, and what its points or its programme do not have."""
        # A form asks although it was left empty there.
        if self.definition_id is not None and self.points_cost is not None:
            places = self.definition.decimal_places
            if self.points_cost != round(self.points_cost, places):
                raise ValidationError({"points_cost": f"These points have at most {places} decimals."})
        if self.discount_amount is not None and self.discount_percent is not None:
            raise ValidationError({"discount_percent": "The discount is an amount or a part, not both."})
        if self.valid_from is not None and self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValidationError({"valid_to": "It must end after it starts."})
        if self.program_id is not None and self.min_tier and self.lowest_rung() is None:
            raise ValidationError({"min_tier": "There is no such tier."})

    def is_valid(self, at: datetime.datetime) -> bool:
        """This will tell whether it is offered by the clock."""
        is_early = self.valid_from is not None and at < self.valid_from
        is_late = self.valid_to is not None and at >= self.valid_to
        return self.is_active and not is_early and not is_late

    def lowest_rung(self) -> Rung | None:
        """This will answer the lowest tier that may redeem it; None where no customer can hold it any more."""
        ladder = rules.of(self.program).ladder
        return next((rung for rung in ladder.rungs if rung.code == self.min_tier), None) if ladder else None


class Redemption(models.Model):
    """Points that were redeemed for a code. Only its state changes, and once: it is used, cancelled or has lapsed. It
    goes with its account where that is merged into another."""

    class State(models.TextChoices):
        """What can be done with the code."""

        ACTIVE = "active"
        USED = "used"
        CANCELLED = "cancelled"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(
        Program, models.PROTECT, db_index=False, related_name="redemptions", verbose_name="programme"
    )
    customer = models.ForeignKey(Customer, models.PROTECT, db_index=False, related_name="redemptions")
    definition = models.ForeignKey(PointDefinition, models.PROTECT, db_index=False, related_name="+")
    reward = models.ForeignKey(
        Reward,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="redemptions",
        help_text="Null: points alone were redeemed.",
    )
    account_id = models.UUIDField(editable=False)
    entry_id = models.UUIDField(editable=False, help_text="The ledger entry that took the points.")
    code = models.CharField(max_length=13, editable=False, help_text="REDEEM- and 6 letters and digits.")
    points = points_field()
    balance_after = points_field(help_text="What could still be spent then.")
    discount_amount = money_field(null=True)
    discount_percent = percent_field(null=True)
    currency = models.CharField(max_length=3)
    took_stock = models.BooleanField(help_text="Whether there is one less of the reward, until it comes back.")
    lapse = models.CharField(max_length=10, choices=Lapse.choices)
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    lapsed_at = models.DateTimeField(null=True, help_text="When it was written that nobody used it in time.")
    created_at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name = "redemption code"
        permissions = [
            ("use_redemption", "Can use redemption codes"),
            ("cancel_redemption", "Can cancel redemption codes"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["program", "code"], name="redemption_code_unique_in_program"),
            models.CheckConstraint(condition=models.Q(points__gt=0), name="redemption_points_positive"),
            models.CheckConstraint(
                condition=models.Q(used_at=None, cancelled_at=None)
                | models.Q(used_at=None, lapsed_at=None)
                | models.Q(cancelled_at=None, lapsed_at=None),
                name="redemption_ends_in_one_way",
            ),
            models.CheckConstraint(
                condition=models.Q(lapsed_at=None)
                | models.Q(expires_at__isnull=False, lapsed_at__gte=models.F("expires_at")),
                name="redemption_lapses_at_its_end",
            ),
            models.CheckConstraint(
                condition=models.Q(took_stock=False) | models.Q(reward__isnull=False),
                name="redemption_takes_stock_of_a_reward",
            ),
            _discount_is_one("redemption_discount_is_amount_or_percent"),
        ]
        indexes = [
            # What is written once time has passed: of everybody, and of the customer who comes next.
            models.Index(
                fields=["expires_at", "id"],
                condition=models.Q(used_at=None, cancelled_at=None, lapsed_at=None, expires_at__isnull=False),
                name="redemption_lapsing",
            ),
            models.Index(
                fields=["customer", "expires_at"],
                condition=models.Q(used_at=None, cancelled_at=None, lapsed_at=None, expires_at__isnull=False),
                name="redemption_customer_lapsing",
            ),
            # What counts towards the limit of a reward.
            models.Index(
                fields=["customer", "reward"],
                condition=models.Q(cancelled_at=None) & (models.Q(lapsed_at=None) | models.Q(lapse="forfeit")),
                name="redemption_customer_reward",
            ),
            models.Index(fields=["customer", "id"], name="redemption_customer"),
        ]

    def __str__(self) -> str:
        return self.code

    def state(self, at: datetime.datetime) -> State:
        """This will answer the code's state by the clock, whatever of it is written."""
        if self.used_at is not None:
            return self.State.USED
        if self.cancelled_at is not None:
            return self.State.CANCELLED
        if self.lapsed_at is not None or (self.expires_at is not None and self.expires_at <= at):
            return self.State.EXPIRED
        return self.State.ACTIVE


class RedemptionEvent(models.Model):
    """A code was used, cancelled, or lapsed. Append-only."""

    class Kind(models.TextChoices):
        """What happened to it."""

        USED = "used"
        CANCELLED = "cancelled"
        LAPSED = "lapsed"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    redemption = models.ForeignKey(Redemption, models.PROTECT, related_name="events")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    actor = models.CharField(max_length=150, help_text="Who did it: an API key, a member of staff, the clock.")
    entry_id = models.UUIDField(null=True, help_text="The ledger entry that gave the points back.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.kind)
