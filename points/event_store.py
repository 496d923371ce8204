"""The events of what the books gained: a part of the statement that writes them, `points/store.py`."""

import uuid
from collections.abc import Iterable
from typing import Any

from events import outbox
from events.models import EventType
from loyalty import ids
from points.book import Book
from points.models import EntryType

# Every entry has its event, so that the numbers of an account's events have no gap.
KINDS = {
    EntryType.AWARD.value: EventType.POINTS_EARNED.value,
    EntryType.REDEEM.value: EventType.POINTS_REDEEMED.value,
    EntryType.ADJUST.value: EventType.POINTS_ADJUSTED.value,
    EntryType.REVERSE.value: EventType.POINTS_REVERSED.value,
    EntryType.EXPIRE.value: EventType.POINTS_EXPIRED.value,
    EntryType.ACTIVATE.value: EventType.POINTS_ACTIVATED.value,
    EntryType.HOLD.value: EventType.POINTS_HELD.value,
    EntryType.RELEASE.value: EventType.POINTS_RELEASED.value,
    EntryType.TRANSFER.value: EventType.POINTS_TRANSFERRED.value,
    EntryType.MERGE.value: EventType.POINTS_TRANSFERRED.value,
}
_COLUMNS = {
    "id": "uuid",
    "account_id": "uuid",
    "type": "text",
    "sequence": "bigint",
    "subject_id": "uuid",
    "created_at": "timestamptz",
}
INSERT = (
    f"INSERT INTO events_event (program_id, customer_id, {', '.join(_COLUMNS)})"
    f" SELECT a.program_id, a.customer_id, {', '.join(f'r.{column}' for column in _COLUMNS)}"
    f" FROM json_to_recordset(%s) AS r ({', '.join(f'{column} {kind}' for column, kind in _COLUMNS.items())})"
    f" JOIN points_pointaccount a ON a.id = r.account_id JOIN loyalty_program p ON p.id = a.program_id"
    f" WHERE {outbox.LISTENS}"
)


def rows(books: Iterable[Book]) -> list[dict[str, Any]]:
    """This will answer what `INSERT` writes: an event of each new entry and of each change of tier."""
    told: list[dict[str, Any]] = []
    for book in books:
        told += [_row(book, KINDS[entry.type], entry.id, entry.version) for entry in book.entries]
        told += [_row(book, EventType.CUSTOMER_TIER_CHANGED.value, change.id, None) for change in book.tier_changes]
    return told


def _row(book: Book, kind: str, subject_id: uuid.UUID, sequence: int | None) -> dict[str, Any]:
    return {
        # Made as it is written, so that the events of a transaction are in its order.
        "id": ids.new_id(),
        "account_id": book.account.id,
        "type": kind,
        "sequence": sequence,
        "subject_id": subject_id,
        "created_at": book.written_at,
    }
