"""What there is of an entry that is to be reversed: what it took of which lots, what of it was undone or expired since.

Called by the ledger's verbs alone, under the lock of the account. The entry may be of an account that was merged into
the one that undoes it.
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


def target(account: Snapshot, entry_id: uuid.UUID) -> Target | None:
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


def spent(target: Target, *, undone: Decimal, owed: Decimal) -> Spent:
    """This will answer what an entry took of which lots, less what its reversals gave back, `undone` in all. The lots
    are those of its own account; who undoes it elsewhere has others. `owed`: what the account owes that undoes it."""
    entry, account_id = target.entry, target.account_ids[-1]
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
        taken = _payments([(entry.account_id, *row) for row in cursor.fetchall()])
    by_lot = _less(taken, _given_anew(target)) if target.is_elsewhere else taken
    debt = -entry.points - undone - sum((points for _, points in by_lot), ZERO)
    payers = _debt_payers(account_id) if debt else []
    is_short = debt > owed + sum((points for _, points in payers), ZERO)
    elsewhere = _debt_payers_elsewhere(account_id) if is_short else []
    return Spent(by_lot=by_lot, debt=debt, debt_payers=payers, debt_payers_elsewhere=elsewhere)


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
        return _payments([(account_id, *row) for row in cursor.fetchall()])


# The account and all that were merged into it.
_PAYERS_ELSEWHERE = f"""{heirs.FAMILY}
SELECT u.account_id, u.lot_id, SUM(u.points)
FROM family f JOIN points_lotuse u ON u.account_id = f.id AND u.pays_debt
JOIN points_pointtransaction e ON e.account_id = u.account_id AND e.id = u.entry_id
WHERE f.id <> %(account)s GROUP BY u.account_id, u.lot_id HAVING SUM(u.points) > 0
ORDER BY MAX(e.effective_at) FILTER (WHERE u.points > 0), MAX(ARRAY[e.version, u.position]) FILTER (WHERE u.points > 0)
"""
# What reversals brought of each lot, beyond what the entries that they undo had taken of it themselves.
_PAID_BACK_ANEW = f"""{heirs.FAMILY}
SELECT b.origin_id, SUM(GREATEST(b.points - t.points, 0)) FROM (
    SELECT COALESCE(r.other_account_id, r.account_id) AS account_id, r.reverses_id, l.origin_id, SUM(l.points) AS points
    FROM family f JOIN points_pointtransaction r ON r.account_id = f.id AND r.reverses_id IS NOT NULL
    JOIN points_pointlot l ON l.account_id = r.account_id AND l.entry_id = r.id
    GROUP BY 1, r.reverses_id, l.origin_id
) b, LATERAL (
    SELECT COALESCE(SUM(u.points), 0) AS points
    FROM points_pointtransaction e JOIN points_lotuse u ON u.account_id = e.account_id AND u.entry_id = e.id
    JOIN points_pointlot l ON l.account_id = u.account_id AND l.id = u.lot_id
    WHERE e.account_id = b.account_id AND (e.id = b.reverses_id OR e.reverses_id = b.reverses_id)
    AND COALESCE(l.origin_id, l.id) = b.origin_id AND NOT u.pays_debt AND NOT u.is_held
) t GROUP BY b.origin_id
"""


def _debt_payers_elsewhere(account_id: uuid.UUID) -> list[Payment]:
    """This will answer the lots that paid debts of accounts before those were merged into this one, in the order of the
    last payment of each, less what was paid back to new lots."""
    with connection.cursor() as cursor:
        cursor.execute(_PAYERS_ELSEWHERE, {"account": account_id})
        payers = _payments(cursor.fetchall())
        cursor.execute(_PAID_BACK_ANEW, {"account": account_id})
        return _less(payers, dict(cursor.fetchall()))


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


def _payments(rows: Sequence[tuple[uuid.UUID, uuid.UUID, Decimal]]) -> list[Payment]:
    """This will answer each (account id, lot id, points) with the lot."""
    named: dict[uuid.UUID, list[uuid.UUID]] = {}
    for account_id, lot_id, _ in rows:
        named.setdefault(account_id, []).append(lot_id)
    lots = {lot.id: lot for account_id, lot_ids in named.items() for lot in store.lots_by_id(account_id, lot_ids)}
    return [(lots[lot_id], points) for _, lot_id, points in rows]
