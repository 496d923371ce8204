"""Customers, and the cards that name them."""

import re

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now

from loyalty import ids, xids
from loyalty.models import Program

# Callers name a customer by our id or by the shop's own: one must not pass for the other.
LIKE_OUR_ID = r"^cus_[0-9a-f]{32}"
_LIKE_OUR_ID = re.compile(LIKE_OUR_ID)
# What is printed on a card.
CARD_NUMBER = re.compile(r"LC[0-9]{12}")


def looks_like_ours(external_id: str) -> bool:
    """This will tell whether what should be the shop's own id of a customer looks like one of this service."""
    return _LIKE_OUR_ID.match(external_id) is not None


def _serial(sequence: str) -> models.BigIntegerField:
    """The number by which the shop's API names a row."""
    return models.BigIntegerField(
        unique=True, db_default=models.Func(models.Value(sequence), function="nextval"), editable=False
    )


class Customer(models.Model):
    """The person (member, contact) who owns points, with or without a card."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="customers", verbose_name="programme")
    email = models.EmailField(max_length=254, null=True, blank=True)
    name = models.CharField(max_length=200, blank=True)
    phone = models.CharField(max_length=50, blank=True)
    external_id = models.CharField(
        max_length=100,
        null=True,
        blank=True,
        validators=[RegexValidator(LIKE_OUR_ID, "Looks like an id of this service.", inverse_match=True)],
        help_text="The shop's own id of the customer.",
    )
    locale = models.CharField(max_length=10, blank=True)
    metadata = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    unsubscribed_from = ArrayField(
        models.CharField(max_length=20),
        default=list,
        db_default=[],
        blank=True,
        editable=False,
        help_text="What the customer wants no e-mails of: groups of notices, or all.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    serial = _serial("cards_customer_serial")
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, editable=False, db_index=False, related_name="merged"
    )
    merged_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    xid = xids.field()

    class Meta:
        permissions = [("erase_customer", "Can erase customers")]
        constraints = [
            models.UniqueConstraint("program", Lower("email"), name="customer_email_unique_in_program"),
            models.UniqueConstraint(fields=["program", "external_id"], name="customer_external_id_unique_in_program"),
            models.CheckConstraint(
                condition=models.Q(erased_at=None)
                | models.Q(email=None, external_id=None, name="", phone="", locale="", metadata={}),
                name="customer_erased_says_nothing",
            ),
        ]
        indexes = [
            models.Index(
                fields=["merged_into"], condition=models.Q(merged_into__isnull=False), name="customer_merged_into"
            ),
            models.Index(fields=["program", "xid", "id"], name="customer_program_xid"),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.external_id or str(self.id)


class Card(models.Model):
    """A numbered card that names a customer. Points belong to the customer, not to the card."""

    class Status(models.TextChoices):
        """What staff or the caller set; `expired` follows from `expires_at` and the clock."""

        ACTIVE = "active"
        INACTIVE = "inactive"
        BLOCKED = "blocked"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="cards", verbose_name="programme")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="cards")
    number = models.CharField(max_length=14, editable=False, help_text="LC and 12 digits.")
    design = models.CharField(max_length=50, default="default")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    # What unblocking goes back to: a card that was never activated is still not.
    status_before_block = models.CharField(
        max_length=10, choices=Status.choices, default=Status.ACTIVE, db_default=Status.ACTIVE, editable=False
    )
    status_reason = models.CharField(max_length=255, blank=True)
    internal_note = models.CharField(max_length=1000, blank=True)
    blocked_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="replaces")
    metadata = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    serial = _serial("cards_card_serial")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "number"], name="card_number_unique_in_program"),
            models.CheckConstraint(
                condition=models.Q(number__regex=f"^{CARD_NUMBER.pattern}$"), name="card_number_is_lc_and_12_digits"
            ),
            models.CheckConstraint(
                condition=models.Q(replaced_by=None) | models.Q(status="inactive"), name="card_replaced_is_inactive"
            ),
        ]
        indexes = [models.Index(fields=["program", "created_at", "id"], name="card_program_created_at")]

    def __str__(self) -> str:
        return self.number
