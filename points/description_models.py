"""What description codes say in a programme where it says it otherwise than the service."""

from django.conf import settings
from django.db import models

from loyalty import ids
from loyalty.models import Program


class DescriptionCode(models.TextChoices):
    """The codes that descriptions of transactions may hold, written `@@(code)`."""

    POINTS = "Bonus.Points", "@@(Bonus.Points)"
    EXPIRED = "RemovedDueToTimeLimit", "@@(RemovedDueToTimeLimit)"
    DISCOUNT = "Bonus.DeductionForDiscount", "@@(Bonus.DeductionForDiscount)"
    RETURN = "Bonus.DeductionForReturn", "@@(Bonus.DeductionForReturn)"
    VOUCHER = "ConvertedToBonusCheck", "@@(ConvertedToBonusCheck)"


class DescriptionText(models.Model):
    """What a code says in one language of a programme."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="+", verbose_name="programme")
    code = models.CharField(max_length=50, choices=DescriptionCode.choices)
    language = models.CharField(max_length=10, choices=settings.LANGUAGES)
    text = models.CharField(max_length=255, help_text="What people read in place of the code.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["program", "code", "language"],
                name="description_text_unique_in_program",
                violation_error_message="The programme has a text for this code in this language already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} ({self.language})"
