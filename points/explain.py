"""Why a balance is what it is: the lots that make it up, which entry brought each and which entries it paid; what is
set aside; and how the tier comes about."""

import dataclasses
import datetime
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import F, Q

from points import histories, reading, rules, statements
from points.hold_models import Hold
from points.lots import NEVER, SNAPSHOT_COLUMNS, ZERO, Lot, Lots, Snapshot
from points.models import AccountRef, PointAccount, PointLot, PointTransaction
from points.statements import Statement
from points.tallies import Tallies
from tiers.ladder import Basis, Ladder, Progress

MOST_LOTS = 100
MOST_PAID = 20  # Of one lot: the newest.
LONGEST_LOOK_AHEAD = 3660  # Days.


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Paid:
    """An entry that a lot paid, and with how much; below zero: it got points back."""

    entry: PointTransaction
    points: Decimal


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LotExplained:
    """A lot of which something is left: what brought it, what it paid."""

    lot: Lot
    brought_by: PointTransaction
    held: Decimal
    is_pending: bool
    ends_at: datetime.datetime | None
    paid: Sequence[Paid]
    has_more_paid: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TierExplained:
    """A customer's tier, and what counts for it: by month, where not all that was ever earned does."""

    ladder: Ladder
    progress: Progress
    since: datetime.datetime | None
    counted: Mapping[int, Decimal]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What an account has at a moment, and why. The lots are in the order of spending, the pending ones last."""

    at: datetime.datetime
    statement: Statement
    debt: Decimal
    lots: Sequence[LotExplained]
    has_more_lots: bool
    holds: Sequence[Hold]
    tier: TierExplained | None


def of(*, account: AccountRef, at: datetime.datetime) -> Explanation:
    """This will write what fell due by `at` in an account, and explain what it has. All of it is of one moment."""
    histories.settle(account=account, at=at)
    with reading.one_moment():
        statement = statements.balance(account=account, at=at, days=LONGEST_LOOK_AHEAD)
        holds = list(Hold.objects.filter(account_id=account.id, status=Hold.Status.ACTIVE).order_by("expires_at", "id"))
        lots, has_more = _lots(account, holds)
        return Explanation(
            at=at,
            statement=statement,
            debt=max(-statement.balance, ZERO),
            lots=lots,
            has_more_lots=has_more,
            holds=holds,
            tier=_tier(account, statement, at),
        )


def _lots(account: AccountRef, holds: Sequence[Hold]) -> tuple[list[LotExplained], bool]:
    row = PointAccount.objects.filter(pk=account.id).first()
    if row is None:
        return [], False
    held: dict[uuid.UUID, Decimal] = defaultdict(Decimal)
    for hold in holds:
        for lot_id, points in hold.pins:
            held[uuid.UUID(lot_id)] += Decimal(points)
    rows = PointLot.objects.filter(Q(is_open=True) | Q(pk__in=list(held)), account_id=account.id)
    dated = rows.filter(inactivity_months=None).order_by(F("expires_at").asc(nulls_last=True), "version")
    idle = rows.exclude(inactivity_months=None).order_by("active_from", "version")
    found = [_lot(lot) for part in (dated, idle) for lot in part[: MOST_LOTS + 1]]
    shelf = Lots(_snapshot(row), ZoneInfo(account.program.timezone), found)
    found.sort(key=lambda lot: (shelf.is_pending(lot), shelf.end(lot), lot.inactivity_months is not None, lot.version))
    told = found[:MOST_LOTS]
    paid = _paid(account.id, [lot.id for lot in told])
    entries = _entries(account.id, [lot.entry_id for lot in told])
    explained = []
    for lot in told:
        end = shelf.end(lot)
        explained.append(
            LotExplained(
                lot=lot,
                brought_by=entries[lot.entry_id],
                held=held.get(lot.id, ZERO),
                is_pending=shelf.is_pending(lot),
                ends_at=None if end == NEVER else end,
                paid=paid[lot.id][:MOST_PAID],
                has_more_paid=len(paid[lot.id]) > MOST_PAID,
            )
        )
    return explained, len(found) > MOST_LOTS


def _lot(row: PointLot) -> Lot:
    return Lot(**{field.name: getattr(row, field.name) for field in dataclasses.fields(Lot)})


def _snapshot(row: PointAccount) -> Snapshot:
    columns = {name: getattr(row, name) for name in SNAPSHOT_COLUMNS}
    return Snapshot(**columns | {"tallies": "{}"})


def _entries(account_id: uuid.UUID, entry_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, PointTransaction]:
    return {entry.pk: entry for entry in PointTransaction.objects.filter(account_id=account_id, pk__in=entry_ids)}


_PAID = """
SELECT n.lot_id, u.entry_id, u.points
FROM unnest(%(lots)s::uuid[]) AS n (lot_id) CROSS JOIN LATERAL (
    SELECT u.entry_id, u.points, e.version, u.position
    FROM points_lotuse u JOIN points_pointtransaction e ON e.account_id = u.account_id AND e.id = u.entry_id
    WHERE u.account_id = %(account)s AND u.lot_id = n.lot_id AND NOT u.is_held AND u.points <> 0
    ORDER BY e.version DESC, u.position DESC LIMIT %(most)s
) u ORDER BY u.version DESC, u.position DESC
"""


def _paid(account_id: uuid.UUID, lot_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Paid]]:
    """This will answer what each lot paid, the newest first; one more than is told."""
    with connection.cursor() as cursor:
        cursor.execute(_PAID, {"account": account_id, "lots": list(lot_ids), "most": MOST_PAID + 1})
        rows = cursor.fetchall()
    entries = _entries(account_id, [entry_id for _, entry_id, _ in rows])
    paid: dict[uuid.UUID, list[Paid]] = {lot_id: [] for lot_id in lot_ids}
    for lot_id, entry_id, points in rows:
        paid[lot_id].append(Paid(entry=entries[entry_id], points=points))
    return paid


def _tier(account: AccountRef, statement: Statement, at: datetime.datetime) -> TierExplained | None:
    ladder = rules.of(account.program).ladder
    progress = statements.progress(account=account, known=statement, at=at)
    kind = account.program.definitions.filter(counts_for_tiers=True).first()
    if ladder is None or progress is None or kind is None:
        return None
    row = PointAccount.objects.filter(pk=PointAccount.id_for(account.customer_id, kind.pk)).first()
    month = ladder.month(at)
    first = {Basis.ROLLING: month - ladder.window_months, Basis.CALENDAR: month - month % 12}.get(ladder.basis)
    earned = Tallies.of(row.tallies).by_month() if row is not None and first is not None else {}
    return TierExplained(
        ladder=ladder,
        progress=progress,
        since=row.tier_since if row is not None and progress.rung is not None else None,
        counted={of: points for of, points in sorted(earned.items()) if first is not None and first <= of <= month},
    )
