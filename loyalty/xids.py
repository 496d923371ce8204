"""Lists that grow at one end: rows in the order of the transactions that wrote them, which a cursor can rely on.

An id is made, and a clock read, before the COMMIT: by those a row can turn up before rows that a list has told already.
Here each row carries the number of its transaction, and rows are left out as long as a transaction runs that could
still bring one before them. So whatever comes later comes at the end.
"""

from typing import Any, TypeVar

from django.db import models
from django.db.models import Func, Q, QuerySet

Row = TypeVar("Row", bound=models.Model)


class Xid8Field(models.Field):
    """The transaction that wrote a row: lists over a programme are ordered by it."""

    def db_type(self, connection) -> str:
        return "xid8"


def field() -> Xid8Field:
    """This will make the column that holds the number of the transaction which wrote a row."""
    return Xid8Field(db_default=Func(function="pg_current_xact_id"), editable=False)


def settled(rows: QuerySet[Row]) -> QuerySet[Row]:
    """This will answer rows but the newest, as long as a transaction runs whose rows could still come before them."""
    snapshot = Func(function="pg_current_snapshot", output_field=Xid8Field())
    oldest_running = Func(snapshot, function="pg_snapshot_xmin", output_field=Xid8Field())
    return rows.filter(xid__lt=oldest_running)


def later(rows: QuerySet[Row], row: Any) -> QuerySet[Row]:
    """This will answer those of the rows that were written after one of them."""
    # The first condition is the one that an index can answer.
    return rows.filter(Q(xid__gte=row.xid), Q(xid__gt=row.xid) | Q(id__gt=row.id))


def earlier(rows: QuerySet[Row], row: Any) -> QuerySet[Row]:
    """This will answer those of the rows that were written before one of them."""
    return rows.filter(Q(xid__lte=row.xid), Q(xid__lt=row.xid) | Q(id__lt=row.id))
