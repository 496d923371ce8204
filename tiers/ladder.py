"""What tier so many points reach, and until when it is held. Numbers only: no card, no ledger, no database.

A month is counted as `12 * year + month - 1`, of the programme's calendar.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Mapping
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import TextChoices

# What the account remembers of the months, so that both windows and their review can be worked out.
MOST_MONTHS = 24

ZERO = Decimal(0)
_UTC = ZoneInfo("UTC")


class Basis(TextChoices):
    """Which points count."""

    LIFETIME = "lifetime", "All points ever earned"
    ROLLING = "rolling", "Points earned in the last months"
    CALENDAR = "calendar", "Points earned in a calendar year"


class Fall(TextChoices):
    """How far a tier falls that its window does not reach any more."""

    STEP = "step", "One tier at a review"
    REACHED = "reached", "To what the window reaches"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """A tier."""

    id: uuid.UUID
    code: str
    name: str
    threshold: Decimal
    multiplier: Decimal
    benefits: tuple[str, ...] = ()
    color: str = "#888888"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Earned:
    """What a customer earned: ever, and by month of the programme's calendar."""

    lifetime: Decimal = ZERO
    by_month: Mapping[int, Decimal] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The tier that a customer holds: since when, and until when if nothing more is earned (None: no end)."""

    rung: Rung | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far it is: to the next tier, and to keep this one at its next review. `projected` is what it becomes
    if nothing more is earned: itself where it passes that review."""

    rung: Rung | None
    following: Rung | None
    points: Decimal
    points_to_next: Decimal | None
    percentage: int
    level: int
    points_to_keep: Decimal
    projected: Rung | None
    until: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ladder:
    """A programme's tiers, the lowest first, and the rules by which they are climbed and lost."""

    rungs: tuple[Rung, ...]
    basis: Basis = Basis.LIFETIME
    window_months: int = 12
    grace_days: int = 0
    fall: Fall = Fall.REACHED
    zone: ZoneInfo = _UTC

    def points(self, earned: Earned, month: int) -> Decimal:
        """This will answer the points that count in a month."""
        match self.basis:
            case Basis.LIFETIME:
                return earned.lifetime
            case Basis.ROLLING:
                return _sum(earned, month - self.window_months, month)
        return _sum(earned, month - month % 12, month)

    def reached(self, points: Decimal) -> Rung | None:
        """This will answer the highest tier that so many points reach; None below the lowest."""
        return next((rung for rung in reversed(self.rungs) if rung.threshold <= points), None)

    def find(self, tier_id: uuid.UUID | None) -> Rung | None:
        """This will answer the tier of that id."""
        return next((rung for rung in self.rungs if rung.id == tier_id), None)

    def is_above(self, rung: Rung, other: Rung | None) -> bool:
        """This will tell whether a tier is higher than another, or than none."""
        return self._rank(rung) > self._rank(other)

    def month(self, moment: datetime.datetime) -> int:
        """This will answer the month that a moment lies in."""
        return month_of(moment, self.zone)

    def climbed(self, standing: Standing, earned: Earned, at: datetime.datetime) -> Standing:
        """This will answer the standing after points were earned: never a lower tier."""
        month = self.month(at)
        if self.basis == Basis.LIFETIME:
            return self._held(standing, self.reached(earned.lifetime), at)
        rung = self.reached(self.points(earned, month))
        if self._rank(rung) > self._rank(standing.rung):
            return Standing(rung=rung, since=at, until=self._until(rung, earned, month))
        if self._is_backed(standing.rung, earned, month):
            return dataclasses.replace(standing, until=self._until(standing.rung, earned, month))
        return standing

    def lowered(self, standing: Standing, before: Earned, after: Earned, at: datetime.datetime) -> Standing:
        """This will answer the standing after earned points were taken back: a tier falls with the points that
        reached it, and not because of others. The customer stands where the other points alone would have led, a grace
        period and a step of a fall among it, but no higher than before."""
        month = self.month(at)
        if self.basis == Basis.LIFETIME:
            return self._held(standing, self.reached(after.lifetime), at)
        if not self._is_backed(standing.rung, before, month):
            return standing
        if self._is_backed(standing.rung, after, month):
            return dataclasses.replace(standing, until=self._until(standing.rung, after, month))
        left = self._without(standing, after, at)
        return dataclasses.replace(left, since=standing.since if left.rung == standing.rung else at)

    def _without(self, standing: Standing, earned: Earned, at: datetime.datetime) -> Standing:
        """This will answer the highest standing, up to this one, that what was earned leads to by a moment: what it
        reaches then, or what became of a tier that it held in a month before."""
        best = self.started(earned, at)
        month = self.month(at)
        months = range(month, min(earned.by_month, default=month) - 1, -1)
        for rung in self.rungs[self._rank(best.rung) + 1 :]:
            last = next((past for past in months if self._is_backed(rung, earned, past)), None)
            if last is None:
                continue
            held = Standing(rung=rung, until=self._until(rung, earned, last))
            fallen = [held, *self.reviewed(held, earned, at)][-1]
            if self._rank(fallen.rung) > self._rank(best.rung):
                best = fallen
        return dataclasses.replace(best, rung=min(best.rung, standing.rung, key=self._rank))

    def reviewed(self, standing: Standing, earned: Earned, at: datetime.datetime) -> list[Standing]:
        """This will answer what became of a standing by `at` without a posting, in order of time: every fall that came
        due, and what staff changed of the ladder. The last one is what holds."""
        if self.basis == Basis.LIFETIME:
            held = self._held(standing, self.reached(earned.lifetime), at)
            return [] if held == standing else [held]
        moves: list[Standing] = []
        if self.lacks_end(standing):
            standing = dataclasses.replace(standing, until=self._until(standing.rung, earned, self.month(at)))
            moves.append(standing)
        while standing.until is not None and standing.until <= at:
            fallen = self._fallen(standing, earned, standing.until)
            assert fallen.until is None or fallen.until > standing.until
            moves.append(standing := fallen)
        return moves

    def lacks_end(self, standing: Standing) -> bool:
        """This will tell whether a tier has no end that must have one, from when the programme had no window."""
        rung = standing.rung
        is_windowed = self.basis != Basis.LIFETIME
        return is_windowed and standing.until is None and rung is not None and rung.threshold > 0

    def current(self, standing: Standing, earned: Earned, at: datetime.datetime) -> Standing:
        """This will answer the standing by the clock, whatever of it is written."""
        if self.basis == Basis.LIFETIME:
            return self._held(standing, self.reached(earned.lifetime), at)
        if standing.rung is None:
            started = self.started(earned, at)
            return started if started.rung else standing
        return [standing, *self.reviewed(standing, earned, at)][-1]

    def started(self, earned: Earned, at: datetime.datetime) -> Standing:
        """This will answer the standing of somebody who has none yet."""
        month = self.month(at)
        rung = self.reached(self._backing(earned, month))
        return Standing(rung=rung, since=at if rung else None, until=self._until(rung, earned, month))

    def progress(self, standing: Standing, earned: Earned, at: datetime.datetime) -> Progress:
        """This will answer how far a customer is."""
        month = self.month(at)
        points = max(self.points(earned, month), ZERO)
        level = self._rank(standing.rung) + 1
        following = self.rungs[level] if level < len(self.rungs) else None
        review = self._next_review(month)
        at_review = earned.lifetime if review is None else self._backing(earned, review)
        floor = standing.rung.threshold if standing.rung else ZERO
        projected = standing
        if standing.until is not None and floor > at_review:
            projected = self._fallen(standing, earned, standing.until)
        return Progress(
            rung=standing.rung,
            following=following,
            points=points,
            points_to_next=max(following.threshold - points, ZERO) if following else None,
            percentage=_percentage(points, floor, following.threshold) if following else 100,
            level=level,
            points_to_keep=max(floor - at_review, ZERO),
            projected=projected.rung,
            until=standing.until,
        )

    def _held(self, standing: Standing, rung: Rung | None, at: datetime.datetime) -> Standing:
        if rung == standing.rung:
            return dataclasses.replace(standing, until=None)
        return Standing(rung=rung, since=at, until=None)

    def _fallen(self, standing: Standing, earned: Earned, at: datetime.datetime) -> Standing:
        month = self.month(at)
        reached = self.reached(self._backing(earned, month))
        rank = self._rank(reached)
        if self.fall == Fall.STEP:
            rank = max(rank, self._rank(standing.rung) - 1)
        rank = min(rank, self._rank(standing.rung))
        rung = self.rungs[rank] if rank >= 0 else None
        until = self._until(rung, earned, month)
        return Standing(rung=rung, since=standing.since if rung == standing.rung else at, until=until)

    def _rank(self, rung: Rung | None) -> int:
        # A tier that was taken out of the programme counts by what it asked for.
        return -1 if rung is None else sum(1 for other in self.rungs if other.threshold <= rung.threshold) - 1

    def _backing(self, earned: Earned, month: int) -> Decimal:
        """This will answer the points that a tier is held by in a month: a year's also through the next year."""
        if self.basis != Basis.CALENDAR:
            return self.points(earned, month)
        year = month - month % 12
        return max(_sum(earned, year - 12, year - 1), _sum(earned, year, month))

    def _is_backed(self, rung: Rung | None, earned: Earned, month: int) -> bool:
        return rung is None or rung.threshold <= self._backing(earned, month)

    def _next_review(self, month: int) -> int | None:
        match self.basis:
            case Basis.LIFETIME:
                return None
            case Basis.ROLLING:
                return month + 1
        return month - month % 12 + 12

    def _until(self, rung: Rung | None, earned: Earned, month: int) -> datetime.datetime | None:
        """This will answer the end of the tier: after the first review that it would not pass, if nothing more came."""
        if rung is None or rung.threshold <= 0:
            return None
        review = self._next_review(month)
        while review is not None and self._is_backed(rung, earned, review):
            review = self._next_review(review)
        return None if review is None else self._start(review, self.grace_days)

    def _start(self, month: int, days_later: int) -> datetime.datetime:
        # The first instant of the day, wherever the clocks change at midnight; then it exists and is the earlier one.
        # Days are added to the local time: a day on which the clocks change is one day too.
        local = datetime.datetime(month // 12, month % 12 + 1, 1, tzinfo=self.zone)
        return (local + datetime.timedelta(days=days_later)).astimezone(datetime.UTC)


def month_of(moment: datetime.datetime, zone: ZoneInfo) -> int:
    """This will answer the month that a moment lies in, in a time zone."""
    local = moment.astimezone(zone)
    return 12 * local.year + local.month - 1


def _sum(earned: Earned, first: int, last: int) -> Decimal:
    return sum((points for month, points in earned.by_month.items() if first <= month <= last), ZERO)


def _percentage(points: Decimal, floor: Decimal, goal: Decimal) -> int:
    return max(0, min(99, int(100 * (points - floor) / (goal - floor)))) if goal > floor else 0
