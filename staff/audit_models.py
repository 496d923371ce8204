"""The audit log: what staff and commands of the service did, for good."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from loyalty import ids
from loyalty.models import Program


class Action(models.TextChoices):
    """What was done."""

    ADDED = "added", "Added"
    CHANGED = "changed", "Changed"
    REMOVED = "removed", "Removed"
    ADJUSTED = "adjusted", "Adjusted points"
    REVERSED = "reversed", "Reversed an entry"
    REQUESTED = "requested", "Asked for an adjustment"
    APPROVED = "approved", "Approved an adjustment"
    REFUSED = "refused", "Refused an adjustment"
    WITHDRAWN = "withdrawn", "Withdrew an adjustment"
    ISSUED = "issued", "Issued a card"
    BLOCKED = "blocked", "Blocked a card"
    UNBLOCKED = "unblocked", "Unblocked a card"
    ACTIVATED = "activated", "Activated a card"
    REPLACED = "replaced", "Replaced a card"
    MERGED = "merged", "Merged customers"
    ERASED = "erased", "Erased a customer"
    REVOKED = "revoked", "Revoked an API key"
    ROTATED = "rotated", "Rotated a secret"
    PAUSED = "paused", "Paused an endpoint"
    RESUMED = "resumed", "Resumed an endpoint"
    EXPORTED = "exported", "Exported rows"
    MADE_DEFAULT = "made_default", "Made the default"
    SIGNED_IN = "signed_in", "Signed in"
    SIGN_IN_FAILED = "sign_in_failed", "Failed to sign in"


class AuditEntry(models.Model):
    """One deed of one person, or of a command. Append-only. It names customers by their ids alone, so that it need not
    change when one is erased."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150, help_text="The user name of the time, or which command it was.")
    # Not a foreign key: it costs nothing here, and the log outlasts what it tells of.
    user_id = models.BigIntegerField(null=True)
    action = models.CharField(max_length=20, choices=Action.choices)
    object_kind = models.CharField(max_length=50, blank=True, help_text="The table, as in cards.customer.")
    object_id = models.CharField(max_length=64, blank=True)
    program = models.ForeignKey(
        Program,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name="programme",
        help_text="Null: it is of no programme.",
    )
    facts = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    request_id = models.CharField(max_length=64, help_text="As in X-Request-Id and in the log of the service.")

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["at", "id"], name="audit_at"),
            models.Index(fields=["program", "at", "id"], name="audit_program_at"),
            models.Index(fields=["program", "action", "at", "id"], name="audit_program_action_at"),
            models.Index(fields=["action", "at", "id"], name="audit_action_at"),
            models.Index(fields=["user_id", "at", "id"], name="audit_user_at"),
            models.Index(fields=["object_id", "at", "id"], name="audit_object_at"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.get_action_display().lower()}"
