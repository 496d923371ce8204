"""An account as it was after one of its entries, put together again from what is never changed."""

import dataclasses
import datetime
import uuid
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from points.lots import Lot, Snapshot
from points.models import AccountRef, PointTransaction, TierChange

_LOT_COLUMNS = [field.name for field in dataclasses.fields(Lot)]

# What an entry earned, and when: what is reversed while it is pending was never earned; such a reversal changes the
# pending points. What is reversed later was not earned after all in the month in which it was.
EARNED = """
SELECT e.account_id, e.version, CASE
        WHEN e.type = 'award' AND e.valid_from IS NULL THEN e.points
        WHEN e.type = 'activate' THEN e.balance_after - e.balance_before
        ELSE e.points - e.shortfall
    END AS points, COALESCE(t.valid_from, t.effective_at, e.effective_at) AS at
FROM {entries} e
LEFT JOIN {entries} t ON t.account_id = COALESCE(e.other_account_id, e.account_id) AND t.id = e.reverses_id
WHERE (e.type = 'award' AND e.valid_from IS NULL) OR e.type = 'activate'
OR (t.type = 'award' AND e.points = e.balance_after - e.balance_before)
"""


# The account up to the entry of a version, and all accounts that were merged into it by then, each as a whole.
_MEMBERS = """
WITH RECURSIVE members AS (
    SELECT %(account)s::uuid AS account_id, %(version)s::bigint AS version
    UNION ALL
    SELECT o.id, o.version FROM members m
    JOIN points_pointtransaction e ON e.account_id = m.account_id AND e.version <= m.version AND e.type = 'merge'
    JOIN points_pointaccount o ON o.id = e.other_account_id AND o.merged_into_id = m.account_id
)
"""


def snapshot(account: AccountRef, last: PointTransaction, moment: datetime.datetime) -> Snapshot:
    """This will answer the account's row as it was at a moment, `last` being the newest entry by then."""
    redeemed, expired = _spent(account.id, last.version)
    earned = _earned(account, last.version)
    tier_id, tier_since = tier(account.id, moment)
    return Snapshot(
        id=account.id,
        program_id=account.program.pk,
        balance=last.balance_after,
        pending=last.pending_after,
        held=last.held_after,
        lifetime_earned=sum(earned.values(), Decimal(0)),
        lifetime_redeemed=redeemed,
        lifetime_expired=expired,
        effective_at=last.effective_at,
        last_activity_at=_last_activity_at(account.id, last.version),
        tier_id=tier_id,
        tier_since=tier_since,
        tallies=orjson.dumps({f"earned/{month}": str(points) for month, points in earned.items()}).decode(),
    )


def tier(account_id: uuid.UUID, moment: datetime.datetime) -> tuple[uuid.UUID | None, datetime.datetime | None]:
    """This will answer the tier that was held at a moment, and since when if the customer had come to it."""
    changes = TierChange.objects.filter(account_id=account_id)
    last = changes.filter(effective_at__lte=moment).order_by("-effective_at", "-id").first()
    if last is not None:
        return last.to_tier_id, last.effective_at
    following = changes.order_by("effective_at", "id").first()
    return following.from_tier_id if following else None, None


def lots(account_id: uuid.UUID, version: int) -> list[Lot]:
    """This will answer the lots with what was left of each after the entry of that version."""
    columns = ", ".join("l.points - COALESCE(u.points, 0)" if c == "remaining" else f"l.{c}" for c in _LOT_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM points_pointlot l LEFT JOIN ("
            "   SELECT u.lot_id, SUM(u.points) AS points FROM points_lotuse u JOIN points_pointtransaction e"
            "   ON e.account_id = u.account_id AND e.id = u.entry_id"
            "   WHERE u.account_id = %(account)s AND e.version <= %(version)s GROUP BY u.lot_id"
            ") u ON u.lot_id = l.id WHERE l.account_id = %(account)s AND l.version <= %(version)s",
            {"account": account_id, "version": version},
        )
        return [Lot(*row) for row in cursor.fetchall()]


def _last_activity_at(account_id: uuid.UUID, version: int) -> datetime.datetime | None:
    [(last,)] = _run(
        "SELECT max(e.effective_at) FROM members m JOIN points_pointtransaction e"
        " ON e.account_id = m.account_id AND e.version <= m.version AND e.type IN ('award', 'redeem')",
        account_id,
        version,
    )
    return last


def _earned(account: AccountRef, version: int) -> dict[str, Decimal]:
    """This will answer what was earned by month of the programme's calendar, up to the entry of that version."""
    return dict(
        _run(
            "SELECT to_char(earned.at AT TIME ZONE %(zone)s, 'YYYY-MM'), SUM(earned.points)"
            f" FROM members m JOIN ({EARNED.format(entries='points_pointtransaction')}) earned"
            " ON earned.account_id = m.account_id AND earned.version <= m.version GROUP BY 1",
            account.id,
            version,
            zone=account.program.timezone,
        )
    )


def _spent(account_id: uuid.UUID, version: int) -> tuple[Decimal, Decimal]:
    """This will answer what was redeemed and expired up to the entry of that version, as the books count it."""
    [sums] = _run(_SPENT, account_id, version)
    return sums


_SPENT = """
SELECT
    COALESCE(-SUM(e.points) FILTER (WHERE e.type = 'redeem' OR t.type = 'redeem'), 0),
    COALESCE(-SUM(e.points) FILTER (WHERE e.type = 'expire'), 0)
FROM members m
JOIN points_pointtransaction e ON e.account_id = m.account_id AND e.version <= m.version
LEFT JOIN points_pointtransaction t
    ON t.account_id = COALESCE(e.other_account_id, e.account_id) AND t.id = e.reverses_id
"""


def _run(select: str, account_id: uuid.UUID, version: int, **arguments: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS + select, {"account": account_id, "version": version, **arguments})
        return cursor.fetchall()
