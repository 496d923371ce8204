"""The programme (the tenant), its API keys, and the record of answered requests."""

import zoneinfo
from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now

from loyalty import ids


class Scope(models.TextChoices):
    """What an API key may do."""

    LOYALTY_READ = "loyalty:read", "Read cards and customers"
    LOYALTY_WRITE = "loyalty:write", "Create and change cards and customers"
    POINTS_READ = "points:read", "Read balances and histories"
    POINTS_MANAGE = "points:manage", "Award, redeem, reverse and expire points"
    POINTS_ADJUST = "points:adjust", "Adjust points"
    REWARDS_MANAGE = "rewards:manage", "Manage rewards"
    ANALYTICS_READ = "analytics:read", "Read reports"
    WEBHOOKS_MANAGE = "webhooks:manage", "Manage webhooks"
    PROGRAM_MANAGE = "program:manage", "Manage the programme"


def validate_timezone(value: str) -> None:
    """This will refuse a name that is not in the IANA time zone database.

    Raises:
        ValidationError: the name is unknown.
    """
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise ValidationError(f"“{value}” is not a time zone, for example Europe/Vilnius.") from error


class Program(models.Model):
    """A tenant. Every row of the service belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    currency = models.CharField(
        max_length=3, default="EUR", validators=[RegexValidator(r"^[A-Z]{3}$", "Three capital letters, as in EUR.")]
    )
    timezone = models.CharField("time zone", max_length=50, default="UTC", validators=[validate_timezone])
    locale = models.CharField(max_length=10, default="en")
    is_sandbox = models.BooleanField("sandbox", default=False, help_text="Secrets of a sandbox begin sk_test_.")
    transaction_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=100,
        validators=[MinValueValidator(1)],
        help_text="Most single point operations a minute on one account. Empty: no limit.",
    )
    has_point_accounts = models.BooleanField(
        "point accounts",
        default=True,
        db_default=True,
        help_text="Whether the API of point accounts (/api/v3) may post. What exists stays readable.",
    )
    transfers_enabled = models.BooleanField(
        "transfers",
        default=False,
        db_default=False,
        help_text="Whether customers may send points to one another.",
    )
    transfer_daily_points = models.DecimalField(
        "points sent a day",
        max_digits=15,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="Most points that a customer may send in a day of the programme. Empty: no limit.",
    )
    keeps_events = models.BooleanField(
        "event log",
        default=False,
        db_default=False,
        help_text="Whether what happens is kept for /v1/events though nobody subscribes to it by a webhook.",
    )
    sends_notices = models.BooleanField(
        "notices",
        default=False,
        db_default=False,
        editable=False,
        help_text="Whether customers are written to by e-mail: switched by notices/following.py.",
    )
    margin_percent = models.DecimalField(
        "margin",
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
        help_text="Per cent of a sale that stays with the shop: what reports work out the return with.",
    )
    rules_version = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="The newest version of its rulebook; 0: it has none."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "programme"

    def __str__(self) -> str:
        return self.name or self.slug


class ApiKey(models.Model):
    """Credentials of one caller of one programme. The secret itself is never stored."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="api_keys", verbose_name="programme")
    name = models.CharField(max_length=100, blank=True)
    key_id = models.CharField(max_length=40, unique=True, editable=False)
    secret_prefix = models.CharField(max_length=40, unique=True, editable=False)
    secret_hash = models.CharField(max_length=150, editable=False)
    scopes = ArrayField(models.CharField(max_length=30, choices=Scope.choices), default=list)
    allowed_ips = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        verbose_name="allowed IP ranges",
        help_text="Addresses or ranges such as 192.0.2.0/24. Empty: any address.",
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name or self.key_id


class IdempotencyRecord(models.Model):
    """What was answered under a key, so that the same request gets the same answer.

    The owner is the account of a single posting, the programme of everything else.
    """

    pk = models.CompositePrimaryKey("owner_id", "key")
    owner_id = models.UUIDField()
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and canonical body, in hex.")
    status = models.PositiveSmallIntegerField(null=True, help_text="Null only inside the transaction that answers.")
    body = models.TextField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="idempotency_created_at")]
