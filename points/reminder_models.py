"""What customers were told of in advance."""

from django.db import models

from loyalty import ids


class Reminder(models.Model):
    """So many days before a day was told that something ends on it: of an account, once."""

    class Kind(models.TextChoices):
        """What ends."""

        POINTS = "points"
        TIER = "tier"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    account_id = models.UUIDField()
    kind = models.CharField(max_length=6, choices=Kind.choices)
    ends_on = models.DateField(help_text="The day of the programme.")
    days = models.PositiveSmallIntegerField(help_text="How many days before.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "kind", "ends_on", "days"], name="reminder_once_in_account")
        ]
        indexes = [models.Index(fields=["ends_on"], name="reminder_ends_on")]

    def __str__(self) -> str:
        return f"{self.kind} {self.ends_on}"
