"""What a programme writes to its customers about, in which words, and every notice that it wrote or is to write."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from cards.models import Customer
from loyalty import ids, xids
from loyalty.models import Program
from notices import kinds, placeholders
from notices.kinds import Kind

_ONE_LINE = RegexValidator(r"[\r\n]", "It must be on one line.", inverse_match=True)


class NoticeSettings(models.Model):
    """How a programme writes to its customers, and how far it has read the log of events. Whether it writes at all is
    the programme's `sends_notices`."""

    program = models.OneToOneField(
        Program, models.PROTECT, primary_key=True, related_name="notice_settings", verbose_name="programme"
    )
    kinds = ArrayField(
        models.CharField(max_length=20, choices=Kind.choices),
        default=list,
        blank=True,
        help_text="What customers are written about.",
    )
    sender_name = models.CharField(
        max_length=100,
        blank=True,
        validators=[_ONE_LINE],
        help_text="Who it is from, as customers see it. Empty: the programme's name.",
    )
    reply_to = models.EmailField(
        "replies to", max_length=254, blank=True, help_text="Where answers go. Empty: to the sender's address."
    )
    # Events up to here are told, and those that were there when notices were switched on are none of its.
    cursor_xid = xids.Xid8Field(null=True, editable=False)
    cursor_id = models.UUIDField(default=uuid.UUID(int=0), editable=False)
    started_in = models.TextField(
        blank=True, editable=False, help_text="The snapshot in which notices were switched on."
    )

    class Meta:
        verbose_name = verbose_name_plural = "notice settings"

    def __str__(self) -> str:
        return f"Notices of {self.program}"


class NoticeTemplate(models.Model):
    """What a notice says in one language of a programme, where it does not say what the service does."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="+", verbose_name="programme")
    kind = models.CharField("about", max_length=20, choices=Kind.choices)
    language = models.CharField(max_length=10, choices=settings.LANGUAGES)
    subject = models.CharField(max_length=200, validators=[_ONE_LINE])
    text = models.TextField(max_length=10_000, help_text="For readers that show no HTML.")
    html = models.TextField(
        "HTML", max_length=50_000, blank=True, help_text="Empty: made from the text, its paragraphs one by one."
    )

    class Meta:
        verbose_name = "notice text"
        constraints = [
            models.UniqueConstraint(
                fields=["program", "kind", "language"],
                name="notice_template_unique_in_program",
                violation_error_message="The programme has a text for this in this language already.",
            )
        ]

    def __str__(self) -> str:
        return f"{Kind(self.kind).label} ({self.language})"

    def clean(self) -> None:
        """This will refuse names that a notice of this kind does not know.

        Raises:
            ValidationError: there is one, in a field that it names.
        """
        if self.kind not in Kind.values:
            return
        faults = {}
        for field in ("subject", "text", "html"):
            try:
                placeholders.check(getattr(self, field), kinds.PLACEHOLDERS[Kind(self.kind)])
            except ValidationError as fault:
                faults[field] = fault.messages
        if faults:
            raise ValidationError(faults)


class Notice(models.Model):
    """An e-mail about one event. It keeps neither the address nor the words: those are the customer's of the moment."""

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        DROPPED = "dropped", "Not sent"

    class Fault(models.TextChoices):
        """Why it has not been sent, or will not be."""

        NO_CUSTOMER = "no_customer", "The customer was erased"
        NO_ADDRESS = "no_address", "The customer has no e-mail address"
        UNSUBSCRIBED = "unsubscribed", "The customer has unsubscribed"
        SWITCHED_OFF = "switched_off", "Notices were switched off"
        TOO_LATE = "too_late", "It is over what it would have told"
        UNSENDABLE = "unsendable", "The address cannot be written to"
        REFUSED = "refused", "The mail server refused it"
        AWAY = "away", "The mail server could not be used"
        INTERRUPTED = "interrupted", "The sending was interrupted"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, db_index=False, related_name="+", verbose_name="programme")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    event_id = models.UUIDField()
    kind = models.CharField("about", max_length=20, choices=Kind.choices)
    facts = models.JSONField(encoder=DjangoJSONEncoder, help_text="Numbers, dates and tiers that it tells.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    fault = models.CharField(max_length=20, choices=Fault.choices, blank=True)
    reply_code = models.PositiveSmallIntegerField(null=True, help_text="What the mail server answered last.")
    language = models.CharField(max_length=10, blank=True, help_text="In which it was sent.")
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    first_attempt_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True, help_text="Null: there is none to come.")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [("retry_notice", "Can send failed notices again")]
        constraints = [
            models.UniqueConstraint(fields=["event_id", "kind"], name="notice_unique_for_event_and_kind"),
            models.CheckConstraint(
                condition=models.Q(state="waiting") ^ models.Q(next_attempt_at=None),
                name="notice_waits_for_an_attempt",
            ),
            models.CheckConstraint(
                condition=models.Q(state="sent") ^ models.Q(sent_at=None), name="notice_sent_says_when"
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at", "id"], condition=models.Q(state="waiting"), name="notice_waiting"),
            models.Index(fields=["program", "state", "id"], name="notice_program_state"),
            models.Index(fields=["created_at"], name="notice_created_at"),
        ]

    def __str__(self) -> str:
        return Kind(self.kind).label
