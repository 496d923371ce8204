"""The tiers of a programme, as staff edit them. What holds is the newest version of its rulebook (points/rules.py)."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from loyalty import ids
from loyalty.models import Program
from tiers.ladder import MOST_MONTHS, Basis, Fall


class TierScheme(models.Model):
    """What a programme's tiers are measured by, and how they fall."""

    program = models.OneToOneField(
        Program, models.PROTECT, primary_key=True, related_name="tier_scheme", verbose_name="programme"
    )
    basis = models.CharField(max_length=10, choices=Basis.choices, default=Basis.LIFETIME)
    window_months = models.PositiveSmallIntegerField(
        default=12,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_MONTHS)],
        help_text="Of a rolling window: so many whole months and the current one.",
    )
    grace_days = models.PositiveSmallIntegerField(
        "grace period",
        default=0,
        validators=[MaxValueValidator(366)],
        help_text="Days that a tier outlasts its window.",
    )
    fall = models.CharField(max_length=10, choices=Fall.choices, default=Fall.REACHED)

    class Meta:
        verbose_name = verbose_name_plural = "tier settings"

    def __str__(self) -> str:
        return f"Tiers of {self.program}"


class Tier(models.Model):
    """A status that customers reach by the points they earn."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="tiers", verbose_name="programme")
    code = models.CharField(
        max_length=50,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_-]*$", "Small letters, digits, - and _.")],
        help_text="How the API names it: silver.",
    )
    name = models.CharField(max_length=100, help_text="How customers see it: Silver.")
    threshold = models.DecimalField(
        max_digits=15,
        decimal_places=2,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Points that reach it. A higher threshold is a higher tier.",
    )
    multiplier = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.001")), MaxValueValidator(Decimal(100))],
        help_text="What the points of purchases are multiplied by.",
    )
    benefits = ArrayField(
        models.CharField(max_length=200), default=list, blank=True, help_text="One each, told to customers."
    )
    color = models.CharField(
        "colour", max_length=7, default="#888888", validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", "As in #c0c0c0.")]
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "code"], name="tier_code_unique_in_program"),
            models.UniqueConstraint(fields=["program", "threshold"], name="tier_threshold_unique_in_program"),
            models.CheckConstraint(condition=models.Q(threshold__gte=0), name="tier_threshold_not_negative"),
            models.CheckConstraint(condition=models.Q(multiplier__gt=0), name="tier_multiplier_positive"),
        ]

    def __str__(self) -> str:
        return self.name
