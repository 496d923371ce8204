"""Writing what fell due in accounts that nobody touched.

Time decides, not this: reads work it out and the next posting writes it. But an account without a next posting would
never get its entries.
"""

import dataclasses
import datetime
import functools
import itertools
import uuid
from collections.abc import Iterator
from typing import NamedTuple

from django.db import connection

from loyalty import pace, retry
from points import ledger
from points.models import AccountRef, PointDefinition

# As many blocks of the table, of 8 KiB each, are looked at by one statement, which locks no account.
PAGE = 256


@dataclasses.dataclass(slots=True)
class Tally:
    """What there was to do: accounts looked at, those of them that were due, entries written."""

    accounts: int = 0
    due: int = 0
    entries: int = 0


class _Page(NamedTuple):
    """How many accounts were looked at, whether there are more, and those that are due: id of customer and of
    definition."""

    looked_at: int
    has_more: bool
    due: list[tuple[uuid.UUID, uuid.UUID]]


def settle(*, at: datetime.datetime) -> Tally:
    """This will write the entries for what fell due by `at` in all accounts, a batch in each transaction.

    It can be repeated and two may run at once: what is written already is not due any more.

    Raises:
        errors.Unavailable: the database did not answer in time. The batches before are written.
    """
    tally = Tally()
    for batch in pace.batches(_due(at, tally)):
        tally.due += len(batch)
        tally.entries += ledger.settle(batch, at=at).entries
    return tally


def _due(at: datetime.datetime, tally: Tally) -> Iterator[AccountRef]:
    # All of them, as they lie on the disk: an index on next_due_at would have to be kept by every posting, and by the
    # primary key each account is a block of its own to fetch. A posting may move a row to where it is not looked at any
    # more, but it settles the account itself.
    for first in itertools.count(0, PAGE):
        page = retry.run(functools.partial(_page, at, first))
        tally.accounts += page.looked_at
        yield from _refs(page.due)
        if not page.has_more:
            return


def _page(at: datetime.datetime, first: int) -> _Page:
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, {"at": at, "first": f"({first},0)", "end": f"({first + PAGE},0)"})
        (looked_at, has_more, _, _), *due = cursor.fetchall()
    return _Page(looked_at, has_more, [(customer_id, definition_id) for *_, customer_id, definition_id in due])


def _refs(due: list[tuple[uuid.UUID, uuid.UUID]]) -> Iterator[AccountRef]:
    """Read with each page: a programme that is new, or has another time zone by now, counts as it is."""
    if not due:
        return
    kinds = PointDefinition.objects.select_related("program").in_bulk({definition_id for _, definition_id in due})
    for customer_id, definition_id in due:
        kind = kinds[definition_id]
        yield AccountRef(program=kind.program, definition=kind, customer_id=customer_id)


# The first row tells how much was looked at; what is not due stays with the server.
_PAGE = """
WITH page AS MATERIALIZED (
    SELECT customer_id, definition_id, next_due_at <= %(at)s AS is_due
    FROM points_pointaccount WHERE ctid >= %(first)s::tid AND ctid < %(end)s::tid
)
SELECT (SELECT count(*) FROM page), EXISTS (SELECT FROM points_pointaccount WHERE ctid >= %(end)s::tid),
    NULL::uuid, NULL::uuid
UNION ALL (SELECT NULL, NULL, customer_id, definition_id FROM page WHERE is_due)
"""
