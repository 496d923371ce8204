"""How points are earned, as staff edit it, and the rulebook: every version of it that ever held."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now

from loyalty import ids
from loyalty.models import Program
from points.terms import Combination, Effect, Kind, SpendBasis

_CODE = RegexValidator(r"^[a-z0-9][a-z0-9_-]*$", "Small letters, digits, - and _.")


def _amount(**options) -> models.DecimalField:
    return models.DecimalField(max_digits=15, decimal_places=2, validators=[MinValueValidator(Decimal(0))], **options)


def _words(**options) -> ArrayField:
    return ArrayField(models.CharField(max_length=100), default=list, blank=True, **options)


def _need(row: models.Model, field: str, text: str) -> None:
    if not getattr(row, field):
        raise ValidationError({field: text})


class Conditions(models.Model):
    """When a rule or a campaign holds."""

    kind: str
    is_active = models.BooleanField("active", default=True)
    priority = models.IntegerField(default=0, help_text="The highest goes first.")
    starts_at = models.DateTimeField("from", null=True, blank=True)
    ends_at = models.DateTimeField("until", null=True, blank=True)
    smallest_purchase = _amount(null=True, blank=True)
    shops = _words(help_text="Ids of shops, as purchases name them in shop_id. Empty: every shop.")
    categories = _words(help_text="Of the cart's lines. Empty: every line.")

    class Meta:
        abstract = True

    def clean(self) -> None:
        """This will refuse an end that is not after the start, and drop what has nothing to look at but a purchase."""
        if self.starts_at is not None and self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": "It must end after it starts."})
        if self.kind != Kind.PURCHASE:
            self.smallest_purchase, self.categories = None, []


class EarningRule(Conditions):
    """How many points something earns."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="earning_rules", verbose_name="programme")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    activity = models.CharField(
        max_length=50, blank=True, validators=[_CODE], help_text="Which one it is for: check_in."
    )
    rate = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Points for each unit of the currency, for purchases.",
    )
    points = _amount(null=True, blank=True, help_text="Fixed points, for anything else.")
    most_per_transaction = _amount(null=True, blank=True)
    most_per_day = _amount(null=True, blank=True, help_text="Of one customer, and of one activity.")
    most_per_month = _amount(null=True, blank=True, help_text="Of one customer, and of one activity.")

    class Meta:
        verbose_name = "earning rule"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True)
                | models.Q(starts_at__isnull=True)
                | models.Q(ends_at__gt=models.F("starts_at")),
                name="earning_rule_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """This will refuse a rule that lacks what its kind needs, and drop what its kind has no use for."""
        super().clean()
        if self.kind == Kind.PURCHASE:
            self.points = None
            _need(self, "rate", "A purchase earns by a rate.")
        else:
            self.rate = None
        if self.kind == Kind.ACTIVITY:
            _need(self, "points", "An activity earns fixed points.")
            _need(self, "activity", "Name the activity.")
        else:
            self.activity = ""


class Campaign(Conditions):
    """More points than usual, for a while."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="campaigns", verbose_name="programme")
    code = models.CharField(max_length=50, validators=[_CODE], help_text="How callers name it in campaign_id.")
    name = models.CharField(max_length=100)
    kind = models.CharField("for", max_length=10, choices=Kind.choices, default=Kind.PURCHASE)
    effect = models.CharField(max_length=10, choices=Effect.choices, default=Effect.MULTIPLY)
    factor = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(1)), MaxValueValidator(Decimal(100))],
        help_text="2 doubles the points.",
    )
    points = _amount(null=True, blank=True, help_text="What is added.")
    tiers = _words(help_text="Codes of tiers. Empty: every customer.")
    first_purchase_only = models.BooleanField(default=False)
    most_per_customer = _amount(null=True, blank=True, help_text="Points that it gives one customer at most.")
    most_in_all = _amount(null=True, blank=True, help_text="Points that it gives at most.")
    expires_after_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3660)],
        help_text="Of bonus and referral points. Empty: as the kind of points says.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "code"], name="campaign_code_unique_in_program"),
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True)
                | models.Q(starts_at__isnull=True)
                | models.Q(ends_at__gt=models.F("starts_at")),
                name="campaign_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """This will refuse a campaign that lacks what its effect needs, and drop what it has no use for."""
        super().clean()
        if self.effect == Effect.MULTIPLY:
            self.points = None
            _need(self, "factor", "Say by what the points are multiplied.")
        else:
            self.factor = None
            _need(self, "points", "Say how many points are added.")
        if self.kind != Kind.PURCHASE:
            self.first_purchase_only = False
        if self.kind not in (Kind.BONUS, Kind.REFERRAL):
            self.expires_after_days = None


class CampaignBudget(models.Model):
    """What a campaign with a limit in all has given. Locked before the accounts that it gives to."""

    campaign = models.OneToOneField(Campaign, models.PROTECT, primary_key=True, related_name="budget")
    given = models.DecimalField(max_digits=20, decimal_places=2, default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(given__gte=0), name="budget_given_not_negative")]

    def __str__(self) -> str:
        return str(self.given)


class EarningScheme(models.Model):
    """What holds for all of a programme's rules."""

    program = models.OneToOneField(
        Program, models.PROTECT, primary_key=True, related_name="earning_scheme", verbose_name="programme"
    )
    combination = models.CharField(
        "campaigns together",
        max_length=10,
        choices=Combination.choices,
        default=Combination.BEST,
    )
    spend_basis = models.CharField(
        "purchases earn on",
        max_length=10,
        choices=SpendBasis.choices,
        default=SpendBasis.BEFORE,
    )
    excluded_categories = _words(help_text="Lines of the cart that earn nothing, such as gift cards.")

    class Meta:
        verbose_name = verbose_name_plural = "earning settings"

    def __str__(self) -> str:
        return f"Earning of {self.program}"


class Rulebook(models.Model):
    """All rules of a programme as they were at a time: tiers, earning, campaigns. Never changed."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="rulebooks", verbose_name="programme")
    version = models.PositiveIntegerField()
    content = models.JSONField()
    published_by = models.CharField(max_length=150)
    published_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "version of the rules"
        verbose_name_plural = "versions of the rules"
        constraints = [
            models.UniqueConstraint(fields=["program", "version"], name="rulebook_version_unique_in_program")
        ]

    def __str__(self) -> str:
        return f"Version {self.version}"
