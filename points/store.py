"""The statements of a posting: lock, read what decides, read lots, write everything.

Four statements whatever the number of postings, accounts and lots, each of them over sets. Only `points/ledger.py`
calls this module, in this order. The locking statement reads the account row and nothing else: under READ COMMITTED a
join beside the lock would answer with rows from before the wait.
"""

import dataclasses
import datetime
import operator
import uuid
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from loyalty import idempotency
from loyalty.postgres import arrays, prepared
from points import event_store, heirs, hold_store
from points.book import Book
from points.holding import Held
from points.lots import SNAPSHOT_COLUMNS, Lot, Snapshot
from points.models import AccountRef, PointTransaction
from points.page import Use
from points.standing import Change

_LOT_COLUMNS = [field.name for field in dataclasses.fields(Lot)]
_LOTS = f"SELECT {', '.join(_LOT_COLUMNS)} FROM points_pointlot WHERE account_id = %s"


_ACCOUNT_TYPES = {
    "balance": "numeric",
    "pending": "numeric",
    "held": "numeric",
    "lifetime_earned": "numeric",
    "lifetime_redeemed": "numeric",
    "lifetime_expired": "numeric",
    "version": "bigint",
    "listed": "bigint",
    "effective_at": "timestamptz",
    "last_activity_at": "timestamptz",
    "next_due_at": "timestamptz",
    "window_started_at": "timestamptz",
    "window_count": "integer",
    "tier_id": "uuid",
    "tier_since": "timestamptz",
    "tier_until": "timestamptz",
    "tallies": "jsonb",
}
_ENTRY_TYPES = {
    "id": "uuid",
    "account_id": "uuid",
    "program_id": "uuid",
    "version": "bigint",
    "type": "text",
    "points": "numeric",
    "balance_before": "numeric",
    "balance_after": "numeric",
    "pending_after": "numeric",
    "held_after": "numeric",
    "shortfall": "numeric",
    "valid_from": "timestamptz",
    "expires_at": "timestamptz",
    "reason": "text",
    "reference": "text",
    "staff_member": "text",
    "metadata": "jsonb",
    "actor": "text",
    "card_id": "uuid",
    "reverses_id": "uuid",
    "transaction_date": "timestamptz",
    "external_id": "uuid",
    "fingerprint": "text",
    "source": "text",
    "line_item_id": "text",
    "other_account_id": "uuid",
    "other_entry_id": "uuid",
    "effective_at": "timestamptz",
    "created_at": "timestamptz",
    "serial": "bigint",
}
_LOT_TYPES = {
    "id": "uuid",
    "account_id": "uuid",
    "program_id": "uuid",
    "version": "bigint",
    "points": "numeric",
    "remaining": "numeric",
    "active_from": "timestamptz",
    "expires_at": "timestamptz",
    "inactivity_months": "smallint",
    "clawback": "text",
    "entry_id": "uuid",
    "origin_id": "uuid",
}
_USE_TYPES = {
    "account_id": "uuid",
    "entry_id": "uuid",
    "position": "integer",
    "lot_id": "uuid",
    "points": "numeric",
    "pays_debt": "boolean",
    "is_expiry": "boolean",
    "is_held": "boolean",
}
_CHANGE_TYPES = {
    "id": "uuid",
    "account_id": "uuid",
    "program_id": "uuid",
    "entry_id": "uuid",
    "from_tier_id": "uuid",
    "to_tier_id": "uuid",
    "points": "numeric",
    "effective_at": "timestamptz",
}
_RECORD_TYPES = {"owner_id": "uuid", "key": "text", "fingerprint": "text", "status": "smallint", "body": "text"}


def _rows(types: dict[str, str]) -> str:
    return f"json_to_recordset(%s) AS r ({', '.join(f'{column} {kind}' for column, kind in types.items())})"


def _insert(table: str, types: dict[str, str]) -> str:
    return f"INSERT INTO {table} ({', '.join(types)}) SELECT {', '.join(types)} FROM {_rows(types)}"


# Who is answered an entry's number has drawn it before; the others draw it as they are written.
_INSERT_ENTRIES = _insert("points_pointtransaction", _ENTRY_TYPES).replace(
    "serial FROM", "COALESCE(serial, nextval('points_entry_serial')) FROM"
)
_INSERT_LOTS = _insert("points_pointlot", _LOT_TYPES)
_INSERT_USES = _insert("points_lotuse", _USE_TYPES)
_INSERT_HOLDS = _insert("points_hold", hold_store.TYPES)
_INSERT_CHANGES = _insert("points_tierchange", _CHANGE_TYPES)
_INSERT_RECORDS = _insert("loyalty_idempotencyrecord", _RECORD_TYPES)
# The updates read arrays: the planner takes one for a few rows and looks them up, but a list in JSON for a hundred.
_UPDATE_LOTS = (
    "UPDATE points_pointlot l SET remaining = r.remaining"
    " FROM unnest(%s::uuid[], %s::uuid[], %s::numeric[]) AS r (account_id, id, remaining)"
    " WHERE l.account_id = r.account_id AND l.id = r.id"
)
_UPDATE_BUDGETS = (
    "UPDATE points_campaignbudget b SET given = b.given + r.points"
    " FROM unnest(%s::uuid[], %s::numeric[]) AS r (campaign_id, points) WHERE b.campaign_id = r.campaign_id"
)
_UPDATE_ACCOUNTS = (
    f"UPDATE points_pointaccount a SET {', '.join(f'{column} = r.{column}' for column in _ACCOUNT_TYPES)}"
    f" FROM unnest(%s::uuid[], {', '.join(f'%s::{kind}[]' for kind in _ACCOUNT_TYPES.values())})"
    f" AS r (id, {', '.join(_ACCOUNT_TYPES)}) WHERE a.id = r.id"
)


_changing_columns = operator.attrgetter(*_ACCOUNT_TYPES)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What decides on one posting beside its account: what its key answered before, and the state of its card; and the
    number that its entry gets."""

    fingerprint: str | None = None
    status: int | None = None
    body: str | None = None
    card_status: str | None = None
    card_expires_at: datetime.datetime | None = None
    card_customer_id: uuid.UUID | None = None
    serial: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Needed:
    """How many points of an account's lots a posting may take at most, and by when they may have fallen due."""

    account: Snapshot
    at: datetime.datetime
    points: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """An answer to keep under a key of the account."""

    owner_id: uuid.UUID
    key: idempotency.Key
    answer: idempotency.Answer


def lock(account_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Snapshot]:
    """This will lock the accounts that exist, in the order of the whole service, and answer their rows."""
    with connection.cursor() as cursor:
        prepared.execute(
            cursor,
            "lock_accounts",
            f"SELECT {', '.join(SNAPSHOT_COLUMNS)} FROM points_pointaccount WHERE id = ANY(%s::uuid[])"
            " ORDER BY uuid_hash(id), id FOR NO KEY UPDATE",
            [arrays.literal(account_ids)],
        )
        rows = cursor.fetchall()
    return {row[0]: Snapshot(*row) for row in rows}


def budgets(campaign_ids: Iterable[str]) -> dict[str, Decimal]:
    """This will lock what campaigns have given, before the accounts that they give to, and answer it."""
    with connection.cursor() as cursor:
        prepared.execute(
            cursor,
            "lock_budgets",
            "SELECT campaign_id, given FROM points_campaignbudget WHERE campaign_id = ANY(%s::uuid[])"
            " ORDER BY campaign_id FOR NO KEY UPDATE",
            [[uuid.UUID(campaign_id) for campaign_id in campaign_ids]],
        )
        return {str(campaign_id): given for campaign_id, given in cursor.fetchall()}


def create(accounts: Iterable[AccountRef]) -> int:
    """This will make the accounts that do not exist yet, in lock order, and answer how many it made; another may make
    them first."""
    rows = [(a.id, a.program.id, a.customer_id, a.definition.id, a.definition.may_go_negative) for a in accounts]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO points_pointaccount (id, program_id, customer_id, definition_id, may_go_negative, balance,"
            " pending, lifetime_earned, lifetime_redeemed, lifetime_expired, version, window_count)"
            " SELECT id, program_id, customer_id, definition_id, may_go_negative, 0, 0, 0, 0, 0, 0, 0"
            " FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::boolean[])"
            " AS a (id, program_id, customer_id, definition_id, may_go_negative)"
            " ORDER BY uuid_hash(id), id ON CONFLICT DO NOTHING",
            [arrays.literal(column) for column in zip(*rows, strict=True)],
        )
        return cursor.rowcount


def facts(asked: Sequence[tuple[uuid.UUID, str | None, uuid.UUID | None]]) -> list[Facts]:
    """This will read what decides on each (account id, key, card id), in the order asked, and draw its number."""
    with connection.cursor() as cursor:
        prepared.execute(
            cursor,
            "read_facts",
            "SELECT r.fingerprint, r.status, r.body, c.status, c.expires_at, c.customer_id,"
            " nextval('points_entry_serial')"
            " FROM unnest(%s::uuid[], %s::text[], %s::uuid[]) WITH ORDINALITY AS p (account_id, key, card_id, n)"
            " LEFT JOIN loyalty_idempotencyrecord r ON r.owner_id = p.account_id AND r.key = p.key"
            " LEFT JOIN cards_card c ON c.id = p.card_id"
            " ORDER BY p.n",
            [arrays.literal(column) for column in zip(*asked, strict=True)],
        )
        return [Facts(*row) for row in cursor.fetchall()]


_RECORD_BEFORE_MERGES = f"""{heirs.FAMILY}
SELECT r.status, r.body FROM family f
JOIN loyalty_idempotencyrecord r ON r.owner_id = f.id AND r.key = %(key)s AND r.fingerprint = %(fingerprint)s
WHERE r.body IS NOT NULL
"""


def answer_before_merges(account_id: uuid.UUID, key: idempotency.Key) -> idempotency.Answer | None:
    """This will read what a request was answered under its key in an account that was merged into this one, whose own
    key of that name is another request's."""
    with connection.cursor() as cursor:
        cursor.execute(_RECORD_BEFORE_MERGES, {"account": account_id, "key": key.key, "fingerprint": key.fingerprint})
        found = cursor.fetchone()
    return None if found is None else idempotency.Answer(found[0], found[1].encode())


def entry(account_id: uuid.UUID, entry_id: uuid.UUID) -> PointTransaction | None:
    """This will read an entry of the account, if it has it."""
    return PointTransaction.objects.filter(account_id=account_id, id=entry_id).first()


def entries(named: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> dict[tuple[uuid.UUID, uuid.UUID], PointTransaction]:
    """This will read those of the entries, each (account id, entry id), that exist."""
    if not named:
        return {}
    found = PointTransaction.objects.raw(
        "SELECT e.* FROM unnest(%s::uuid[], %s::uuid[]) AS n (account_id, entry_id)"
        " JOIN points_pointtransaction e ON e.account_id = n.account_id AND e.id = n.entry_id",
        [arrays.literal(column) for column in zip(*named, strict=True)],
    )
    return {(entry.account_id, entry.id): entry for entry in found}


def lots(needed: Sequence[Needed]) -> dict[uuid.UUID, list[Lot]]:
    """This will read, by account, what is due and as many lots as pay what is needed."""
    found: dict[uuid.UUID, list[Lot]] = {need.account.id: [] for need in needed}
    wanted = [
        (n.account.id, n.account.effective_at, n.at, due, n.points)
        for n in needed
        if (due := is_due(n.account, n.at)) or n.points > 0
    ]
    if not wanted:
        return found
    with connection.cursor() as cursor:
        prepared.execute(
            cursor,
            "read_lots",
            f"SELECT n.account, {', '.join(f'lot.{column}' for column in _LOT_COLUMNS)}"
            " FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::boolean[], %s::numeric[])"
            " AS n (account, settled_at, at, is_due, points)"
            " CROSS JOIN LATERAL points_lots_to_post(n.account, n.settled_at, n.at, n.is_due, n.points) lot",
            [arrays.literal(column) for column in zip(*wanted, strict=True)],
        )
        for account_id, *columns in cursor.fetchall():
            found[account_id].append(Lot(*columns))
    return found


def is_due(account: Snapshot, at: datetime.datetime) -> bool:
    """This will tell whether anything may have fallen due in an account."""
    return account.next_due_at is not None and account.next_due_at <= at


def lots_ending(account_id: uuid.UUID, *, before: datetime.datetime) -> list[Lot]:
    """This will read the open lots that end before a moment, and all that end by inactivity."""
    ends = "(inactivity_months IS NULL AND expires_at < %s) OR inactivity_months IS NOT NULL"
    return _read_lots(f"is_open AND ({ends})", account_id, before)


def open_lots(account_id: uuid.UUID) -> list[Lot]:
    """This will read all lots of which something is left, the pending ones among them."""
    return _read_lots("is_open", account_id)


def lots_by_id(account_id: uuid.UUID, lot_ids: list[uuid.UUID]) -> list[Lot]:
    """This will read these lots, open or not."""
    return _read_lots("id = ANY(%s::uuid[])", account_id, lot_ids)


def lots_of_origin(account_id: uuid.UUID, lot_id: uuid.UUID) -> list[Lot]:
    """This will read what there is of a lot: itself, and what came of it from other accounts."""
    return _read_lots("id = %s", account_id, lot_id) + _read_lots("origin_id = %s", account_id, lot_id)


def _read_lots(condition: str, account_id: uuid.UUID, *arguments: Any) -> list[Lot]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_LOTS} AND {condition}", [account_id, *arguments])
        return [Lot(*row) for row in cursor.fetchall()]


def write(books: Iterable[Book], records: Sequence[Record] = (), giving: Mapping[str, Decimal] | None = None) -> None:
    """This will write all that the books gained, the answers to keep and what campaigns gave, in one statement."""
    changed = [book for book in books if book.is_changed]
    for book in changed:
        # Put into words once, not with every entry.
        book.account.tallies = book.tallies.text()
    parts = [
        *_inserted(_INSERT_ENTRIES, [_entry_row(entry) for book in changed for entry in book.entries]),
        *_inserted(_INSERT_LOTS, [_lot_row(book, lot) for book in changed for lot in book.made]),
        *_updated(_UPDATE_LOTS, [row for book in changed for row in _touched_rows(book)]),
        *_inserted(_INSERT_USES, [_use_row(book, use) for book in changed for use in book.uses]),
        *_inserted(_INSERT_HOLDS, [_hold_row(book, hold) for book in changed for hold in book.held_anew]),
        *_updated(
            hold_store.UPDATE,
            [hold_store.resolved_row(book.account.id, hold) for book in changed for hold in _known(book)],
        ),
        *_inserted(_INSERT_CHANGES, [_change_row(book, change) for book in changed for change in book.tier_changes]),
        *_inserted(event_store.INSERT, event_store.rows(changed)),
        *_inserted(_INSERT_RECORDS, [_record_row(record) for record in records]),
        *_updated(
            _UPDATE_BUDGETS, [(uuid.UUID(campaign_id), points) for campaign_id, points in (giving or {}).items()]
        ),
        *_updated(_UPDATE_ACCOUNTS, [_account_row(book.account) for book in changed]),
    ]
    if not parts:
        return
    *others, (last, _) = parts
    ctes = ", ".join(f"part_{n} AS ({sql})" for n, (sql, _) in enumerate(others))
    with connection.cursor() as cursor:
        prepared.execute(
            cursor,
            "write",
            f"WITH {ctes} {last}" if ctes else last,
            [argument for _, arguments in parts for argument in arguments],
        )


Part = tuple[str, list[Any]]


def _inserted(sql: str, rows: list[dict[str, Any]]) -> list[Part]:
    return [(sql, [orjson.dumps(rows, default=str).decode()])] if rows else []


def _updated(sql: str, rows: list[tuple[Any, ...]]) -> list[Part]:
    return [(sql, [arrays.literal(column) for column in zip(*rows, strict=True)])] if rows else []


def _entry_row(entry: PointTransaction) -> dict[str, Any]:
    # All that is new says all columns; what is not sent is null there.
    told = vars(entry)
    return {column: value for column in _ENTRY_TYPES if (value := told[column]) is not None}


def _lot_row(book: Book, lot: Lot) -> dict[str, Any]:
    columns = {column: value for column in _LOT_COLUMNS if (value := getattr(lot, column)) is not None}
    return columns | {"account_id": book.account.id, "program_id": book.account.program_id}


def _touched_rows(book: Book) -> Iterable[tuple[Any, ...]]:
    made = {lot.id for lot in book.made}
    return ((book.account.id, lot.id, lot.remaining) for lot in book.touched.values() if lot.id not in made)


def _hold_row(book: Book, hold: Held) -> dict[str, Any]:
    return hold_store.row(book.account.id, book.account.program_id, hold)


def _known(book: Book) -> list[Held]:
    """This will answer the holds that were resolved, but for those that are inserted so."""
    anew = {hold.id for hold in book.held_anew}
    return [hold for hold in book.resolved if hold.id not in anew]


def _use_row(book: Book, use: Use) -> dict[str, Any]:
    return {
        "account_id": book.account.id,
        "entry_id": use.entry_id,
        "position": use.position,
        "lot_id": use.lot_id,
        "points": use.points,
        "pays_debt": use.pays_debt,
        "is_expiry": use.is_expiry,
        "is_held": use.is_held,
    }


def _change_row(book: Book, change: Change) -> dict[str, Any]:
    columns = {column: getattr(change, column) for column in ("id", "entry_id", "points", "effective_at")}
    return columns | {
        "account_id": book.account.id,
        "program_id": book.account.program_id,
        "from_tier_id": change.before and change.before.id,
        "to_tier_id": change.after and change.after.id,
    }


def _record_row(record: Record) -> dict[str, Any]:
    return {
        "owner_id": record.owner_id,
        "key": record.key.key,
        "fingerprint": record.key.fingerprint,
        "status": record.answer.status,
        "body": record.answer.body.decode(),
    }


def _account_row(account: Snapshot) -> tuple[Any, ...]:
    return (account.id, *_changing_columns(account))
