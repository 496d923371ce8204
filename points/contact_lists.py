"""Lists of one account's entries, however many there are: by either date, and by whether their points are pending.

Nothing is counted that grows: the account keeps how many entries its lists tell, and what is pending is counted from
the lots that still wait. A page is read from the end of the list that it is nearer to, so that the last one costs what
the first one does. What only moves points from pending to available (`activate`) is no row of these lists.
"""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet, TextChoices
from django.db.models.functions import Coalesce

from loyalty.models import Program
from points import contacts, reading
from points.models import UNLISTED, AccountRef, PointAccount, PointLot, PointTransaction


class Filter(TextChoices):
    """Which entries are wanted. Pending: awards whose points do not count yet, as long as any are left of them."""

    ALL = "All"
    ACTIVE = "Active"
    PENDING = "Pending"


class Sort(TextChoices):
    """By which date: the caller's own, or when the entry was written."""

    TRANSACTION_DATE = "TransactionDate"
    CREATED_ON = "CreatedOn"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which entries of an account, in which order."""

    filter: Filter = Filter.ALL
    sort: Sort = Sort.TRANSACTION_DATE
    is_descending: bool = True
    line_item_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Some entries of a list, and how many the whole list has."""

    entries: list[PointTransaction]
    total: int


# By date, an entry without one of its caller's counts from when it took effect.
DATED_AT = Coalesce("transaction_date", "effective_at")


def read(*, account: AccountRef, wanted: Wanted, offset: int, count: int, at: datetime.datetime) -> Page:
    """This will write what fell due by `at`, and answer `count` entries of the account's list from `offset` on."""
    contacts.settle([account.id], at=at)
    entries = PointTransaction.objects.filter(account_id=account.id).exclude(type__in=UNLISTED)
    waiting = PointLot.objects.filter(account_id=account.id, is_open=True, active_from__gt=at)
    if wanted.filter == Filter.PENDING:
        # Read from the few lots that wait.
        entries = entries.filter(pk__in=waiting.values("entry_id"))
    elif wanted.filter == Filter.ACTIVE:
        entries = entries.filter(~_is_waiting(at))
    if wanted.line_item_id is not None:
        entries = entries.filter(program=account.program, line_item_id=wanted.line_item_id)
    order = [DATED_AT, F("version")] if wanted.sort == Sort.TRANSACTION_DATE else [F("version")]
    with reading.one_moment():
        total = entries.count() if wanted.line_item_id is not None else _total(account, wanted, waiting)
        return Page(_slice(entries, order, wanted, offset=offset, count=count, total=total), total)


def of_line(*, program: Program, wanted: Wanted, offset: int, count: int, at: datetime.datetime) -> Page:
    """This will write what fell due by `at` in the accounts that have the entries of one line of a receipt, and answer
    `count` of those from `offset` on."""
    entries = PointTransaction.objects.filter(program=program, line_item_id=wanted.line_item_id)
    contacts.settle(set(entries.values_list("account_id", flat=True)), at=at)
    if wanted.filter != Filter.ALL:
        is_waiting = _is_waiting(at)
        entries = entries.filter(is_waiting if wanted.filter == Filter.PENDING else ~is_waiting)
    # Of one account by version: the id of a caller's transaction says nothing of when it was written.
    order: list[Any] = [F("created_at"), F("version"), F("id")]
    if wanted.sort == Sort.TRANSACTION_DATE:
        order.insert(0, DATED_AT)
    with reading.one_moment():
        total = entries.count()
        return Page(_slice(entries, order, wanted, offset=offset, count=count, total=total), total)


def modified(entries: list[PointTransaction]) -> Mapping[Any, datetime.datetime]:
    """This will answer, by the id of each entry that a later one touched, when that was: it was cancelled, in whole or
    in part, or points of it expired."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH named AS (SELECT * FROM unnest(%(accounts)s::uuid[], %(entries)s::uuid[]) AS n (account_id, id))"
            " SELECT id, max(at) FROM ("
            " SELECT n.id, r.created_at AS at FROM named n"
            " JOIN points_pointtransaction r ON r.account_id = n.account_id AND r.reverses_id = n.id"
            " UNION ALL SELECT n.id, x.created_at FROM named n"
            " JOIN points_lotuse u ON u.account_id = n.account_id AND u.lot_id = n.id AND u.is_expiry"
            " JOIN points_pointtransaction x ON x.account_id = u.account_id AND x.id = u.entry_id"
            ") touched GROUP BY id",
            {"accounts": [entry.account_id for entry in entries], "entries": [entry.pk for entry in entries]},
        )
        return dict(cursor.fetchall())


def _is_waiting(at: datetime.datetime) -> Exists:
    """This will say of an entry whether any of the points that it brought are still to become active."""
    lots = PointLot.objects.filter(account_id=OuterRef("account_id"), entry_id=OuterRef("pk"))
    return Exists(lots.filter(is_open=True, active_from__gt=at))


def _total(account: AccountRef, wanted: Wanted, waiting: QuerySet[PointLot]) -> int:
    pending = 0 if wanted.filter == Filter.ALL else waiting.values("entry_id").distinct().count()
    if wanted.filter == Filter.PENDING:
        return pending
    return (PointAccount.objects.filter(pk=account.id).values_list("listed", flat=True).first() or 0) - pending


def _slice(
    entries: QuerySet[PointTransaction], order: list[Any], wanted: Wanted, *, offset: int, count: int, total: int
) -> list[PointTransaction]:
    count = min(count, total - offset)
    if count <= 0:
        return []
    after = total - offset - count
    is_nearer_to_the_end = after < offset
    is_descending = wanted.is_descending is not is_nearer_to_the_end
    start = after if is_nearer_to_the_end else offset
    ordered = entries.order_by(*(key.desc() if is_descending else key.asc() for key in order))
    page = list(ordered[start : start + count])
    return page[::-1] if is_nearer_to_the_end else page
