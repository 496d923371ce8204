"""How the points of one kind are doing, on one page: figures of the last days, and what they came to by week."""

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal

from points.models import PointDefinition
from reports import liability, periods, roll_forward, tiers, velocity
from reports.models import Measure
from reports.periods import DAY, By, Row, Span

LOOK_AHEAD = 91  # Days: whole weeks.
ZERO = Decimal(0)


@dataclasses.dataclass(slots=True)
class Week:
    """What happened in a week, that begins on a Monday or with the days that are told."""

    first: datetime.date
    issued: Decimal = ZERO
    redeemed: Decimal = ZERO
    expired: Decimal = ZERO
    outstanding: Decimal = ZERO


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Dashboard:
    """Points above zero, whether they came or went; money in the programme's currency, None where nobody says what a
    point is worth; rates of what was issued, None where nothing was."""

    issued: Decimal
    redeemed: Decimal
    expired: Decimal
    outstanding: Decimal
    pending: Decimal
    liability: Decimal | None
    redemption_rate: Decimal | None
    breakage_rate: Decimal | None
    active: int
    members: int
    weeks: Sequence[Week]
    tiers: Sequence[Row]
    rewards: Sequence[Row]
    expiring: Sequence[tuple[datetime.date, Decimal]]
    counted_at: datetime.datetime | None


def show(*, definition: PointDefinition, days: int, at: datetime.datetime) -> Dashboard:
    """This will answer the dashboard of the days that end today."""
    program = definition.program
    today = periods.span(program=program, at=at).last
    span = Span(program=program, kinds=[definition], first=today - (days - 1) * DAY, last=today, by=By.DAY)
    rows = roll_forward.rows(span)
    weeks = _weeks(span, rows)
    issued = sum((week.issued for week in weeks), ZERO)
    redeemed = sum((week.redeemed for week in weeks), ZERO)
    expired = sum((week.expired for week in weeks), ZERO)
    ever = periods.sums_before(span, (Measure.NEW, Measure.LAST_ACTIVE), today + DAY)[definition.pk]
    earlier = periods.sums_before(span, [Measure.LAST_ACTIVE], span.first)[definition.pk]
    return Dashboard(
        issued=issued,
        redeemed=redeemed,
        expired=expired,
        outstanding=rows[-1]["closing"],
        pending=rows[-1]["pending_closing"],
        liability=periods.money(rows[-1]["closing"], definition),
        redemption_rate=periods.ratio(redeemed, issued),
        breakage_rate=periods.ratio(expired, issued),
        active=int(ever[Measure.LAST_ACTIVE] - earlier[Measure.LAST_ACTIVE]),
        members=int(ever[Measure.NEW]),
        weeks=weeks,
        tiers=tiers.held(span),
        rewards=velocity.popular_rewards(span),
        expiring=_expiring(span),
        counted_at=periods.counted_at(program),
    )


def _weeks(span: Span, rows: Sequence[Row]) -> list[Week]:
    awarded = periods.sums(span, [Measure.AWARDED])
    [definition] = span.kinds
    weeks: list[Week] = []
    for row in rows:
        day = datetime.date.fromisoformat(row["period"])
        if not weeks or day.weekday() == 0:
            weeks.append(Week(first=day))
        week = weeks[-1]
        week.issued += awarded[row["period"], definition.pk][Measure.AWARDED]
        week.redeemed -= row["redeemed"]
        week.expired -= row["expired"]
        week.outstanding = row["closing"]
    return weeks


def _expiring(span: Span) -> list[tuple[datetime.date, Decimal]]:
    """This will answer what ends in each of the coming weeks: seven days, from tomorrow on."""
    tomorrow = span.last + DAY
    sums = [ZERO] * -(-LOOK_AHEAD // 7)
    for ends, points in liability.expiring(span, days=LOOK_AHEAD).items():
        sums[(datetime.date.fromisoformat(ends) - tomorrow) // (7 * DAY)] += points
    return [(tomorrow + number * 7 * DAY, points) for number, points in enumerate(sums)]
