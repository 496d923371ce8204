"""What an import has to remember beside the entries that it posted."""

from django.db import models
from django.db.models.functions import Now


class UnearnedPurchase(models.Model):
    """A purchase of a file that earned nothing by the rules: no entry tells the next import that it was there."""

    # Worked out from the account, the number of the row and what it says.
    id = models.UUIDField(primary_key=True, editable=False)
    account_id = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return str(self.id)
