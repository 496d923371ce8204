"""Lists of ledger entries: of one account by version, of a programme in an order that a cursor can rely on."""

import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from django.db.models import Count, Q, QuerySet, Sum
from django_filters import Filter, FilterSet

from loyalty import ids, xids
from loyalty.models import Program
from points import heirs, ledger, store
from points.lots import ZERO
from points.models import AccountRef, EntryType, LotUse, PointAccount, PointLot, PointTransaction


class EntryFilters(FilterSet):
    """Which entries of a list are wanted, by values that have been read. `to_date` is exclusive."""

    type = Filter()
    reference = Filter()
    staff_member = Filter()
    from_date = Filter("created_at", "gte")
    to_date = Filter("created_at", "lt")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """How many entries there are, and the points of the awards, redemptions and expiries among them, none negative."""

    total_transactions: int
    points_awarded: Decimal
    points_redeemed: Decimal
    points_expired: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Reversed:
    """How much of an entry was reversed, and by which entries."""

    points: Decimal = ZERO
    by: tuple[uuid.UUID, ...] = ()


def of_account(
    *, account: AccountRef, at: datetime.datetime, selected: Mapping[str, Any] | None = None
) -> QuerySet[PointTransaction]:
    """This will write what fell due by `at`, and answer the account's entries, newest first, `selected` as the filters
    name it."""
    settle(account=account, at=at)
    entries = PointTransaction.objects.filter(account_id=account.id).order_by("-version")
    return EntryFilters(selected, queryset=entries).qs


def settle(*, account: AccountRef, at: datetime.datetime) -> None:
    """This will write what fell due by `at` in an account that is to be listed."""
    if PointAccount.objects.filter(pk=account.id, next_due_at__lte=at).exists():
        ledger.settle([account], at=at)


def of_program(*, program: Program, selected: Mapping[str, Any] | None = None) -> QuerySet[PointTransaction]:
    """This will answer the programme's entries in the order in which they were written, their accounts with them.

    Left out are the newest, as long as a transaction runs whose entries could still come before them.
    """
    entries = xids.settled(PointTransaction.objects.filter(program=program))
    return EntryFilters(selected, queryset=entries.select_related("account__customer").order_by("xid", "id")).qs


def after(entries: QuerySet[PointTransaction], entry: PointTransaction) -> QuerySet[PointTransaction]:
    """This will answer those entries of a programme's list that come after one of them."""
    return xids.later(entries, entry)


def before(entries: QuerySet[PointTransaction], entry: PointTransaction) -> QuerySet[PointTransaction]:
    """This will answer those entries of a programme's list that come before one of them, the nearest first."""
    return xids.earlier(entries, entry).reverse()


def named(names: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> list[PointTransaction]:
    """This will answer the entries of those names, each (account id, entry id)."""
    return list(store.entries(list(names)).values())


def of_reference(*, reference: str) -> QuerySet[PointTransaction]:
    """This will answer the entries of all programmes that name an order, or what else was their reference."""
    # The index on references begins with the programme: naming all of them, who are few, lets it be used.
    return PointTransaction.objects.filter(program__in=Program.objects.values("pk"), reference=reference)


def find(*, program: Program, reference: str) -> PointTransaction:
    """This will answer the programme's entry of that id as callers see it, its account and definition with it.

    Raises:
        ledger.TransactionNotFound: there is none.
    """
    entry_id = ids.parse("txn", reference)
    entries = PointTransaction.objects.select_related("account__definition", "account__customer")
    entry = entries.filter(program=program, id=entry_id).first() if entry_id else None
    if entry is None:
        raise ledger.TransactionNotFound
    return entry


def summary(entries: QuerySet[PointTransaction]) -> Summary:
    """This will count and sum entries."""
    sums = entries.order_by().aggregate(
        total=Count("*"),
        awarded=Sum("points", filter=Q(type=EntryType.AWARD)),
        redeemed=Sum("points", filter=Q(type=EntryType.REDEEM)),
        expired=Sum("points", filter=Q(type=EntryType.EXPIRE)),
    )
    return Summary(
        total_transactions=sums["total"],
        points_awarded=sums["awarded"] or ZERO,
        points_redeemed=-(sums["redeemed"] or ZERO),
        points_expired=-(sums["expired"] or ZERO),
    )


def left(entries: Iterable[PointTransaction]) -> dict[uuid.UUID, Decimal]:
    """This will answer how much there is left to reverse of each of the entries: neither reversed nor expired since."""
    known = list(entries)
    account_ids = _families(known)
    undone, expired = _reversals(known, account_ids), _expired(known, account_ids)
    return {entry.pk: abs(entry.points) - undone[entry.pk].points - expired.get(entry.pk, ZERO) for entry in known}


def _expired(entries: Sequence[PointTransaction], account_ids: set[uuid.UUID]) -> Mapping[uuid.UUID | None, Decimal]:
    """This will answer how much of what each of the entries brought has expired, also after it was sent away and back,
    or brought along by a merge."""
    named = {entry.pk for entry in entries}
    # A lot has the id of the entry that made it; what came of it elsewhere names that as its origin.
    lots = PointLot.objects.filter(Q(id__in=named) | Q(origin_id__in=named), account_id__in=account_ids)
    found = lots.values_list("id", "origin_id")
    origins = {lot_id: lot_id if lot_id in named else origin_id for lot_id, origin_id in found}
    uses = LotUse.objects.filter(account_id__in=account_ids, lot_id__in=origins, is_expiry=True)
    expired: dict[uuid.UUID | None, Decimal] = {}
    for lot_id, points in uses.values_list("lot_id", "points"):
        expired[origins[lot_id]] = expired.get(origins[lot_id], ZERO) + points
    return expired


def _families(entries: Iterable[PointTransaction]) -> set[uuid.UUID]:
    """This will answer the accounts of the entries, and those that they have become by merges of customers."""
    return {account_id for path in heirs.paths({e.account_id for e in entries}).values() for account_id in path}


def reversals(entries: Iterable[PointTransaction]) -> dict[uuid.UUID, Reversed]:
    """This will answer what was reversed of each of the entries."""
    known = list(entries)
    return _reversals(known, _families(known))


def _reversals(entries: Sequence[PointTransaction], account_ids: set[uuid.UUID]) -> dict[uuid.UUID, Reversed]:
    named = [entry.pk for entry in entries]
    found = PointTransaction.objects.filter(account_id__in=account_ids, reverses_id__in=named)
    answers = dict.fromkeys(named, Reversed())
    for entry in found.order_by("created_at", "account_id", "version"):
        undone = cast(uuid.UUID, entry.reverses_id)
        so_far = answers[undone]
        answers[undone] = Reversed(so_far.points + abs(entry.points) + entry.shortfall, (*so_far.by, entry.pk))
    return answers
