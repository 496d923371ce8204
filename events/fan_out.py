"""Events become deliveries of an endpoint: each once, and those of an account in their order."""

import datetime
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import connection

from events.endpoints import ALL
from events.models import WebhookEndpoint
from loyalty import ids

PAGE = 500


class _Row(NamedTuple):
    id: uuid.UUID
    xid: str
    account_id: uuid.UUID
    customer_id: uuid.UUID
    type: str
    sequence: int | None
    is_new: bool
    # The account's event before it: by its number, or, of those without one, by its id.
    previous_id: uuid.UUID | None
    previous_comes_later: bool


# `xid` alone orders nothing within an account: a transaction has its number from its first lock on, and may come to
# wait for an account that a later one has already. So each event is told which one its account's order puts before it,
# and whether that one is behind it in the list.
_NEXT = """
WITH page AS (
    SELECT e.id, e.xid, e.account_id, e.customer_id, e.type, e.sequence
    FROM events_event e
    WHERE e.program_id = %(program)s AND (e.xid, e.id) > (%(xid)s::text::xid8, %(id)s)
    AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY e.xid, e.id LIMIT %(limit)s
)
SELECT p.id, p.xid::text, p.account_id, p.customer_id, p.type, p.sequence,
    NOT pg_visible_in_snapshot(p.xid, %(made_in)s::pg_snapshot),
    before.id, COALESCE((before.xid, before.id) > (p.xid, p.id), FALSE)
FROM page p LEFT JOIN LATERAL (
    (
        SELECT b.id, b.xid FROM events_event b
        WHERE b.account_id = p.account_id AND b.sequence < p.sequence ORDER BY b.sequence DESC LIMIT 1
    ) UNION ALL (
        SELECT b.id, b.xid FROM events_event b
        WHERE p.sequence IS NULL AND b.account_id = p.account_id AND b.sequence IS NULL AND b.id < p.id
        ORDER BY b.id DESC LIMIT 1
    )
) before ON TRUE
ORDER BY p.xid, p.id
"""

# What comes to a lane that waits for another attempt waits, too.
_ADD = """
INSERT INTO events_delivery (id, endpoint_id, position, event_id, event_type, account_id, customer_id, lane,
    created_at, next_attempt_at)
SELECT n.id, %(endpoint)s, n.position, n.event_id, n.event_type, n.account_id, n.customer_id, n.customer_id,
    %(now)s, GREATEST(%(now)s, (
        SELECT max(d.next_attempt_at) FROM events_delivery d
        WHERE d.endpoint_id = %(endpoint)s AND d.lane = n.customer_id AND d.delivered_at IS NULL))
FROM unnest(%(ids)s::uuid[], %(positions)s::bigint[], %(event_ids)s::uuid[], %(types)s::text[], %(accounts)s::uuid[],
    %(customers)s::uuid[]) AS n (id, position, event_id, event_type, account_id, customer_id)
"""


def fan_out(endpoint: WebhookEndpoint, *, at: datetime.datetime) -> int:
    """This will make deliveries of the next events of the endpoint's programme, as far as nothing can come between
    them any more, and answer of how many events it saw to. The endpoint is locked; it is not saved."""
    rows = _next(endpoint)
    if not rows:
        return 0
    wanted = [row for row in _in_order(rows) if row.is_new and _is_wanted(row, endpoint)]
    _add(endpoint, wanted, at)
    endpoint.cursor_xid, endpoint.cursor_id = rows[-1].xid, rows[-1].id
    endpoint.last_position += len(wanted)
    return len(rows)


def _next(endpoint: WebhookEndpoint) -> list[_Row]:
    limit = PAGE
    while True:
        rows = _read(endpoint, limit)
        closed = _closed(rows)
        # What the first one waits for may be further down, or not be settled yet.
        if closed or len(rows) < limit:
            return closed
        limit *= 4


def _read(endpoint: WebhookEndpoint, limit: int) -> list[_Row]:
    with connection.cursor() as cursor:
        cursor.execute(
            _NEXT,
            {
                "program": endpoint.program_id,
                "xid": str(endpoint.cursor_xid),
                "id": endpoint.cursor_id,
                "made_in": endpoint.made_in,
                "limit": limit,
            },
        )
        return [_Row(*row) for row in cursor.fetchall()]


def _closed(rows: list[_Row]) -> list[_Row]:
    """This will answer as many of the first rows as wait for no event after them."""
    places = {row.id: place for place, row in enumerate(rows)}
    end = len(rows)
    place = 0
    while place < end:
        row = rows[place]
        if row.previous_comes_later and places.get(row.previous_id, end) >= end:  # type: ignore[arg-type]
            # Cut off here; what was let through because of those behind is looked at again.
            end, place = place, 0
        else:
            place += 1
    return rows[:end]


def _in_order(rows: list[_Row]) -> Iterable[_Row]:
    """This will answer rows in the list's order, but those of each account by their numbers, and those of it without a
    number by their ids, in the same places: ids are made under the account's lock."""
    places: dict[tuple[uuid.UUID, bool], list[_Row]] = {}
    for row in rows:
        places.setdefault((row.account_id, row.sequence is None), []).append(row)
    turns = {group: iter(sorted(own, key=lambda row: (row.sequence or 0, row.id))) for group, own in places.items()}
    for row in rows:
        yield next(turns[row.account_id, row.sequence is None])


def _is_wanted(row: _Row, endpoint: WebhookEndpoint) -> bool:
    return endpoint.event_types == [ALL] or row.type in endpoint.event_types


def _add(endpoint: WebhookEndpoint, rows: list[_Row], at: datetime.datetime) -> None:
    if not rows:
        return
    first = endpoint.last_position + 1
    told: dict[str, Any] = {
        "endpoint": endpoint.pk,
        "now": at,
        "ids": [ids.new_id() for _ in rows],
        "positions": list(range(first, first + len(rows))),
        "event_ids": [row.id for row in rows],
        "types": [row.type for row in rows],
        "accounts": [row.account_id for row in rows],
        "customers": [row.customer_id for row in rows],
    }
    with connection.cursor() as cursor:
        cursor.execute(_ADD, told)
