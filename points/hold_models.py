"""Points that are set aside, for a checkout that is not paid yet."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from loyalty.models import Program
from points.numbers import points_field


class Hold(models.Model):
    """Points set aside, pinned to the lots that they are of. Resolved once: captured, released or lapsed.

    It has the id of the entry that set them aside. Where its account was merged into another, the hold goes on there
    under the same id.
    """

    class Status(models.TextChoices):
        """What became of it."""

        ACTIVE = "active"
        CAPTURED = "captured"
        RELEASED = "released"
        LAPSED = "lapsed"
        MOVED = "moved"

    pk = models.CompositePrimaryKey("account_id", "id")
    id = models.UUIDField()
    account = models.ForeignKey(
        "points.PointAccount", models.PROTECT, db_index=False, db_constraint=False, related_name="holds"
    )
    program = models.ForeignKey(Program, models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    points = points_field()
    captured_points = points_field(default=0)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    pins = models.JSONField(
        encoder=DjangoJSONEncoder, help_text="What is of which lot, in the order of spending: [lot id, points] each."
    )
    reference = models.CharField(max_length=255, null=True)
    metadata = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    expires_at = models.DateTimeField(help_text="When it lapses, if nobody resolves it.")
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolved_by_id = models.UUIDField(null=True, help_text="The entry that resolved it.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(points__gt=0), name="hold_points_positive"),
            models.CheckConstraint(
                condition=models.Q(captured_points__gte=0, captured_points__lte=models.F("points")),
                name="hold_captures_no_more_than_it_has",
            ),
            models.CheckConstraint(
                condition=models.Q(status="captured") ^ models.Q(captured_points=0),
                name="hold_that_is_captured_has_captured_points",
            ),
            models.CheckConstraint(
                condition=models.Q(status="active") ^ models.Q(resolved_at__isnull=False, resolved_by_id__isnull=False),
                name="hold_is_resolved_by_an_entry",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "expires_at", "id"], condition=models.Q(status="active"), name="hold_active"
            ),
            models.Index(fields=["program", "id"], name="hold_program_id"),
        ]

    def __str__(self) -> str:
        return f"{self.points} until {self.expires_at:%Y-%m-%d %H:%M}"
