"""What all exports share: what one is, and how rows are read page by page, however many there are."""

import dataclasses
import datetime
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from cards.models import Customer
from loyalty import ids, xids
from loyalty.models import Program
from points import expiry
from points.models import PointAccount

PAGE = 1_000
# Each of them may have many lots.
FEW = 100
# By so much a row may be written before, or after, what another transaction wrote that has a later number.
_APART = datetime.timedelta(hours=1)
# The columns that `named` fills.
WHOSE = ("customer_id", "external_id", "email")

Row = list[Any]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """From when on, and before when, rows were made; None: without an end."""

    since: datetime.datetime | None = None
    until: datetime.datetime | None = None

    @classmethod
    def of_days(cls, *, since: datetime.date | None, until: datetime.date | None, zone: ZoneInfo) -> "Range":
        """This will answer the range of days in a time zone, both of them included; None: without an end.

        Raises:
            expiry.OutOfRange: there is no such year.
        """
        return cls(
            since=expiry.start_of_day(day=since, zone=zone) if since else None,
            until=expiry.end_of_day(day=until, zone=zone) if until else None,
        )

    def holds(self, moment: datetime.datetime) -> bool:
        """This will tell whether a moment is in it."""
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A kind of rows. `has_dates`: those of a range can be exported."""

    title: str
    columns: tuple[str, ...]
    rows: Callable[[Program, Range], Iterator[Row]]
    has_dates: bool = True


def named(customer: Customer) -> Row:
    """This will answer by what a customer is known: what the columns of `WHOSE` hold."""
    return [ids.public("cus", customer.pk), customer.external_id, customer.email]


def in_order(rows: QuerySet[Any], dates: Range) -> Iterator[Any]:
    """This will answer rows in the order of the transactions that wrote them, which no later one comes before, page by
    page; those of the range."""
    rows = xids.settled(rows).order_by("xid", "id")
    found = rows if dates.since is None else rows.filter(xid__gte=str(_first_xid(rows, dates.since - _APART)))
    page = list(found[:PAGE])
    while page:
        for row in page:
            if dates.holds(row.created_at):
                yield row
        if dates.until is not None and page[0].created_at >= dates.until + _APART:
            return
        page = list(xids.later(rows, page[-1])[:PAGE])


def _first_xid(rows: QuerySet[Any], since: datetime.datetime) -> int:
    """This will answer a transaction after which all rows were made that are as young as that: found as one finds a
    word in a dictionary, since to read all that are older would take as long as to export them."""
    last = rows.reverse().first()
    low, high = 0, int(last.xid) if last else 0
    while low < high:
        middle = (low + high) // 2
        row = rows.filter(xid__gte=str(middle)).first()
        if row is None or row.created_at >= since:
            high = middle
        else:
            low = max(int(row.xid), middle) + 1
    return low


def all_customers(program: Program, size: int) -> Iterator[dict[uuid.UUID, Customer]]:
    """This will answer the programme's customers in pages, by id; those who were merged or erased among them."""
    rows = xids.settled(program.customers.order_by("xid", "id"))
    page = list(rows[:size])
    while page:
        yield {customer.pk: customer for customer in page}
        page = list(xids.later(rows, page[-1])[:size])


def of_customers(program: Program, rows: QuerySet[Any]) -> Iterator[tuple[Any, Row]]:
    """This will answer rows of the programme's customers, each with whose it is, customer by customer."""
    for customers in all_customers(program, FEW):
        for row in rows.filter(customer_id__in=list(customers)).iterator(chunk_size=PAGE):
            yield row, named(customers[row.customer_id])


def accounts_of(program: Program, customers: dict[uuid.UUID, Customer]) -> QuerySet[PointAccount]:
    """This will answer the accounts of customers: their ids say themselves."""
    kinds = program.definitions.values_list("pk", flat=True)
    keys = [PointAccount.id_for(customer_id, kind) for customer_id in customers for kind in kinds]
    # With their definitions, of which there may be more than when the export began.
    accounts = PointAccount.objects.select_related("definition", "tier")
    return accounts.filter(pk__in=keys).order_by("customer_id", "definition_id")
