"""When points end, and when a local day begins and ends.

Everything here is worked out in the programme's time zone and answered in UTC:

- Months and days keep the local wall time, to the microsecond. A day that the month does not have becomes its last one
  (31 January + 1 month is 28 or 29 February). A local time that does not exist moves forward by the length of the gap;
  one that exists twice is the first. `points/migrations/sql/months_after.sql` says the same for sets of rows.
- An end is exclusive. "End of month" and "day of year" mean that the points are usable through that local day, so they
  end at the first instant of the next one.
- Moments lie in the years 2 to 9998: one year inside what `datetime` holds, so that no zone's offset can leave it.
"""

import calendar
import functools
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import models

# A hundred years in months; points that should outlive that have the policy `none`.
MAX_COUNT = 1200
MAX_DAYS = 32_767  # What the column holds.
FIRST_YEAR, LAST_YEAR = 2, 9998


class ExpiryPolicy(models.TextChoices):
    NONE = "none", "Never"
    MONTHS = "months", "Months after the award"
    DAYS = "days", "Days after the award"
    DAY_OF_YEAR = "day_of_year", "Fixed day of the year"
    END_OF_MONTH = "end_of_month", "End of the month, after a number of months"
    END_OF_QUARTER = "end_of_quarter", "End of the quarter, after a number of months"
    END_OF_YEAR = "end_of_year", "End of the year, after a number of months"
    INACTIVITY = "inactivity", "Months without activity"


# A copy: `values` makes its list anew at every call, and every award asks.
_KINDS = frozenset(ExpiryPolicy.values)
_MONTHS_IN_PERIOD = {
    ExpiryPolicy.END_OF_MONTH: 1,
    ExpiryPolicy.END_OF_QUARTER: 3,
    ExpiryPolicy.END_OF_YEAR: 12,
}


class InvalidPolicy(ValueError):
    def __init__(self, *, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class OutOfRange(ValueError):
    """A moment, or what is added to it, lies outside the years or counts that can be worked with."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a definition says about the end of its points.

    `count` is the number of months, 1 to 1200, or of days, 1 to 32,767. For the ends of a month, quarter or year it may
    be 0, the period of the award itself. `month` and `day` are for `day_of_year`. What a kind does not use is ignored.
    """

    kind: str
    count: int = 0
    month: int = 0
    day: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise InvalidPolicy(field="kind", message=f"{self.kind!r} is not one of {', '.join(ExpiryPolicy.values)}")
        if self.kind == ExpiryPolicy.DAY_OF_YEAR:
            self._check_day_of_year()
        elif self.kind != ExpiryPolicy.NONE:
            self._check_count()

    def _check_day_of_year(self) -> None:
        if not 1 <= self.month <= 12:
            raise InvalidPolicy(field="month", message="must be between 1 and 12")
        # 2000 was a leap year: 29 February may be chosen.
        if not 1 <= self.day <= _days_in_month(2000, self.month):
            raise InvalidPolicy(field="day", message=f"must be a day of month {self.month}")

    def _check_count(self) -> None:
        minimum = 0 if self.kind in _MONTHS_IN_PERIOD else 1
        maximum = MAX_DAYS if self.kind == ExpiryPolicy.DAYS else MAX_COUNT
        if not minimum <= self.count <= maximum:
            raise InvalidPolicy(field="count", message=f"must be between {minimum} and {maximum}")


# All that is awarded in one batch ends by the same policy, and much of it starts at the same moment.
@functools.lru_cache(maxsize=256)
def end(*, policy: Policy, starts_at: datetime, zone: ZoneInfo) -> datetime | None:
    """This will answer when points that start at `starts_at` end (exclusive, UTC, always later than the start).

    None for `none`, and for `inactivity`, whose end moves: see `inactivity_end`. Raises OutOfRange.

    A `day_of_year` is the next one after the local day of the start: points awarded on the very day last until next
    year's, otherwise they would have only hours.
    """
    match policy.kind:
        case ExpiryPolicy.NONE | ExpiryPolicy.INACTIVITY:
            return None
        case ExpiryPolicy.MONTHS:
            return add_months(moment=starts_at, months=policy.count, zone=zone)
        case ExpiryPolicy.DAYS:
            local = _local(starts_at, zone)
            return _utc(_add_days(local.date(), policy.count), local.time(), zone)
        case ExpiryPolicy.DAY_OF_YEAR:
            last_day = _next_day_of_year(_local(starts_at, zone).date(), policy.month, policy.day)
        case _:
            last_day = _last_day_of_period(_local(starts_at, zone).date(), policy)
    return end_of_day(day=last_day, zone=zone)


def inactivity_end(*, last_activity_at: datetime | None, starts_at: datetime, months: int, zone: ZoneInfo) -> datetime:
    """This will answer when a lot ends that lasts `months` without activity (UTC). Raises OutOfRange.

    They count from the account's last activity, or from the lot's own start where that is later or the only one.
    """
    since = starts_at if last_activity_at is None else max(last_activity_at, starts_at)
    return add_months(moment=since, months=months, zone=zone)


def add_months(*, moment: datetime, months: int, zone: ZoneInfo) -> datetime:
    """This will answer the same local wall time `months` (1 to 1200) months later, in UTC. Raises OutOfRange."""
    if not 1 <= months <= MAX_COUNT:
        raise OutOfRange(f"months must be between 1 and {MAX_COUNT}, not {months}")
    local = _local(moment, zone)
    year, month = _months_later(local.date(), months)
    day = min(local.day, _days_in_month(year, month))
    return _utc(date(year, month, day), local.time(), zone)


def start_of_day(*, day: date, zone: ZoneInfo) -> datetime:
    """This will answer the first instant of a local day (UTC), also where it has no midnight. Raises OutOfRange."""
    return _utc(day, time.min, zone)


def end_of_day(*, day: date, zone: ZoneInfo) -> datetime:
    """This will answer the instant after the last one of a local day (UTC): an exclusive bound. Raises OutOfRange."""
    # The second of two last moments: a clock that goes back over midnight (Newfoundland until 2011) gives the day an
    # hour after its first midnight. Where the next midnight does not exist, this is where the clock jumps.
    return _utc(day, time.max.replace(fold=1), zone) + timedelta(microseconds=1)


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs its offset from UTC")
    _check_year(moment.year)
    # Only the wall time counts: the second of two equal times leads to the first, like the first does.
    return moment.astimezone(zone).replace(fold=0)


def _utc(day: date, clock: time, zone: ZoneInfo) -> datetime:
    _check_year(day.year)
    # With a `fold` of 0, zoneinfo takes the offset from before a change: that is the first of two equal times, and
    # forward out of a gap.
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise OutOfRange(f"the year must be between {FIRST_YEAR} and {LAST_YEAR}, not {year}")


def _months_later(day: date, months: int) -> tuple[int, int]:
    years, month_before = divmod(day.month - 1 + months, 12)
    _check_year(day.year + years)
    return day.year + years, month_before + 1


def _days_in_month(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _add_days(day: date, days: int) -> date:
    if days > (date.max - day).days:
        raise OutOfRange(f"{days} days after {day} is after the year {LAST_YEAR}")
    return day + timedelta(days=days)


def _next_day_of_year(today: date, month: int, day: int) -> date:
    this_years = _day_of_year(today.year, month, day)
    return this_years if this_years > today else _day_of_year(today.year + 1, month, day)


def _day_of_year(year: int, month: int, day: int) -> date:
    _check_year(year)
    return date(year, month, min(day, _days_in_month(year, month)))


def _last_day_of_period(today: date, policy: Policy) -> date:
    length = _MONTHS_IN_PERIOD[ExpiryPolicy(policy.kind)]
    year, month = _months_later(today, policy.count)
    last_month = month + (length - month) % length
    return date(year, last_month, _days_in_month(year, last_month))
