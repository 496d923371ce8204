"""What a reversal has to know of the entry that it undoes: what is left to undo, and which lots that is of.

Read under the lock of the account that undoes it, which may be one that the entry's account was merged into.
"""

import dataclasses
import uuid
from collections.abc import Sequence
from decimal import Decimal

from django.db import connection

from points import heirs, store
from points.book import Spent
from points.lots import ZERO, Snapshot
from points.models import PointTransaction
from points.page import Payment


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """An entry that is to be undone, and the accounts in which it may have been: its own, and those that became of it,
    up to the one that undoes it."""

    entry: PointTransaction
    account_ids: list[uuid.UUID]

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is of an account that was merged into the one that undoes it."""
        return len(self.account_ids) > 1


def find(account: Snapshot, entry_id: uuid.UUID) -> Target | None:
    """This will read an entry of the account, or of an account that was merged into it, if there is one of that id."""
    if (own := store.entry(account.id, entry_id)) is not None:
        return Target(own, [account.id])
    moved = PointTransaction.objects.filter(program_id=account.program_id, id=entry_id).first()
    if moved is None:
        return None
    path = heirs.paths([moved.account_id])[moved.account_id]
    return Target(moved, path) if path[-1] == account.id else None


def reversed_points(target: Target) -> Decimal:
    """This will answer how much of an entry reversals have undone, what they could not take among it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(SUM(abs(points) + shortfall), 0) FROM points_pointtransaction"
            " WHERE account_id = ANY(%s::uuid[]) AND reverses_id = %s",
            [target.account_ids, target.entry.id],
        )
        return cursor.fetchone()[0]


def expired_points(target: Target) -> Decimal:
    """This will answer how much of the lot that an entry made has expired, wherever it came to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(SUM(u.points), 0) FROM ("
            " SELECT account_id, id FROM points_pointlot WHERE account_id = ANY(%(accounts)s::uuid[]) AND id = %(lot)s"
            " UNION ALL SELECT account_id, id FROM points_pointlot"
            " WHERE account_id = ANY(%(accounts)s::uuid[]) AND origin_id = %(lot)s"
            ") l JOIN points_lotuse u ON u.account_id = l.account_id AND u.lot_id = l.id AND u.is_expiry",
            {"accounts": target.account_ids, "lot": target.entry.id},
        )
        return cursor.fetchone()[0]


def spent(target: Target, *, undone: Decimal) -> Spent:
    """This will answer what an entry took of which lots, less what its reversals gave back, `undone` in all. The lots
    are those of its own account; who undoes it elsewhere has others."""
    entry = target.entry
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.lot_id, SUM(u.points) FROM ("
            " SELECT %(entry)s::uuid AS id UNION ALL"
            " SELECT id FROM points_pointtransaction WHERE account_id = %(account)s AND reverses_id = %(entry)s"
            ") e JOIN points_lotuse u ON u.account_id = %(account)s AND u.entry_id = e.id"
            " WHERE u.lot_id IS NOT NULL AND NOT u.pays_debt AND NOT u.is_held"
            " GROUP BY u.lot_id ORDER BY MIN(u.position) FILTER (WHERE e.id = %(entry)s)",
            {"account": entry.account_id, "entry": entry.id},
        )
        taken = _payments(entry.account_id, cursor.fetchall())
    by_lot = _less(taken, _given_anew(target)) if target.is_elsewhere else taken
    debt = -entry.points - undone - sum((points for _, points in by_lot), ZERO)
    payers: list[Payment] = []
    if debt:
        payers = _debt_payers(target.account_ids[-1])
        if target.is_elsewhere:
            # What was paid before the merge goes back as what it took itself does: to new lots.
            by_lot = [*_debt_payers(entry.account_id), *by_lot]
    return Spent(by_lot=by_lot, debt=debt, debt_payers=payers)


def _debt_payers(account_id: uuid.UUID) -> list[Payment]:
    """This will answer the lots that have paid debts of an account, in the order of the last payment of each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.lot_id, SUM(u.points) FROM points_lotuse u JOIN points_pointtransaction e"
            " ON e.account_id = u.account_id AND e.id = u.entry_id"
            " WHERE u.account_id = %s AND u.pays_debt"
            " GROUP BY u.lot_id ORDER BY MAX(ARRAY[e.version, u.position]) FILTER (WHERE u.points > 0)",
            [account_id],
        )
        return _payments(account_id, cursor.fetchall())


def _given_anew(target: Target) -> dict[uuid.UUID, Decimal]:
    """This will answer, by the lot whose points they were, what reversals elsewhere brought back of an entry."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.origin_id, SUM(l.points) FROM points_pointtransaction r"
            " JOIN points_pointlot l ON l.account_id = r.account_id AND l.entry_id = r.id"
            " WHERE r.account_id = ANY(%s::uuid[]) AND r.reverses_id = %s GROUP BY l.origin_id",
            [target.account_ids, target.entry.id],
        )
        return dict(cursor.fetchall())


def _less(taken: list[Payment], given: dict[uuid.UUID, Decimal]) -> list[Payment]:
    left = []
    for lot, points in reversed(taken):
        origin = lot.origin_id or lot.id
        back = min(given.get(origin, ZERO), points)
        given[origin] = given.get(origin, ZERO) - back
        left.append((lot, points - back))
    return left[::-1]


def _payments(account_id: uuid.UUID, rows: Sequence[tuple[uuid.UUID, Decimal]]) -> list[Payment]:
    lots = {lot.id: lot for lot in store.lots_by_id(account_id, [lot_id for lot_id, _ in rows])} if rows else {}
    return [(lots[lot_id], points) for lot_id, points in rows]
