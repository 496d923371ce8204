"""Adjustments with control: what staff give as the reason, how much they may adjust, and what waits for a second
person."""

from decimal import Decimal

from django.contrib.auth.models import Group, User
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program
from points.models import MAX_DIGITS, PointDefinition, points_field
from staff.audit_models import Action, AuditEntry

__all__ = [
    "Action",
    "AdjustmentLimit",
    "AdjustmentReason",
    "AdjustmentRequest",
    "AdjustmentSettings",
    "AdjustmentTally",
    "AuditEntry",
]

REQUEST_DAYS = 7

_AT_LEAST_A_LITTLE = MinValueValidator(Decimal("0.01"))


class AdjustmentReason(models.Model):
    """Why points are adjusted, in a word that can be counted. An entry keeps its code and its name."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="adjustment_reasons", verbose_name="programme")
    code = models.CharField(
        max_length=50,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_-]*$", "Small letters, digits, - and _, as in goodwill.")],
        help_text="How reports name it, for example goodwill. It stays as it is.",
    )
    name = models.CharField(max_length=100, help_text="The customer sees it in the history of the points.")
    needs_note = models.BooleanField(
        "needs a note", default=False, help_text="Whether the member of staff has to say more about it."
    )
    is_active = models.BooleanField("offered", default=True, help_text="Whether it can be chosen.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["program", "code"],
                name="adjustment_reason_code_unique_in_program",
                violation_error_message="The programme has a reason with this code already.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class AdjustmentLimit(models.Model):
    """How much a role may adjust in a programme without a second person."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="adjustment_limits", verbose_name="programme")
    group = models.ForeignKey(Group, models.PROTECT, related_name="+", verbose_name="role")
    most_points = models.DecimalField(
        "most points at once",
        max_digits=MAX_DIGITS,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[_AT_LEAST_A_LITTLE],
        help_text="Added or taken away by one adjustment. Empty: no limit.",
    )
    most_points_a_day = models.DecimalField(
        max_digits=MAX_DIGITS,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[_AT_LEAST_A_LITTLE],
        help_text="By all adjustments of one member of staff in a day of the programme, those added and those taken "
        "away together. Empty: no limit.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["program", "group"],
                name="adjustment_limit_unique_in_program",
                violation_error_message="The role has a limit in this programme already.",
            ),
            models.CheckConstraint(
                condition=models.Q(most_points=None) | models.Q(most_points__gt=0), name="adjustment_limit_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(most_points_a_day=None) | models.Q(most_points_a_day__gt=0),
                name="adjustment_limit_a_day_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} in {self.program}"


class AdjustmentSettings(models.Model):
    """How adjustments are approved in a programme. Without a row: as the defaults say."""

    program = models.OneToOneField(
        Program, models.PROTECT, primary_key=True, related_name="adjustment_settings", verbose_name="programme"
    )
    request_days = models.PositiveSmallIntegerField(
        "days to approve",
        default=REQUEST_DAYS,
        validators=[MinValueValidator(1), MaxValueValidator(90)],
        help_text="How long a request waits for a second person. Then it expires.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "adjustment settings"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(request_days__gte=1, request_days__lte=90), name="adjustment_request_days_in_range"
            )
        ]

    def __str__(self) -> str:
        return f"Adjustments of {self.program}"


class AdjustmentTally(models.Model):
    """What a member of staff has adjusted in a programme on the day of the last adjustment: the row that is locked, so
    that two adjustments at once cannot pass the day's limit."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, db_index=False, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    counted_on = models.DateField(help_text="The day, by the clocks of the programme.")
    points = models.DecimalField(max_digits=2 * MAX_DIGITS, decimal_places=2, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "user"], name="adjustment_tally_unique_for_user"),
            models.CheckConstraint(condition=models.Q(points__gte=0), name="adjustment_tally_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.points} on {self.counted_on}"


class AdjustmentRequest(models.Model):
    """An adjustment above somebody's limit. A second person approves it, which posts it, or refuses it; it is decided
    once. Whether it has expired the clock says, and nobody has to write it."""

    class State(models.TextChoices):
        """What became of it."""

        REQUESTED = "requested", "Waiting"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"
        CANCELLED = "cancelled", "Withdrawn"

    EXPIRED = "Expired"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, db_index=False, related_name="+", verbose_name="programme")
    definition = models.ForeignKey(PointDefinition, models.PROTECT, db_index=False, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    points = points_field(help_text="Signed: below zero they are taken away.")
    reason_code = models.CharField(max_length=50, blank=True)
    reason = models.CharField(max_length=255, null=True, help_text="Null: erased with the customer.")
    reference = models.CharField(max_length=255, null=True)
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=255, null=True, help_text="Why it was refused.")
    # Of a table that is spread by account, so that no foreign key can hold it: `staff_guard_requests` does.
    account_id = models.UUIDField(null=True, help_text="The account on which it was posted.")
    entry_id = models.UUIDField(null=True, help_text="The entry that it became.")
    erased_at = models.DateTimeField(null=True, help_text="When its words were erased with the customer.")

    class Meta:
        permissions = [("approve_adjustment", "Can approve adjustments of others")]
        constraints = [
            models.CheckConstraint(condition=~models.Q(points=0), name="adjustment_request_changes_something"),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("asked_at")), name="adjustment_request_ends_after_it_began"
            ),
            models.CheckConstraint(
                condition=models.Q(state="requested", decided_at=None, decided_by=None)
                | models.Q(
                    ~models.Q(state="requested"),
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                    decided_at__gte=models.F("asked_at"),
                    decided_at__lt=models.F("expires_at"),
                ),
                name="adjustment_request_is_decided_in_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["approved", "refused"]) | ~models.Q(decided_by=models.F("asked_by")),
                name="adjustment_request_is_decided_by_another",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="cancelled") | models.Q(decided_by=models.F("asked_by")),
                name="adjustment_request_is_withdrawn_by_its_asker",
            ),
            models.CheckConstraint(
                condition=models.Q(state="approved", entry_id__isnull=False, account_id__isnull=False)
                | models.Q(~models.Q(state="approved"), entry_id=None, account_id=None),
                name="adjustment_request_approved_names_its_entry",
            ),
            models.CheckConstraint(
                condition=models.Q(state="refused", decision__isnull=False)
                | models.Q(state="refused", erased_at__isnull=False)
                | models.Q(~models.Q(state="refused"), decision=None),
                name="adjustment_request_refused_says_why",
            ),
            models.CheckConstraint(
                condition=models.Q(reason__isnull=False) ^ models.Q(erased_at__isnull=False),
                name="adjustment_request_has_a_reason_until_erased",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=models.Q(state="requested"), name="adjustment_request_waiting"
            ),
            models.Index(fields=["program", "id"], name="adjustment_request_program"),
            models.Index(fields=["state", "id"], name="adjustment_request_state"),
        ]

    def __str__(self) -> str:
        return f"Adjustment of {self.points.normalize():f}"
