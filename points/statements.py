"""What an account has, had and will lose: pure reads, right by the clock although nothing has been settled yet.

What fell due since the last posting is worked out in memory, by the same books that a posting would settle, and not
written. Times are UTC; days are the programme's.
"""

import dataclasses
import datetime
import itertools
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from loyalty.postgres import prepared
from points import hold_store, past, rules
from points.holding import Held, HoldingPage
from points.lots import NEVER, SNAPSHOT_COLUMNS, ZERO, Lot, Snapshot
from points.models import AccountRef, PointTransaction
from points.page import THE_CLOCK
from tiers.ladder import Progress, Standing

SOON = 30  # Days.

_LOT_COLUMNS = [field.name for field in dataclasses.fields(Lot)]
# What of an account is told as it is, and what the clock needs.
_TOLD = ["balance", "pending", "held", "lifetime_earned", "lifetime_redeemed", "lifetime_expired", "last_activity_at"]
_SNAPSHOT = [
    *_TOLD,
    "version",
    "effective_at",
    "next_due_at",
    "tier_id",
    "tier_since",
    "tier_until",
    "tallies",
]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Expiring:
    """Points that expire on one day of the programme, at the earliest at `expires_at`; whose, where it is not told."""

    points: Decimal
    expires_at: datetime.datetime
    days_until_expiry: int
    customer_id: uuid.UUID | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Activity:
    """An entry that somebody posted."""

    id: uuid.UUID
    type: str
    points: Decimal
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What an account has at a moment."""

    balance: Decimal = ZERO
    pending: Decimal = ZERO
    held: Decimal = ZERO
    lifetime_earned: Decimal = ZERO
    lifetime_redeemed: Decimal = ZERO
    lifetime_expired: Decimal = ZERO
    last_activity: Activity | None = None
    last_activity_at: datetime.datetime | None = None
    expiring: Sequence[Expiring] = ()
    # None where the points do not count for tiers, or the programme has none.
    tier: Standing | None = None
    progress: Progress | None = None


def balance(*, account: AccountRef, at: datetime.datetime, days: int = SOON) -> Statement:
    """This will answer what the account has at `at`, which is now or later, and what of it expires within `days`.

    Its last activity is the newest entry that somebody posted; what the clock does is none.
    """
    until = at + datetime.timedelta(days=days)
    written = _written(account, at=at, until=until)
    return _nothing(account, at) if written is None else _settled(account, written, at=at, until=until)


def as_of(*, account: AccountRef, moment: datetime.datetime, days: int = SOON) -> Statement:
    """This will answer what the account had at a moment that is not in the future: the state after the last entry that
    took effect by then, and what was due by then."""
    until = moment + datetime.timedelta(days=days)
    now = _written(account, at=moment, until=until)
    if now is None:
        return _nothing(account, moment)
    if now.row.clock(moment) == moment:
        return _settled(account, now, at=moment, until=until)
    entries = PointTransaction.objects.filter(account_id=account.id, effective_at__lte=moment)
    last = entries.order_by("-version").first()
    if last is None:
        return _nothing(account, moment)
    row = past.snapshot(account, last, moment)
    posted = entries.exclude(actor=THE_CLOCK).order_by("-version")
    activity = posted.values_list("id", "type", "points", "created_at").first()
    # Nothing is left to settle: what was due by then has an entry by now, since a later one has been posted.
    page = _page(account, row, past.lots(account.id, last.version), at=moment)
    expiring = list(_expiring(page, at=moment, until=until))
    held = page.standing.recorded() if page.standing else None
    return _statement(page, activity and Activity(*activity), expiring, at=moment, held=held)


def progress(*, account: AccountRef, known: Statement, at: datetime.datetime) -> Progress | None:
    """This will answer the tier of the account's customer and how far the next one is; None where the programme has
    none. `known` is what the account has at `at`, now or then: it says so itself where its points count for tiers."""
    if account.definition.counts_for_tiers:
        return known.progress
    kind = account.program.definitions.filter(counts_for_tiers=True).first()
    if kind is None:
        return None
    return as_of(account=dataclasses.replace(account, definition=kind), moment=at).progress


def balance_by_transaction_date(*, account: AccountRef, moment: datetime.datetime) -> Decimal:
    """This will answer the sum of the available points of the entries whose callers dated them up to a moment that is
    not in the future, with what was due by then; an entry without a date of its caller's counts from when it took
    effect."""
    known = _written(account, at=moment, until=moment)
    if known is None:
        return ZERO
    row = known.row
    # Entries never change: those up to the row's version are what the row says, also if more are posted meanwhile.
    entries = PointTransaction.objects.filter(account_id=account.id, version__lte=row.version)
    dated = entries.alias(dated_at=Coalesce("transaction_date", "effective_at")).filter(dated_at__lte=moment)
    written = dated.aggregate(sum=Sum(F("balance_after") - F("balance_before")))["sum"] or ZERO
    if row.effective_at is not None and row.effective_at > moment:
        # What was due by then has an entry by now, since a later one has been posted.
        return written
    before = row.balance
    page = _page(account, row, known.lots, known.holds, at=moment)
    page.settle(moment)
    return written + page.account.balance - before


def balances(*, accounts: Iterable[AccountRef], at: datetime.datetime, days: int = 0) -> dict[uuid.UUID, Statement]:
    """This will answer what many accounts have, by account, in two statements, and what of it expires within `days`; no
    activity."""
    until = at + datetime.timedelta(days=days)
    refs = {account.id: account for account in accounts}
    rows = _snapshots(list(refs))
    due = [row.id for row in rows if row.next_due_at is not None and row.next_due_at <= until]
    lots: dict[uuid.UUID, list[Lot]] = {}
    for account_id, *columns in _open_lots(due):
        lots.setdefault(account_id, []).append(Lot(*columns))
    with_holds = [row.id for row in rows if row.held and row.id in due]
    holds = hold_store.active(with_holds) if with_holds else {}
    known = {row.id for row in rows}
    answers = {ref.id: _nothing(ref, at) for ref in refs.values() if ref.id not in known}
    for row in rows:
        page = _page(refs[row.id], row, lots.get(row.id, []), at=at)
        page.load_holds(holds.get(row.id, []))
        page.settle(at)
        expiring = list(_expiring(page, at=at, until=until)) if days else ()
        answers[row.id] = _statement(page, expiring=expiring, at=at)
    return answers


_STANDING = f"""
SELECT {", ".join(f"a.{column}" for column in _SNAPSHOT)},
    {hold_store.IN_JSON}, e.id, e.type, e.points, e.created_at, {", ".join(f"l.{column}" for column in _LOT_COLUMNS)}
FROM points_pointaccount a
LEFT JOIN LATERAL (
    -- Written out: of an actor that it does not know, the planner takes it that few entries are another's.
    SELECT id, type, points, created_at FROM points_pointtransaction
    WHERE account_id = a.id AND actor <> '{THE_CLOCK}' ORDER BY version DESC LIMIT 1
) e ON TRUE
LEFT JOIN LATERAL (
    -- What ends, what ends by inactivity, what starts: each by its index, however few lots the planner expects.
    SELECT * FROM points_pointlot l WHERE l.account_id = a.id AND l.is_open AND a.next_due_at <= %(until)s
        AND l.inactivity_months IS NULL AND l.expires_at <= %(until)s
    UNION ALL
    SELECT * FROM points_pointlot l WHERE l.account_id = a.id AND l.is_open AND a.next_due_at <= %(until)s
        AND l.inactivity_months IS NOT NULL
    UNION ALL
    SELECT * FROM points_pointlot l WHERE l.account_id = a.id AND l.is_open AND a.next_due_at <= %(until)s
        AND l.inactivity_months IS NULL AND l.active_from > a.effective_at AND l.active_from <= %(until)s
        AND (l.expires_at IS NULL OR l.expires_at > %(until)s)
    UNION ALL
    SELECT l.* FROM points_hold h, jsonb_array_elements(h.pins) pin, points_pointlot l
    WHERE a.held > 0 AND h.account_id = a.id AND h.status = 'active' AND h.expires_at <= %(at)s
    AND l.account_id = a.id AND l.id = (pin ->> 0)::uuid
    -- Not to be merged into the join: an account to which nothing happens in this time has no lot read.
    OFFSET 0
) l ON TRUE
WHERE a.id = %(account)s"""
_HOLDS = len(_SNAPSHOT)
_ACTIVITY = slice(_HOLDS + 1, -len(_LOT_COLUMNS))


@dataclasses.dataclass(frozen=True, slots=True)
class _Written:
    """What is written of an account: its row, what somebody posted last, the lots to which something happens soon, and
    the holds that have lapsed."""

    row: Snapshot
    activity: Activity | None
    lots: Sequence[Lot]
    holds: Sequence[Held]


def _written(account: AccountRef, *, at: datetime.datetime, until: datetime.datetime) -> _Written | None:
    """This will read an account, the lots that start or end by `until`, and the holds that lapse by `at` with theirs;
    None where nothing was ever posted."""
    with connection.cursor() as cursor:
        # One statement, so that the balance, the lots and the last entry are of one moment.
        prepared.execute(cursor, "read_standing", _STANDING, {"account": account.id, "at": at, "until": until})
        rows = cursor.fetchall()
    if not rows:
        return None
    first = rows[0]
    return _Written(
        Snapshot(id=account.id, program_id=account.program.pk, **dict(zip(_SNAPSHOT, first, strict=False))),
        Activity(*first[_ACTIVITY]) if first[_ACTIVITY][0] else None,
        [Lot(*row[-len(_LOT_COLUMNS) :]) for row in rows if row[-len(_LOT_COLUMNS)] is not None],
        hold_store.told(first[_HOLDS]),
    )


def _settled(account: AccountRef, written: _Written, *, at: datetime.datetime, until: datetime.datetime) -> Statement:
    """This will say what an account has once what fell due by `at` is counted, and what of it expires by `until`."""
    page = _page(account, written.row, written.lots, written.holds, at=at)
    page.settle(at)
    return _statement(page, written.activity, list(_expiring(page, at=at, until=until)), at=at)


def _page(
    account: AccountRef, row: Snapshot, lots: Iterable[Lot], holds: Iterable[Held] = (), *, at: datetime.datetime
) -> HoldingPage:
    zone = ZoneInfo(account.program.timezone)
    ladders = rules.Ladders(account.program)
    page = HoldingPage(account=row, definition=account.definition, zone=zone, written_at=at, lots=lots, ladders=ladders)
    page.load_holds((hold, ()) for hold in holds)
    return page


def _nothing(account: AccountRef, at: datetime.datetime) -> Statement:
    """This will say what somebody has to whom nothing was ever posted."""
    return _statement(_page(account, Snapshot(id=account.id, program_id=account.program.pk), [], at=at), at=at)


def _statement(
    page: HoldingPage,
    activity: Activity | None = None,
    expiring: Sequence[Expiring] = (),
    *,
    at: datetime.datetime,
    held: Standing | None = None,
) -> Statement:
    """This will say what the books say; the tier is the one by the clock, unless another was `held` then."""
    standing = page.standing
    tier = (held or standing.held(at)) if standing else None
    return Statement(
        last_activity=activity,
        expiring=expiring,
        tier=tier,
        progress=standing.progress(at, tier) if standing and tier else None,
        **{name: getattr(page.account, name) for name in _TOLD},
    )


def _expiring(page: HoldingPage, *, at: datetime.datetime, until: datetime.datetime) -> Iterable[Expiring]:
    ends = sorted(
        (
            (end, lot.remaining)
            for lot in page.lots.open()
            if not page.lots.is_pending(lot) and at < (end := page.lots.end(lot)) <= until and end != NEVER
        ),
    )
    for _, same_day in itertools.groupby(ends, key=lambda row: row[0].astimezone(page.zone).date()):
        rows = list(same_day)
        first = rows[0][0]
        yield Expiring(
            points=sum((points for _, points in rows), ZERO),
            expires_at=first,
            days_until_expiry=days_between(at, first, page.zone),
        )


def days_between(at: datetime.datetime, moment: datetime.datetime, zone: ZoneInfo) -> int:
    """This will answer how many days of the programme there are between two moments."""
    return (moment.astimezone(zone).date() - at.astimezone(zone).date()).days


def _snapshots(account_ids: list[uuid.UUID]) -> list[Snapshot]:
    with connection.cursor() as cursor:
        # By hand: the ORM would read the tallies, which are a text to the books.
        cursor.execute(
            f"SELECT {', '.join(SNAPSHOT_COLUMNS)} FROM points_pointaccount WHERE id = ANY(%s::uuid[])", [account_ids]
        )
        return [Snapshot(*columns) for columns in cursor.fetchall()]


def _open_lots(account_ids: list[uuid.UUID]) -> list[tuple[Any, ...]]:
    if not account_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT account_id, {', '.join(_LOT_COLUMNS)} FROM points_pointlot"
            " WHERE account_id = ANY(%s::uuid[]) AND is_open",
            [account_ids],
        )
        return cursor.fetchall()
