"""Point definitions, accounts, and the ledger: entries, the lots they bring, and which lot paid what.

Only `points/ledger.py` writes accounts and ledger. Entries and uses never change (`points/migrations/sql/guards.sql`).
"""

import dataclasses
import functools
import uuid
from decimal import Decimal
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.base import ModelState
from django.db.models.functions import Coalesce, Now
from django.utils.functional import cached_property

from cards.models import Card, Customer
from loyalty import ids
from loyalty.models import Program
from loyalty.xids import Xid8Field
from points.description_models import DescriptionCode, DescriptionText
from points.expiry import MAX_DAYS, ExpiryPolicy, InvalidPolicy, Policy
from points.hold_models import Hold
from points.import_models import UnearnedPurchase
from points.lot_models import Clawback, LotUse, PointLot
from points.numbers import MAX_DIGITS, points_field
from points.order_models import Order
from points.reminder_models import Reminder
from points.rule_models import Campaign, CampaignBudget, EarningRule, EarningScheme, Rulebook
from tiers.models import Tier

__all__ = [
    "MAX_DIGITS",
    "UNLISTED",
    "AccountRef",
    "Campaign",
    "CampaignBudget",
    "Clawback",
    "DescriptionCode",
    "DescriptionText",
    "EarningRule",
    "EarningScheme",
    "EntryType",
    "Hold",
    "LotUse",
    "Order",
    "PointAccount",
    "PointDefinition",
    "PointLot",
    "PointTransaction",
    "Reminder",
    "Rulebook",
    "TierChange",
    "UnearnedPurchase",
    "points_field",
]

ERASED = "Erased"


class EntryType(models.TextChoices):
    """What a ledger entry did."""

    AWARD = "award"
    REDEEM = "redeem"
    ADJUST = "adjust"
    REVERSE = "reverse"
    EXPIRE = "expire"
    ACTIVATE = "activate"
    HOLD = "hold"
    RELEASE = "release"
    TRANSFER = "transfer"
    MERGE = "merge"


# They move points from one pocket of the account to another: the lists of v1 and v3 do not tell them.
UNLISTED = (EntryType.ACTIVATE, EntryType.HOLD, EntryType.RELEASE)


class PointDefinition(models.Model):
    """A kind of points. Its policies are copied onto what is posted; a change alters nothing that exists."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="definitions", verbose_name="programme")
    number = models.PositiveIntegerField(editable=False, help_text="From 1 in each programme.")
    code = models.CharField(max_length=50, validators=[RegexValidator(r"^[a-z0-9][a-z0-9_-]*$")])
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    decimal_places = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(2)])
    expiry_policy = models.CharField(max_length=20, choices=ExpiryPolicy.choices, default=ExpiryPolicy.MONTHS)
    expiry_count = models.PositiveSmallIntegerField(
        null=True, blank=True, default=12, validators=[MaxValueValidator(MAX_DAYS)], help_text="Months or days."
    )
    expiry_month = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(12)]
    )
    expiry_day = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(31)]
    )
    may_go_negative = models.BooleanField(
        default=False, help_text="Adjustments and reversals may take the balance below zero. Redemptions never may."
    )
    clawback = models.CharField(
        max_length=10,
        choices=Clawback.choices,
        default=Clawback.REFUSE,
        help_text="When an award is reversed whose points are already spent.",
    )
    point_value = models.DecimalField(
        "value of a point",
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="In the programme's currency: what reports count points as. Empty: they tell no money.",
    )
    is_default = models.BooleanField(default=False, help_text="What cards and customers mean by “points”.")
    counts_for_tiers = models.BooleanField(
        default=False, db_default=False, help_text="What is earned of these points decides on the customer's tier."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "code"], name="definition_code_unique_in_program"),
            models.UniqueConstraint(fields=["program", "number"], name="definition_number_unique_in_program"),
            models.UniqueConstraint(
                fields=["program"], condition=models.Q(is_default=True), name="definition_default_unique_in_program"
            ),
            models.UniqueConstraint(
                fields=["program"],
                condition=models.Q(counts_for_tiers=True),
                name="definition_for_tiers_unique_in_program",
            ),
            models.CheckConstraint(
                condition=models.Q(decimal_places__lte=2), name="definition_has_at_most_two_decimal_places"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """This will refuse an expiry policy that lacks what its kind needs."""
        try:
            self.policy  # noqa: B018
        except InvalidPolicy as error:
            raise ValidationError({f"expiry_{error.field}".replace("kind", "policy"): error.message}) from error

    @property
    def policy(self) -> Policy:
        """When points made today will expire."""
        return _policy(self.expiry_policy, self.expiry_count or 0, self.expiry_month or 0, self.expiry_day or 0)


@functools.lru_cache(maxsize=256)
def _policy(kind: str, count: int, month: int, day: int) -> Policy:
    return Policy(kind=ExpiryPolicy(kind), count=count, month=month, day=day)


class PointAccount(models.Model):
    """One customer's account of one definition: the snapshot of its ledger, and the row that is locked."""

    id = models.UUIDField(primary_key=True, editable=False, help_text="uuid5(customer id, definition id).")
    program = models.ForeignKey(Program, models.PROTECT, db_index=False, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, db_index=False, related_name="accounts")
    definition = models.ForeignKey(PointDefinition, models.PROTECT, db_index=False, related_name="+")
    may_go_negative = models.BooleanField()
    balance = points_field(default=0)
    pending = points_field(default=0)
    held = points_field(default=0, db_default=0, help_text="Set aside by holds: neither spendable nor expiring.")
    lifetime_earned = models.DecimalField(max_digits=2 * MAX_DIGITS, decimal_places=2, default=0)
    lifetime_redeemed = models.DecimalField(max_digits=2 * MAX_DIGITS, decimal_places=2, default=0)
    lifetime_expired = models.DecimalField(max_digits=2 * MAX_DIGITS, decimal_places=2, default=0)
    version = models.BigIntegerField(default=0, help_text="How many entries there are.")
    listed = models.BigIntegerField(
        default=0, db_default=0, help_text="How many of them lists tell: all that change what is owned."
    )
    effective_at = models.DateTimeField(null=True, help_text="When the newest entry took effect.")
    last_activity_at = models.DateTimeField(null=True, help_text="The customer's last award or redemption.")
    next_due_at = models.DateTimeField(null=True, help_text="No lot starts or ends, and no hold lapses, before this.")
    window_started_at = models.DateTimeField(null=True, help_text="When the minute began that the limit counts.")
    window_count = models.PositiveIntegerField(default=0, help_text="Postings counted in that minute.")
    tier = models.ForeignKey(Tier, models.PROTECT, null=True, db_index=False, related_name="+")
    tier_since = models.DateTimeField(null=True, help_text="When the tier was reached, or fallen to.")
    tier_until = models.DateTimeField(null=True, help_text="When it falls, if nothing more is earned.")
    tallies = models.JSONField(
        default=dict, db_default={}, help_text="What was earned by month, and what caps count, see points/tallies.py."
    )
    merged_into_id = models.UUIDField(null=True, help_text="The account of the customer that this one's became.")
    closed_at = models.DateTimeField(null=True, help_text="When its customer was erased: nothing is posted any more.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        permissions = [("adjust_points", "Can adjust points"), ("use_till", "Can use the till")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(balance__gte=0) | models.Q(may_go_negative=True), name="account_balance_not_negative"
            ),
            models.CheckConstraint(condition=models.Q(pending__gte=0), name="account_pending_not_negative"),
            models.CheckConstraint(condition=models.Q(held__gte=0), name="account_held_not_negative"),
            models.CheckConstraint(condition=models.Q(version__gte=0), name="account_version_not_negative"),
            models.CheckConstraint(
                condition=models.Q(version__gt=0) | models.Q(balance=0, pending=0, held=0),
                name="account_without_entries_is_empty",
            ),
            models.CheckConstraint(
                condition=models.Q(merged_into_id=None, closed_at=None) | models.Q(balance=0, pending=0, held=0),
                name="account_that_is_over_is_empty",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @staticmethod
    def id_for(customer_id: uuid.UUID, definition_id: uuid.UUID) -> uuid.UUID:
        """This will answer the account's id, which exists before the account does."""
        return ids.named_id(customer_id, str(definition_id))


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccountRef:
    """Names a customer's account of a definition, whether it exists already or not."""

    program: Program
    definition: PointDefinition
    customer_id: uuid.UUID

    # Django's: that of Python 3.11 takes a lock.
    @cached_property
    def id(self) -> uuid.UUID:
        """The account's id, worked out from both."""
        return PointAccount.id_for(self.customer_id, self.definition.id)

    def of(self, customer_id: uuid.UUID) -> "AccountRef":
        """This will answer another customer's account of the same definition."""
        return AccountRef(program=self.program, definition=self.definition, customer_id=customer_id)


class PointTransaction(models.Model):
    """A ledger entry. Never changed, never deleted; a correction is a new entry that names the old one."""

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(PointAccount, models.PROTECT, db_index=False, related_name="entries")
    program = models.ForeignKey(Program, models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    version = models.BigIntegerField(help_text="1, 2, 3 … in the account, without a gap.")
    type = models.CharField(max_length=10, choices=EntryType.choices)
    points = points_field(help_text="The signed change of points owned, pending and held ones among them.")
    balance_before = points_field()
    balance_after = points_field()
    pending_after = points_field()
    held_after = points_field(default=0, db_default=0)
    shortfall = points_field(default=0, help_text="What a reversal could not take because it was spent.")
    valid_from = models.DateTimeField(null=True, help_text="When points awarded in advance become active.")
    expires_at = models.DateTimeField(null=True, help_text="When the points that this entry brought expire.")
    reason = models.CharField(max_length=255, null=True, help_text="Null: erased with the customer.")
    reference = models.CharField(max_length=255, null=True)
    staff_member = models.CharField(max_length=255, null=True)
    metadata = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    actor = models.CharField(max_length=150, help_text="Who posted it: an API key, a member of staff, a command.")
    card = models.ForeignKey(Card, models.PROTECT, null=True, db_index=False, related_name="+")
    reverses = models.ForeignKey(
        "self", models.PROTECT, null=True, db_index=False, db_constraint=False, related_name="reversals"
    )
    transaction_date = models.DateTimeField(null=True, help_text="The caller's word; nothing is worked out from it.")
    external_id = models.UUIDField(null=True, help_text="The caller's own id of it, once in the account.")
    fingerprint = models.CharField(
        max_length=64, null=True, help_text="SHA-256 of what the caller sent under that id, in hex."
    )
    source = models.CharField(max_length=30, null=True, help_text="The caller's word for where it comes from.")
    line_item_id = models.CharField(max_length=100, null=True, help_text="The line of the receipt that it is of.")
    # Of another account, so that no foreign key can hold it: `points_check_entries` does.
    other_account_id = models.UUIDField(
        null=True, help_text="A transfer's or a merge's other account; of a reversal, where the entry undone is."
    )
    other_entry_id = models.UUIDField(null=True, help_text="The entry of a transfer or a merge in that account.")
    effective_at = models.DateTimeField(help_text="When it took effect: for a settled entry, when it was due.")
    created_at = models.DateTimeField(help_text="When it was written.")
    erased_at = models.DateTimeField(null=True, help_text="When its words were erased with the customer.")
    serial = models.BigIntegerField(
        db_default=models.Func(models.Value("points_entry_serial"), function="nextval"), editable=False
    )
    xid = Xid8Field(db_default=models.Func(function="pg_current_xact_id"), editable=False)

    class Meta:
        verbose_name = "ledger entry"
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["account", "version"], name="entry_version_unique_in_account"),
            models.CheckConstraint(condition=models.Q(version__gte=1), name="entry_version_from_one"),
            models.CheckConstraint(condition=models.Q(shortfall__gte=0), name="entry_shortfall_not_negative"),
            models.CheckConstraint(
                condition=models.Q(type="reverse") ^ models.Q(reverses=None), name="entry_reverse_names_its_entry"
            ),
            models.UniqueConstraint(
                fields=["program", "external_id", "account"],
                condition=models.Q(external_id__isnull=False),
                name="entry_external_id_unique_in_account",
            ),
            models.CheckConstraint(
                condition=models.Q(external_id=None) ^ models.Q(fingerprint__isnull=False),
                name="entry_external_id_has_a_fingerprint",
            ),
            models.CheckConstraint(condition=models.Q(held_after__gte=0), name="entry_held_not_negative"),
            models.CheckConstraint(
                condition=models.Q(reason__isnull=False) ^ models.Q(erased_at__isnull=False),
                name="entry_has_a_reason_until_it_is_erased",
            ),
            models.CheckConstraint(
                condition=models.Q(type__in=["transfer", "merge"], other_account_id__isnull=False)
                | (~models.Q(type__in=["transfer", "merge"]) & models.Q(other_entry_id=None)),
                name="entry_of_two_accounts_names_the_other",
            ),
        ]
        indexes = [
            models.Index(fields=["program", "id"], name="entry_program_id"),
            models.Index(fields=["program", "xid", "id"], name="entry_program_xid"),
            models.Index(
                fields=["program", "reference"],
                condition=models.Q(reference__isnull=False),
                name="entry_program_reference",
            ),
            models.Index(
                fields=["account", "reverses"],
                condition=models.Q(reverses__isnull=False),
                name="entry_account_reverses",
            ),
            models.Index(
                models.F("account"),
                Coalesce("transaction_date", "effective_at"),
                models.F("version"),
                name="entry_account_dated",
            ),
            models.Index(
                fields=["program", "line_item_id"],
                condition=models.Q(line_item_id__isnull=False),
                name="entry_program_line_item",
            ),
            # Lists of one type, which may be rare; those that are not are found in the list of all, and cost no index.
            models.Index(
                fields=["program", "type", "xid", "id"],
                condition=~models.Q(type__in=["award", "redeem"]),
                name="entry_program_type",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.points}"

    @property
    def told_reason(self) -> str:
        """Why it was posted, as people read it: also where that was erased with the customer."""
        return ERASED if self.reason is None else self.reason

    @classmethod
    def of(cls, **columns: Any) -> Self:
        """This will make an entry as from a row of these columns: what is not told is read when it is asked for. A bulk
        makes a thousand, and `from_db`, with its look at each field and its signals, costs ten times as much."""
        entry = cls.__new__(cls)
        entry._state = ModelState()
        entry._state.adding = False
        entry.__dict__.update(columns)
        return entry


class TierChange(models.Model):
    """A customer came to another tier. Append-only; what the clock did names no entry."""

    pk = models.CompositePrimaryKey("account_id", "id")
    id = models.UUIDField()
    account = models.ForeignKey(
        PointAccount, models.PROTECT, db_index=False, db_constraint=False, related_name="tier_changes"
    )
    program = models.ForeignKey(Program, models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    entry = models.ForeignKey(
        PointTransaction, models.PROTECT, null=True, db_index=False, db_constraint=False, related_name="+"
    )
    from_tier = models.ForeignKey(
        Tier, models.PROTECT, null=True, db_index=False, db_constraint=False, related_name="+"
    )
    to_tier = models.ForeignKey(Tier, models.PROTECT, null=True, db_index=False, db_constraint=False, related_name="+")
    points = points_field(help_text="The points that counted for the tier then.")
    effective_at = models.DateTimeField(help_text="When it took effect: for a fall, when it was due.")

    def __str__(self) -> str:
        return f"{self.from_tier_id} to {self.to_tier_id}"
