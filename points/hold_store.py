"""The statements about holds: reading those that a posting looks at, and what is written of them with it.

Called by `points/store.py` and the ledger's verbs alone, under the lock of the account.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from points.hold_models import Hold
from points.holding import Held, Pin
from points.lots import Lot

_LOT_COLUMNS = [field.name for field in dataclasses.fields(Lot)]
_HOLD_COLUMNS = [field.name for field in dataclasses.fields(Held)]

Pinned = tuple[Held, list[Lot]]

TYPES = {
    "id": "uuid",
    "account_id": "uuid",
    "program_id": "uuid",
    "points": "numeric",
    "captured_points": "numeric",
    "status": "text",
    "pins": "jsonb",
    "reference": "text",
    "metadata": "jsonb",
    "expires_at": "timestamptz",
    "created_at": "timestamptz",
    "resolved_at": "timestamptz",
    "resolved_by_id": "uuid",
}
UPDATE = (
    "UPDATE points_hold h SET status = r.status, captured_points = r.captured_points, resolved_at = r.resolved_at,"
    " resolved_by_id = r.resolved_by_id"
    " FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::numeric[], %s::timestamptz[], %s::uuid[])"
    " AS r (account_id, id, status, captured_points, resolved_at, resolved_by_id)"
    " WHERE h.account_id = r.account_id AND h.id = r.id"
)


def active(
    account_ids: Iterable[uuid.UUID], *, lapsing_by: Mapping[uuid.UUID, datetime.datetime] | None = None
) -> dict[uuid.UUID, list[Pinned]]:
    """This will read the holds of accounts that nobody has resolved: each with the lots that it is pinned to, or only
    those with them that lapse by the account's moment. A hold may be pinned to as many lots as there are."""
    holds = _read("h.account_id = ANY(%s::uuid[]) AND h.status = %s", [list(account_ids), Hold.Status.ACTIVE.value])
    if lapsing_by is None:
        return _with_lots(holds)
    lapsing = {
        account_id: [hold for hold in held if hold.expires_at <= lapsing_by[account_id]]
        for account_id, held in holds.items()
    }
    lots = {hold.id: lots for pinned in _with_lots(lapsing).values() for hold, lots in pinned}
    return {account_id: [(hold, lots.get(hold.id, [])) for hold in held] for account_id, held in holds.items()}


def find(account_id: uuid.UUID, hold_id: uuid.UUID) -> list[Pinned]:
    """This will read a hold of the account, if it has it, with its lots."""
    return _with_lots(_read("h.account_id = %s AND h.id = %s", [account_id, hold_id])).get(account_id, [])


# Those that lapse by `at`, of the account `a` of a statement that reads more, as JSON.
IN_JSON = """CASE WHEN a.held > 0 THEN (
    SELECT jsonb_agg(jsonb_build_object('id', h.id, 'points', h.points::text, 'expires_at', h.expires_at,
        'created_at', h.created_at, 'pins', h.pins))
    FROM points_hold h WHERE h.account_id = a.id AND h.status = 'active' AND h.expires_at <= %(at)s
) END"""


def told(text: str | None) -> list[Held]:
    """This will read holds as `IN_JSON` answers them."""
    return [
        Held(
            id=uuid.UUID(row["id"]),
            points=Decimal(row["points"]),
            expires_at=datetime.datetime.fromisoformat(row["expires_at"]),
            pins=_pins(row["pins"]),
            created_at=datetime.datetime.fromisoformat(row["created_at"]),
        )
        for row in orjson.loads(text or "[]")
    ]


def row(account_id: uuid.UUID, program_id: uuid.UUID, hold: Held) -> dict[str, Any]:
    """This will answer a hold as it is inserted."""
    return {column: getattr(hold, column, None) for column in TYPES} | {
        "account_id": account_id,
        "program_id": program_id,
        "pins": [[lot_id, str(points)] for lot_id, points in hold.pins],
    }


def resolved_row(account_id: uuid.UUID, hold: Held) -> tuple[Any, ...]:
    """This will answer what became of a hold, as it is written."""
    return (account_id, hold.id, hold.status, hold.captured_points, hold.resolved_at, hold.resolved_by_id)


def _read(condition: str, arguments: Sequence[Any]) -> dict[uuid.UUID, list[Held]]:
    found: dict[uuid.UUID, list[Held]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT h.account_id, {', '.join(f'h.{column}' for column in _HOLD_COLUMNS)} FROM points_hold h"
            f" WHERE {condition} ORDER BY h.expires_at, h.id",
            arguments,
        )
        for account_id, *columns in cursor.fetchall():
            found.setdefault(account_id, []).append(_held(dict(zip(_HOLD_COLUMNS, columns, strict=True))))
    return found


def _with_lots(holds: Mapping[uuid.UUID, Sequence[Held]]) -> dict[uuid.UUID, list[Pinned]]:
    lots = _lots(
        {(account_id, lot_id) for account_id, held in holds.items() for hold in held for lot_id, _ in hold.pins}
    )
    return {
        account_id: [(hold, [lots[account_id, lot_id] for lot_id, _ in hold.pins]) for hold in held]
        for account_id, held in holds.items()
    }


def _held(columns: Mapping[str, Any]) -> Held:
    metadata = columns["metadata"]
    return Held(
        **{
            **columns,
            "pins": _pins(orjson.loads(columns["pins"])),
            "metadata": None if metadata is None else orjson.loads(metadata),
        }
    )


def _pins(rows: Iterable[Sequence[str]]) -> list[Pin]:
    return [(uuid.UUID(lot_id), Decimal(points)) for lot_id, points in rows]


def _lots(named: set[tuple[uuid.UUID, uuid.UUID]]) -> dict[tuple[uuid.UUID, uuid.UUID], Lot]:
    if not named:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT l.account_id, {', '.join(f'l.{column}' for column in _LOT_COLUMNS)}"
            " FROM unnest(%s::uuid[], %s::uuid[]) AS n (account_id, id)"
            " JOIN points_pointlot l ON l.account_id = n.account_id AND l.id = n.id",
            [list(column) for column in zip(*named, strict=True)],
        )
        return {(account_id, columns[0]): Lot(*columns) for account_id, *columns in cursor.fetchall()}
