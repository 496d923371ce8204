"""Checks every law of the ledger over the whole database, or over one programme.

Each law is a query over the rows alone: it asks neither the code that wrote them nor the triggers that let them in.
Entries and uses are the word; accounts and what is left of lots follow from them.
"""

import dataclasses
import uuid
from collections.abc import Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from events.models import Event
from loyalty.models import Program
from points.laws import LAWS
from points.models import Hold, LotUse, PointAccount, PointLot, PointTransaction, TierChange

DERIVED_ID = "an account's id is derived from its customer and its definition"
GUARDED = "the database guards the ledger"

NAMES = [GUARDED, DERIVED_ID, *LAWS]

# The queries read whole tables: room to sort and hash them, and plans that are best for all rows, not for the first.
_SETTINGS = {"work_mem": "64MB", "cursor_tuple_fraction": "1", "jit": "off"}

_MODELS = {
    "accounts": PointAccount,
    "entries": PointTransaction,
    "lots": PointLot,
    "uses": LotUse,
    "holds": Hold,
    "changes": TierChange,
    "events": Event,
}
_TABLES = {name: model._meta.db_table for name, model in _MODELS.items()}

# What `points/migrations/sql/guards*.sql` make, and the constraints of the models.
TRIGGERS = frozenset(
    {
        "accounts_are_never_deleted",
        "accounts_end_once",
        "accounts_never_change_hands",
        "accounts_say_what_their_entries_say",
        "accounts_say_what_their_entries_say_when_made",
        "entries_follow_on",
        "entries_keep_their_words",
        "entries_never_change",
        "holds_are_never_deleted",
        "holds_are_resolved_once",
        "holds_never_change_but_in_what_becomes_of_them",
        "lots_are_never_deleted",
        "lots_never_change_but_in_what_remains",
        "tier_changes_never_change",
        "uses_never_change",
    }
)
CONSTRAINTS = frozenset(
    {
        "events_event_pkey",
        "lot_was_made_by_an_entry",
        "points_hold_pkey",
        "points_lotuse_pkey",
        "points_pointaccount_pkey",
        "points_pointlot_pkey",
        "points_pointtransaction_pkey",
        "points_tierchange_pkey",
        "use_belongs_to_an_entry",
        "use_names_a_lot_of_its_account",
    }
    | {constraint.name for model in _MODELS.values() for constraint in model._meta.constraints}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Breach:
    """A law that is broken, and by which account; where it is the database that lacks a guard, the guard's name."""

    law: str
    account_id: uuid.UUID | None = None
    guard: str | None = None

    def __str__(self) -> str:
        if self.account_id is None:
            return f"{self.guard} is missing or disabled: {self.law}"
        return f"account {self.account_id} breaks the law: {self.law}"


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """How much there was to check."""

    accounts: int
    entries: int
    lots: int
    uses: int


def verify(connection: BaseDatabaseWrapper, *, program: Program | None = None) -> Iterator[Breach]:
    """This will answer every breach of every law, one after another, inside the caller's transaction.

    It sees what that transaction sees: one in REPEATABLE READ checks one state, whatever is posted meanwhile. Rows come
    through a cursor of the server, so memory does not grow with the ledger.
    """
    with connection.cursor() as cursor:
        for name, value in _SETTINGS.items():
            cursor.execute(f"SET LOCAL {name} = '{value}'")
    for guard in _missing_guards(connection):
        yield Breach(GUARDED, guard=guard)
    for account_id, customer_id, definition_id in _rows(connection, _ACCOUNT_IDS, program):
        if account_id != PointAccount.id_for(customer_id, definition_id):
            yield Breach(DERIVED_ID, account_id)
    for law, query in LAWS.items():
        for (account_id,) in _rows(connection, query, program):
            yield Breach(law, account_id)


def count(connection: BaseDatabaseWrapper, *, program: Program | None = None) -> Checked:
    """This will count what there is to check."""
    [row] = _rows(connection, _COUNTS, program)
    return Checked(*row)


_ACCOUNT_IDS = "SELECT id, customer_id, definition_id FROM {accounts} a"
_COUNTS = """
SELECT (SELECT count(*) FROM {accounts} a), (SELECT count(*) FROM {entries} e),
    (SELECT count(*) FROM {lots} l), (SELECT count(*) FROM {uses} u)
"""


def _rows(connection: BaseDatabaseWrapper, query: str, program: Program | None) -> Iterator[tuple[Any, ...]]:
    rooms, parameters = _TABLES, None
    if program is not None:
        # By the account's programme, so that a row that names another programme is still found.
        own = f"SELECT id FROM {_TABLES['accounts']} WHERE program_id = %(program)s"
        rooms = {
            name: f"(SELECT * FROM {table} WHERE {'id' if name == 'accounts' else 'account_id'} IN ({own}))"
            for name, table in _TABLES.items()
        }
        parameters = {"program": program.pk}
    with connection.chunked_cursor() as cursor:
        cursor.execute(query.format(**rooms), parameters)
        yield from cursor


def _missing_guards(connection: BaseDatabaseWrapper) -> list[str]:
    """This will answer the guards that are not there, not enabled or not validated, and foreign keys switched off."""
    tables = list(_TABLES.values())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, tgenabled IN ('O', 'A') FROM pg_trigger WHERE tgrelid = ANY(%s::regclass[])", [tables]
        )
        triggers = dict(cursor.fetchall())
        cursor.execute("SELECT conname, convalidated FROM pg_constraint WHERE conrelid = ANY(%s::regclass[])", [tables])
        constraints = dict(cursor.fetchall())
        # What is unique among some of the rows is an index to the database, and no constraint.
        cursor.execute(
            "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = ANY(%s::regclass[]) AND i.indisunique",
            [tables],
        )
        indexes = dict(cursor.fetchall())
    found = triggers | indexes | constraints
    expected = dict.fromkeys(TRIGGERS | CONSTRAINTS, False)
    return sorted(name for name, is_good in (expected | found).items() if not is_good)
