"""Figures of a day, counted from the ledger once and kept: what reports read instead of the ledger."""

from django.db import models

from loyalty.models import Program
from loyalty.xids import Xid8Field
from points.models import PointDefinition


class Measure(models.TextChoices):
    """What a figure tells of a day. Points are signed as the ledger signs them, unless it is said otherwise."""

    # Changes of what is available or held, by what made them: they add up to the change of the balance.
    EARNED = "earned"
    ACTIVATED = "activated"
    ADJUSTED = "adjusted"
    REVERSED = "reversed"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    TRANSFERRED = "transferred"
    # The change of what is pending, whatever made it.
    PENDING = "pending"
    # Points of all awards, those among them that were pending at first.
    AWARDED = "awarded"
    AWARDS = "awards"
    REDEMPTIONS = "redemptions"
    # Redemptions by their size; the key is the least that such a one takes.
    REDEMPTION_SIZE = "redemption_size"
    # Accounts that did something that day; that did so for the first time in the month; that had their first entry.
    EARNERS = "earners"
    REDEEMERS = "redeemers"
    ACTIVE = "active"
    MONTH_EARNERS = "month_earners"
    MONTH_REDEEMERS = "month_redeemers"
    MONTH_ACTIVE = "month_active"
    NEW = "new"
    # Accounts whose last award or redemption is of that day: each activity takes its account from the day before.
    LAST_ACTIVE = "last_active"
    # Changes of what is owned by when it ends, and what of that is pending. The key is an `Ending` or a day.
    OWED = "owed"
    OWED_PENDING = "owed_pending"
    # Accounts by the tier that they held when it was last counted that day. The key is its id; empty: none.
    TIER = "tier"
    # Points redeemed, by the month in which they were earned; and each of them times the seconds since then.
    COHORT = "cohort"
    REDEEMED_SECONDS = "redeemed_seconds"
    # Redemptions of a reward, and the points of those. The key is the reward's id.
    REWARD = "reward"
    REWARD_POINTS = "reward_points"
    # By month, told on its first day: customers who bought or redeemed in it, and what they spent in it; those who
    # redeemed in it apart from those who did not.
    REDEEMING = "redeeming"
    REDEEMING_SPEND = "redeeming_spend"
    OTHERS = "others"
    OTHERS_SPEND = "others_spend"


class Ending(models.TextChoices):
    """When points end that have no day on which they do."""

    NEVER = "never"
    INACTIVITY = "inactivity"
    # Points that were taken and not there. They are below zero.
    DEBT = "debt"


class Figure(models.Model):
    """A measure of a day of the programme, of points of one kind. Only `reports/counting.py` writes them."""

    pk = models.CompositePrimaryKey("definition_id", "measure", "day", "key")
    definition = models.ForeignKey(PointDefinition, models.PROTECT, db_index=False, related_name="+")
    measure = models.CharField(max_length=20, choices=Measure.choices)
    day = models.DateField(help_text="In the programme's time zone.")
    key = models.CharField(max_length=36, help_text="What it is told apart by; empty where there is one of a day.")
    value = models.DecimalField(max_digits=40, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.measure} {self.day} {self.key}: {self.value}"


class CountedUpTo(models.Model):
    """How far the entries of a programme are counted, in the order of their lists. The row is locked by who counts."""

    program = models.OneToOneField(Program, models.PROTECT, primary_key=True, related_name="+")
    timezone = models.CharField(max_length=50, help_text="The zone of the days. In another one all is counted anew.")
    xid = Xid8Field(null=True, help_text="Of the last entry that is counted.")
    entry_id = models.UUIDField(null=True)
    counted_at = models.DateTimeField(null=True, help_text="When it last came to the end. Null: never yet.")

    def __str__(self) -> str:
        return f"{self.program_id} until {self.counted_at}"


class AccountMonth(models.Model):
    """What an account's customer spent in a month of the programme, and redeemed: it tells who redeemed from who did
    not, whichever of both came first. Only `reports/counting.py` writes them."""

    pk = models.CompositePrimaryKey("account_id", "month")
    account_id = models.UUIDField()
    month = models.DateField(help_text="Its first day.")
    definition = models.ForeignKey(PointDefinition, models.PROTECT, related_name="+")
    spend = models.DecimalField(max_digits=30, decimal_places=2)
    redeemed = models.BooleanField()

    def __str__(self) -> str:
        return f"{self.account_id} {self.month}"
