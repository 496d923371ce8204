"""Webhook endpoints that were restored into another Postgres server, which counts its transactions anew."""

from django.db import connections

# Where each stopped, once all events are numbered alike and ordered by their ids: before the first that was not sent.
# Some that were sent may come again; a snapshot that is over before it begins hides none of them.
_STOPPED = """
UPDATE events_webhookendpoint w SET cursor_xid = %(first)s::text::xid8, made_in = %(first)s || ':' || %(first)s || ':',
    cursor_id = COALESCE((
        SELECT e.id FROM events_event e WHERE e.program_id = w.program_id AND e.id < COALESCE((
            SELECT n.id FROM events_event n
            WHERE n.program_id = w.program_id AND (n.xid, n.id) > (w.cursor_xid, w.cursor_id)
            AND NOT pg_visible_in_snapshot(n.xid, w.made_in::pg_snapshot)
            ORDER BY n.id LIMIT 1
        ), 'ffffffff-ffff-ffff-ffff-ffffffffffff') ORDER BY e.id DESC LIMIT 1
    ), '00000000-0000-0000-0000-000000000000')
WHERE w.cursor_xid > pg_current_xact_id()
"""


def adopt(*, first: int) -> None:
    """This will let endpoints go on where they stopped, among events that all get the number `first`. Works as the
    owner, in the transaction that gives it to them, before it does."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(_STOPPED, {"first": str(first)})
