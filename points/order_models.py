"""What a shop's order earned and spent, so that a cancellation or a refund knows what to undo."""

from django.db import models
from django.db.models.functions import Now

from loyalty import ids
from loyalty.models import Program
from points.numbers import points_field


class Order(models.Model):
    """An order of a shop. The row is locked before the account that it posts to."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    program = models.ForeignKey(Program, models.PROTECT, related_name="orders", verbose_name="programme")
    number = models.CharField(max_length=255, help_text="The shop's own: order_id.")
    account_id = models.UUIDField()
    card_id = models.UUIDField(null=True)
    total = models.DecimalField(max_digits=17, decimal_places=2, null=True, help_text="Null: only points were sent.")
    currency = models.CharField(max_length=3)
    award_id = models.UUIDField(null=True, help_text="The entry that it earned.")
    redemption_id = models.UUIDField(null=True, help_text="The entry that it spent.")
    earned = points_field(default=0)
    spent = points_field(default=0)
    refunded = models.DecimalField(max_digits=17, decimal_places=2, default=0, help_text="Of the total.")
    taken = points_field(default=0, help_text="Of what it earned, taken back.")
    returned = points_field(default=0, help_text="Of what it spent, given back.")
    is_closed = models.BooleanField(default=False, help_text="Refunded as a whole.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "number"], name="order_number_unique_in_program"),
            models.CheckConstraint(
                condition=models.Q(taken__lte=models.F("earned"), returned__lte=models.F("spent")),
                name="order_undoes_no_more_than_it_did",
            ),
            models.CheckConstraint(
                condition=models.Q(total__isnull=True) | models.Q(refunded__lte=models.F("total")),
                name="order_refunds_no_more_than_its_total",
            ),
        ]

    def __str__(self) -> str:
        return self.number
