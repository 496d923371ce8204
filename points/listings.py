"""Lists of ledger entries as the shop's API tells them: with kinds and states of its own, newest first.

What only moves points from pending to available (`activate`) is no row of these lists.
"""

import dataclasses
import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum, TextChoices, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Abs, Coalesce
from django_filters import Filter

from loyalty.models import Program
from points import histories
from points.lots import ZERO
from points.models import UNLISTED, AccountRef, EntryType, PointAccount, PointTransaction, points_field

# Awards that have one of these as their source, or as `transaction_type` in their metadata, are told as a bonus.
BONUSES = ("bonus", "referral")


class Kind(TextChoices):
    """What an entry did."""

    AWARD = "award"
    BONUS = "bonus"
    REDEEM = "redeem"
    ADJUSTMENT = "adjustment"
    EXPIRED = "expired"


class Status(TextChoices):
    """What became of an entry."""

    COMPLETED = "completed"
    PENDING = "pending"
    CANCELLED = "cancelled"


# By the entry's type; an award may be a bonus.
_KINDS = {
    EntryType.AWARD: Kind.AWARD,
    EntryType.REDEEM: Kind.REDEEM,
    EntryType.ADJUST: Kind.ADJUSTMENT,
    EntryType.REVERSE: Kind.ADJUSTMENT,
    EntryType.EXPIRE: Kind.EXPIRED,
    EntryType.TRANSFER: Kind.ADJUSTMENT,
    EntryType.MERGE: Kind.ADJUSTMENT,
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """How many entries there are, the points of the awards and redemptions among them, and the sum of all."""

    transaction_count: int
    total_awarded: Decimal
    total_redeemed: Decimal
    net_change: Decimal


class ListedFilters(histories.EntryFilters):
    """Which entries of a list are wanted, by values that have been read. `to_date` is exclusive."""

    kind = Filter(method="of_kind")
    status = Filter(method="in_status")

    def __init__(self, selected: Mapping[str, Any], *, queryset: QuerySet[Any], at: datetime.datetime) -> None:
        super().__init__(selected, queryset=queryset)
        self.at = at

    def of_kind(self, entries: QuerySet[PointTransaction], _: str, kind: str) -> QuerySet[PointTransaction]:
        """This will answer the entries of a kind."""
        # Coalesced it is a text; a key of JSON would be compared with JSON.
        word = Coalesce(KeyTextTransform("transaction_type", "metadata"), Value(""), output_field=TextField())
        awards = entries.filter(type=EntryType.AWARD).alias(word=word, from_where=Coalesce("source", Value("")))
        is_bonus = Q(word__in=BONUSES) | Q(from_where__in=BONUSES)
        match kind:
            case Kind.AWARD:
                return awards.exclude(is_bonus)
            case Kind.BONUS:
                return awards.filter(is_bonus)
        return entries.filter(type__in=[known for known, told in _KINDS.items() if told == Kind(kind)])

    def in_status(self, entries: QuerySet[PointTransaction], _: str, status: str) -> QuerySet[PointTransaction]:
        """This will answer the entries in a state by the clock."""
        reversals = PointTransaction.objects.filter(account_id=OuterRef("account_id"), reverses_id=OuterRef("id"))
        undone = reversals.values("reverses_id").values(total=Sum(Abs("points") + F("shortfall")))
        zero = Value(ZERO, output_field=points_field())
        entries = entries.alias(undone=Coalesce(Subquery(undone, output_field=points_field()), zero))
        is_cancelled = Q(undone__gt=0, undone__gte=Abs("points"))
        match status:
            case Status.CANCELLED:
                return entries.filter(is_cancelled)
            case Status.PENDING:
                return entries.exclude(is_cancelled).filter(valid_from__gt=self.at)
        return entries.exclude(is_cancelled).filter(Q(valid_from=None) | Q(valid_from__lte=self.at))


def of_program(*, program: Program, at: datetime.datetime, selected: Mapping[str, Any]) -> QuerySet[PointTransaction]:
    """This will answer the programme's entries, their cards with them; see `histories.of_program` for the newest."""
    return _listed(histories.of_program(program=program).reverse(), at, selected)


def of_account(
    *, account: AccountRef, at: datetime.datetime, selected: Mapping[str, Any]
) -> QuerySet[PointTransaction]:
    """This will write what fell due by `at`, and answer the account's entries, their cards with them."""
    return _listed(histories.of_account(account=account, at=at), at, selected)


def summary(entries: QuerySet[PointTransaction]) -> Summary:
    """This will count and sum entries."""
    sums = entries.order_by().aggregate(
        total=Count("*"),
        awarded=Sum("points", filter=Q(type=EntryType.AWARD)),
        redeemed=Sum("points", filter=Q(type=EntryType.REDEEM)),
        all=Sum("points"),
    )
    return Summary(
        transaction_count=sums["total"],
        total_awarded=sums["awarded"] or ZERO,
        total_redeemed=-(sums["redeemed"] or ZERO),
        net_change=sums["all"] or ZERO,
    )


def count(account: AccountRef) -> int:
    """This will answer how many entries an account has, also those that time alone made, without counting them."""
    return PointAccount.objects.filter(pk=account.id).values_list("version", flat=True).first() or 0


def kind(entry: PointTransaction) -> Kind:
    """This will answer what an entry is told as."""
    words = (entry.source, (entry.metadata or {}).get("transaction_type"))
    if entry.type == EntryType.AWARD and any(word in BONUSES for word in words):
        return Kind.BONUS
    return _KINDS[EntryType(entry.type)]


def status(entry: PointTransaction, undone: Decimal, *, at: datetime.datetime) -> Status:
    """This will answer what became of an entry of which so many points were reversed."""
    if undone and undone >= abs(entry.points):
        return Status.CANCELLED
    if entry.valid_from is not None and entry.valid_from > at:
        return Status.PENDING
    return Status.COMPLETED


def _listed(
    entries: QuerySet[PointTransaction], at: datetime.datetime, selected: Mapping[str, Any]
) -> QuerySet[PointTransaction]:
    told = entries.exclude(type__in=UNLISTED).select_related("card")
    return ListedFilters(selected, queryset=told, at=at).qs
