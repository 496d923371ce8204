"""What waits to be sent to endpoints, since when they fail, and when something last arrived."""

import dataclasses
import datetime
import uuid
from collections.abc import Collection

from django.db import connection

from events.endpoints import ALL

# Nothing is counted further than that.
MOST_COUNTED = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Backlog:
    """How it is with an endpoint. `waiting` is the least that it is, if there was more than is counted.
    `failing_since`: when the first attempt failed of what is tried again. `arrived_at`: of the newest that arrived."""

    waiting: int
    is_more: bool
    failing_since: datetime.datetime | None
    arrived_at: datetime.datetime | None


# What waits is a delivery, or is an event still, which becomes one when its turn comes.
_LOOK = """
SELECT w.id, sent.waiting, sent.failing_since, told.seen, told.waiting, (
    SELECT d.delivered_at FROM events_delivery d
    WHERE d.endpoint_id = w.id AND d.delivered_at IS NOT NULL ORDER BY d.position DESC LIMIT 1
)
FROM events_webhookendpoint w, LATERAL (
    SELECT count(*) AS waiting, min(d.failing_since) AS failing_since FROM (
        SELECT failing_since FROM events_delivery
        WHERE endpoint_id = w.id AND delivered_at IS NULL AND next_attempt_at IS NOT NULL
        ORDER BY next_attempt_at LIMIT %(limit)s
    ) d
) sent, LATERAL (
    SELECT count(*) AS seen, count(*) FILTER (
        WHERE (w.event_types = ARRAY[%(all)s]::varchar[] OR e.type = ANY(w.event_types))
        AND NOT pg_visible_in_snapshot(e.xid, w.made_in::pg_snapshot)
    ) AS waiting FROM (
        SELECT type, xid FROM events_event
        WHERE program_id = w.program_id AND (xid, id) > (w.cursor_xid, w.cursor_id) ORDER BY xid, id LIMIT %(limit)s
    ) e
) told
WHERE w.id = ANY(%(ids)s::uuid[])
"""


def look(endpoint_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Backlog]:
    """This will answer how it is with endpoints, by their ids. It reads no more than a few thousand rows of each."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, {"ids": list(endpoint_ids), "limit": MOST_COUNTED + 1, "all": ALL})
        return {
            endpoint_id: Backlog(
                waiting=min(deliveries + events, MOST_COUNTED),
                is_more=max(deliveries, seen, deliveries + events) > MOST_COUNTED,
                failing_since=failing_since,
                arrived_at=arrived_at,
            )
            for endpoint_id, deliveries, failing_since, seen, events, arrived_at in cursor.fetchall()
        }
