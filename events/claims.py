"""Which worker sends to which endpoint: one at a time, and another one soon after a worker died."""

import datetime
import uuid

from django.db import connection

# A worker that says nothing for so long has died; until then no other sends to its endpoints.
LEASE_SECONDS = 15

# What has something to send now: a delivery that is due, or an event that is none yet.
_CLAIM = """
UPDATE events_webhookendpoint SET claimed_by = %(worker)s,
    claimed_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id IN (
    SELECT w.id FROM events_webhookendpoint w
    WHERE w.deleted_at IS NULL AND w.paused_at IS NULL
    AND (w.claimed_until IS NULL OR w.claimed_until < clock_timestamp())
    AND (w.probe_at IS NULL OR w.probe_at <= %(now)s)
    AND (
        EXISTS (
            SELECT FROM events_delivery d
            WHERE d.endpoint_id = w.id AND d.delivered_at IS NULL AND d.next_attempt_at <= %(now)s
        ) OR EXISTS (
            SELECT FROM events_event e
            WHERE e.program_id = w.program_id AND (e.xid, e.id) > (w.cursor_xid, w.cursor_id)
            AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
        )
    )
    ORDER BY w.claimed_until NULLS FIRST LIMIT %(most)s
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING id
"""


_RENEW = """
UPDATE events_webhookendpoint SET claimed_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id IN (
    SELECT id FROM events_webhookendpoint
    WHERE id = ANY(%(mine)s::uuid[]) AND claimed_by = %(worker)s AND claimed_until > clock_timestamp()
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING id
"""


def claim(*, worker: uuid.UUID, most: int, at: datetime.datetime) -> list[uuid.UUID]:
    """This will give the worker so many endpoints at most that have something to send and that no other worker has,
    those first that had their turn the longest ago."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"worker": worker, "seconds": LEASE_SECONDS, "most": most, "now": at})
        return [endpoint_id for (endpoint_id,) in cursor.fetchall()]


def renew(*, worker: uuid.UUID, endpoint_ids: list[uuid.UUID]) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    """This will let the worker keep endpoints for another while, and answer which ones that were, and which ones it has
    lost. Those that somebody has locked are neither: one endpoint must not cost the others their time."""
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, {"seconds": LEASE_SECONDS, "mine": endpoint_ids, "worker": worker})
        kept = {endpoint_id for (endpoint_id,) in cursor.fetchall()}
        cursor.execute(
            "SELECT id FROM events_webhookendpoint WHERE id = ANY(%s::uuid[])"
            " AND (claimed_by IS DISTINCT FROM %s OR claimed_until <= clock_timestamp())",
            [endpoint_ids, worker],
        )
        return kept, {endpoint_id for (endpoint_id,) in cursor.fetchall()} - kept


def release(*, worker: uuid.UUID, endpoint_ids: list[uuid.UUID]) -> None:
    """This will let other workers have endpoints of this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_webhookendpoint SET claimed_by = NULL, claimed_until = clock_timestamp()"
            " WHERE id = ANY(%s::uuid[]) AND claimed_by = %s",
            [endpoint_ids, worker],
        )
