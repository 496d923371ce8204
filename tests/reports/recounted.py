"""The figures of a programme worked out again in plain Python, from rows of the ledger alone."""

import collections
import datetime
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction

from loyalty.models import Program
from points.models import LotUse, PointLot, PointTransaction
from reports import counting
from reports.models import CountedUpTo, Figure

Figures = dict[tuple[str, datetime.date, str], Decimal]

CATEGORIES = {
    "award": "earned",
    "activate": "activated",
    "adjust": "adjusted",
    "reverse": "reversed",
    "redeem": "redeemed",
    "expire": "expired",
    "transfer": "transferred",
    "merge": "transferred",
}


def counted(program: Program) -> Figures:
    """What the service keeps, once it has counted everything."""
    # As long as a transaction of another test runs, entries after it wait.
    while _is_behind(program):
        counting.count(program)
    rows = Figure.objects.filter(definition__program=program).values_list("measure", "day", "key", "value")
    return {(measure, day, key): value for measure, day, key, value in rows if value}


def _is_behind(program: Program) -> bool:
    known = CountedUpTo.objects.filter(program=program).first()
    newest = PointTransaction.objects.filter(program=program).order_by("-xid", "-id").first()
    is_there = known is not None and known.timezone == program.timezone
    return not is_there or (newest is not None and known.entry_id != newest.id)


def recounted(program: Program) -> Figures:
    """What it should keep, but for what purchases cost and rewards."""
    figures: dict[tuple[str, datetime.date, str], Decimal] = collections.defaultdict(Decimal)
    with transaction.atomic():
        entries = PointTransaction.objects.filter(program=program).order_by("account_id", "version")
        histories: dict[uuid.UUID, list[PointTransaction]] = collections.defaultdict(list)
        for entry in entries:
            histories[entry.account_id].append(entry)
        for history in histories.values():
            _count_account(history, ZoneInfo(program.timezone), figures)
    return {name: value for name, value in figures.items() if value}


def _count_account(history: list[PointTransaction], zone: ZoneInfo, figures: Figures) -> None:
    pending = held = balance = Decimal(0)
    seen: dict[str, list[datetime.date]] = {"award": [], "redeem": [], "active": []}
    for entry in history:
        day = entry.effective_at.astimezone(zone).date()
        here = entry.balance_after + entry.held_after - balance - held
        if entry.type in CATEGORIES:
            figures[CATEGORIES[entry.type], day, ""] += here
        else:
            assert here == 0
        figures["pending", day, ""] += entry.pending_after - pending
        balance, pending, held = entry.balance_after, entry.pending_after, entry.held_after
        figures["new", day, ""] += entry.version == 1
        if entry.type in ("award", "redeem"):
            _count_activity(entry, day, seen, figures)
    _count_lots(history, zone, figures)


def _count_activity(
    entry: PointTransaction, day: datetime.date, seen: dict[str, list[datetime.date]], figures: Figures
) -> None:
    names = {"award": ("earners", "month_earners"), "redeem": ("redeemers", "month_redeemers")}
    for kind, measures in ((entry.type, names[entry.type]), ("active", ("active", "month_active"))):
        figures[measures[0], day, ""] += day not in seen[kind]
        figures[measures[1], day, ""] += day.replace(day=1) not in {known.replace(day=1) for known in seen[kind]}
    is_first_in_month = day.replace(day=1) not in {known.replace(day=1) for known in seen["redeem"]}
    if seen["active"]:
        figures["last_active", seen["active"][-1], ""] -= 1
    figures["last_active", day, ""] += 1
    seen[entry.type].append(day)
    seen["active"].append(day)
    if entry.type == "award":
        figures["awards", day, ""] += 1
        figures["awarded", day, ""] += entry.points
    else:
        figures["redemptions", day, ""] += 1
        size = max(size for size in (0, 50, 100, 250, 500, 1000, 2500, 5000, 10000) if size <= -entry.points)
        figures["redemption_size", day, str(size)] += 1
        figures["redeeming", day.replace(day=1), ""] += is_first_in_month


def _count_lots(history: list[PointTransaction], zone: ZoneInfo, figures: Figures) -> None:
    account_id = history[0].account_id
    lots = {lot.id: lot for lot in PointLot.objects.filter(account_id=account_id)}
    left = {lot_id: Decimal(0) for lot_id in lots}
    for entry in history:
        day = entry.effective_at.astimezone(zone).date()
        uses = LotUse.objects.filter(account_id=account_id, entry_id=entry.id, is_held=False).order_by("position")
        for lot in lots.values():
            if lot.entry_id == entry.id:
                left[lot.id] = lot.points
                figures["owed", day, _ending(lot, zone)] += lot.points
                if lot.active_from and lot.active_from > entry.effective_at:
                    figures["owed_pending", day, _ending(lot, zone)] += lot.points
        for use in uses:
            lot = lots.get(use.lot_id)
            figures["owed", day, _ending(lot, zone)] -= use.points
            if lot is None:
                continue
            if entry.type == "activate" and not use.pays_debt:
                figures["owed_pending", day, _ending(lot, zone)] -= left[lot.id]
            left[lot.id] -= use.points
            if lot.active_from and lot.active_from > entry.effective_at:
                figures["owed_pending", day, _ending(lot, zone)] -= use.points
            if entry.type == "redeem":
                earned_at = _earned_at(lot)
                figures["cohort", day, earned_at.astimezone(zone).strftime("%Y-%m")] += use.points
                seconds = Decimal(str((entry.effective_at - earned_at) / datetime.timedelta(seconds=1)))
                figures["redeemed_seconds", day, ""] += round(use.points * seconds, 2)


def _ending(lot: PointLot | None, zone: ZoneInfo) -> str:
    if lot is None:
        return "debt"
    if lot.inactivity_months is not None:
        return "inactivity"
    if lot.expires_at is None:
        return "never"
    return lot.expires_at.astimezone(zone).strftime("%Y-%m-%d")


def _earned_at(lot: PointLot) -> datetime.datetime:
    first = PointLot.objects.get(pk=lot.origin_id or lot.id)
    return PointTransaction.objects.get(account_id=first.account_id, pk=first.entry_id).effective_at
