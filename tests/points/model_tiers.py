"""The tier in plain Python: what was earned by month, looked at anew at every award and at the start of every month.

No end that is worked out ahead, no months that are forgotten. A tier is named by its threshold; None is below all.
"""

import dataclasses
import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
ZERO = Decimal(0)


@dataclasses.dataclass(frozen=True)
class Scheme:
    thresholds: tuple[Decimal, ...]
    basis: str
    window_months: int
    fall: str
    zone: ZoneInfo

    def month(self, moment: datetime.datetime) -> int:
        local = moment.astimezone(self.zone)
        return local.year * 12 + local.month - 1

    def start(self, month: int) -> datetime.datetime:
        return datetime.datetime(month // 12, month % 12 + 1, 1, tzinfo=self.zone).astimezone(datetime.UTC)

    def reached(self, points: Decimal) -> Decimal | None:
        return max((threshold for threshold in self.thresholds if threshold <= points), default=None)

    def below(self, tier: Decimal) -> Decimal | None:
        return max((threshold for threshold in self.thresholds if threshold < tier), default=None)


@dataclasses.dataclass(frozen=True)
class Change:
    before: Decimal | None
    after: Decimal | None
    version: int | None
    at: datetime.datetime


def _height(tier: Decimal | None) -> Decimal:
    return Decimal(-1) if tier is None else tier


class Tiers:
    def __init__(self, scheme: Scheme, since: datetime.datetime) -> None:
        self.scheme = scheme
        self.by_month: dict[int, Decimal] = {}
        self.held = scheme.reached(ZERO)
        self.changes: list[Change] = []
        self.reviewed = scheme.month(since)

    @property
    def changed_at(self) -> datetime.datetime | None:
        return self.changes[-1].at if self.changes else None

    def next_review(self) -> datetime.datetime:
        return NEVER if self.scheme.basis == "lifetime" else self.scheme.start(self.reviewed + 1)

    def review(self) -> bool:
        """What the start of the next month does; answers whether the tier falls."""
        at = self.next_review()
        self.reviewed += 1
        is_due = self.scheme.basis == "rolling" or self.reviewed % 12 == 0
        if not is_due or self.is_backed(self.reviewed):
            return False
        self._move(self.fallen(self.reviewed), None, at)
        return True

    def earn(
        self, points: Decimal, *, at: datetime.datetime, version: int, earned_at: datetime.datetime | None = None
    ) -> None:
        now, month = self.scheme.month(at), self.scheme.month(earned_at or at)
        # By a clock behind a review that moved nothing: with these points it may move something.
        self.reviewed = min(self.reviewed, now)
        was_backed = self.is_backed(now)
        self.by_month[month] = self.by_month.get(month, ZERO) + points
        reached = self.scheme.reached(self.counted(now))
        is_higher = reached is not None and (self.held is None or reached > self.held)
        if self.scheme.basis == "lifetime" or (points > 0 and is_higher):
            self._move(reached, version, at)
        elif points < 0 and was_backed and not self.is_backed(now):
            # Where the other points alone would have led, but no higher than before.
            led = self.without(now)
            self._move(min(led, self.held, key=_height), version, at)

    def without(self, now: int) -> Decimal | None:
        """The tier of somebody who only ever had what is left, month by month."""
        other = Tiers.__new__(Tiers)
        other.scheme, other.by_month, other.held = self.scheme, self.by_month, self.scheme.reached(ZERO)
        for month in range(min(self.by_month, default=now), now + 1):
            is_due = self.scheme.basis == "rolling" or month % 12 == 0
            if is_due and not other.is_backed(month):
                other.held = other.fallen(month)
            other.held = max(other.held, self.scheme.reached(other.counted(month)), key=_height)
        return other.held

    def fallen(self, month: int) -> Decimal | None:
        assert self.held is not None
        reached = self.scheme.reached(self.backing(month))
        step = self.scheme.below(self.held) if self.scheme.fall == "step" else None
        return max(reached, step, key=_height)

    def counted(self, month: int) -> Decimal:
        """What counts for a higher tier."""
        match self.scheme.basis:
            case "rolling":
                return self.sum(month - self.scheme.window_months, month)
            case "calendar":
                return self.sum(month // 12 * 12, month)
        return self.sum(0, month)

    def backing(self, month: int) -> Decimal:
        """What a tier is held by: a year's points also through the year after it."""
        year = month // 12 * 12
        last_year = self.sum(year - 12, year - 1) if self.scheme.basis == "calendar" else ZERO
        return max(self.counted(month), last_year)

    def is_backed(self, month: int) -> bool:
        return self.held is None or self.held <= self.backing(month)

    def sum(self, first: int, last: int) -> Decimal:
        return sum((points for month, points in self.by_month.items() if first <= month <= last), ZERO)

    def _move(self, tier: Decimal | None, version: int | None, at: datetime.datetime) -> None:
        if tier != self.held:
            self.changes.append(Change(self.held, tier, version, at))
            self.held = tier
