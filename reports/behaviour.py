"""What customers do with their points: how much of them they spend, in which sizes, and who does nothing any more."""

import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from reports import periods
from reports.models import Measure
from reports.periods import DAY, By, Figures, Row, Span

INACTIVE_DAYS = (30, 90, 180, 365)


def rows(span: Span) -> list[Row]:
    """This will answer a row for each period and kind of points. `earn_burn_ratio` is what was redeemed of what was
    awarded; `preferred_size` the least points of those that were the most (sizes: `reports/counting_sql.py`)."""
    redeemers = Measure.MONTH_REDEEMERS if span.by == By.MONTH else Measure.REDEEMERS
    during = periods.sums(span, (Measure.AWARDED, Measure.COHORT, Measure.REDEMPTIONS, redeemers))
    sizes = periods.keyed(span, Measure.REDEMPTION_SIZE)
    found = []
    for label in span.labels:
        for kind in span.kinds:
            own = during[label, kind.pk]
            average = periods.ratio(own[Measure.COHORT], own[Measure.REDEMPTIONS])
            found.append(
                {
                    "period": label,
                    "definition": kind.code,
                    "awarded": periods.points(own[Measure.AWARDED], kind),
                    "redeemed": periods.points(own[Measure.COHORT], kind),
                    "earn_burn_ratio": periods.ratio(own[Measure.COHORT], own[Measure.AWARDED]),
                    "redemptions": int(own[Measure.REDEMPTIONS]),
                    "redeeming_customers": int(own[redeemers]),
                    "average_redemption": None if average is None else round(average, 2),
                    "preferred_size": _most(sizes[label, kind.pk]),
                }
            )
    return found


def sizes(span: Span) -> list[Row]:
    """This will answer how many redemptions of all periods took from so many points on, up to the next size."""
    found = Figures(Decimal)
    for own in periods.keyed(span, Measure.REDEMPTION_SIZE).values():
        for size, count in own.items():
            found[size] += count
    return [{"from_points": int(size), "redemptions": int(found[size])} for size in sorted(found, key=int)]


def inactive(span: Span, *, at: datetime.datetime) -> list[Row]:
    """This will answer how many accounts have earned and redeemed nothing for so many days, as of now."""
    today = at.astimezone(ZoneInfo(span.program.timezone)).date()
    found = []
    for days in INACTIVE_DAYS:
        before = periods.sums_before(span, [Measure.LAST_ACTIVE], today - days * DAY)
        found.append({"days": days, "customers": int(sum(own[Measure.LAST_ACTIVE] for own in before.values()))})
    return found


def _most(sizes: Figures) -> int | None:
    most = max(sizes.values(), default=None)
    return min((int(size) for size in sizes if sizes[size] == most), default=None)
