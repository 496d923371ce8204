"""Events and webhook endpoints that were restored into another Postgres server, which counts its transactions anew."""

from django.db import connections, transaction

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
"""


# Whether anything of them comes from the future here.
_IS_AHEAD = """
SELECT EXISTS (SELECT FROM events_webhookendpoint WHERE cursor_xid > pg_current_xact_id())
    OR EXISTS (SELECT FROM loyalty_program p WHERE EXISTS (
        SELECT FROM events_event e WHERE e.program_id = p.id AND e.xid > pg_current_xact_id()))
"""


def adopt(*, first: int) -> None:
    """This will give all events the number `first`, so that they are in the order of their ids, and let endpoints go on
    among them where they stopped: all of them or, where none comes from the future, nothing. Works as the owner."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(_IS_AHEAD)
        if cursor.fetchone()[0]:
            cursor.execute(_STOPPED, {"first": str(first)})
            cursor.execute("UPDATE events_event SET xid = %s::text::xid8", [first])
