"""Entries, customers, events and rewards that were restored into another Postgres server.

Each carries the number of the transaction that wrote it, and lists over a programme are ordered by it. Another server
counts its transactions anew: what was restored seems to come from the future there, and would be left out of those
lists until it has counted that far.
"""

from django.db import connections, transaction

from events import restored

# The lowest number that a transaction can have: before all that this server will count.
FIRST = 3
# What else is listed in that order, by programme.
_OTHERS = ("cards_customer", "rewards_reward")


def adopt() -> int:
    """This will put restored entries before all that come, in the order of their ids, and answer how many they were;
    customers, rewards, and events with their webhook endpoints likewise.

    Works as the owner, and keeps postings waiting meanwhile. Nothing else about any of them changes.
    """
    for table in _OTHERS:
        _adopt(table)
    restored.adopt(first=FIRST)
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM loyalty_program p WHERE EXISTS ("
            " SELECT FROM points_pointtransaction e"
            " WHERE e.program_id = p.id AND e.xid > pg_current_xact_id()))"
        )
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute("ALTER TABLE points_pointtransaction DISABLE TRIGGER entries_never_change")
        cursor.execute("UPDATE points_pointtransaction SET xid = %s::text::xid8", [FIRST])
        adopted = cursor.rowcount
        cursor.execute("ALTER TABLE points_pointtransaction ENABLE TRIGGER entries_never_change")
        return adopted


def _adopt(table: str) -> None:
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET xid = %s::text::xid8 WHERE EXISTS ("
            " SELECT FROM loyalty_program p WHERE EXISTS ("
            f" SELECT FROM {table} r WHERE r.program_id = p.id AND r.xid > pg_current_xact_id()))",
            [FIRST],
        )
