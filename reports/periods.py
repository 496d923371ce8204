"""The days that a report tells of, and the rows that it has: one for each day or month, of each kind of points."""

import collections
import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, Sum, TextChoices

from loyalty import errors
from loyalty.models import Program
from points import definitions
from points.models import PointDefinition
from reports.models import CountedUpTo, Figure, Measure

MOST_DAYS = 1_100
MOST_MONTHS = 240
FIRST_DAY = datetime.date(1970, 1, 1)
LAST_DAY = datetime.date(2999, 12, 31)
DAY = datetime.timedelta(days=1)

Row = dict[str, Any]
Figures = collections.defaultdict[str, Decimal]


class By(TextChoices):
    """How long a period is."""

    DAY = "day"
    MONTH = "month"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What is asked of a report: days of the programme, both of them among it, and how they are told."""

    program: Program
    kinds: Sequence[PointDefinition]
    first: datetime.date
    last: datetime.date
    by: By

    @property
    def labels(self) -> list[str]:
        """The periods, the oldest first: `2026-11-29`, or `2026-11`."""
        days = ((self.last - self.first) // DAY) + 1
        return list(dict.fromkeys(label(self.first + number * DAY, self.by) for number in range(days)))


def span(
    *,
    program: Program,
    at: datetime.datetime,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
    by: By = By.DAY,
    definition: str | None = None,
) -> Span:
    """This will answer the days that are asked for: until today where no last day is named, of the last 30 days or 12
    months where no first one is. Months are told as a whole, whichever of their days are named.

    Raises:
        errors.InvalidParameters: the first day is after the last, or there are too many of them, or there are no points
            of that kind.
    """
    kinds = [definitions.find(program, definition)] if definition else program.definitions.order_by("number")
    last = last or at.astimezone(ZoneInfo(program.timezone)).date()
    for name, day in (("from", first or last), ("to", last)):
        if not FIRST_DAY <= day <= LAST_DAY:
            raise errors.InvalidParameters({name: [f"Use a day from {FIRST_DAY} to {LAST_DAY}."]}, rule="range")
    if by == By.MONTH:
        last = _end_of_month(last)
        # 330 days before the first day of a month are in the month that is eleven before it.
        first = (first or max(last.replace(day=1) - 330 * DAY, FIRST_DAY)).replace(day=1)
    first = first or max(last - 29 * DAY, FIRST_DAY)
    if first > last:
        raise errors.InvalidParameters({"from": ["Must not be after `to`."]}, rule="order")
    most, unit = (MOST_MONTHS, "months") if by == By.MONTH else (MOST_DAYS, "days")
    count = (last.year - first.year) * 12 + last.month - first.month if by == By.MONTH else (last - first) // DAY
    if count >= most:
        raise errors.InvalidParameters({"from": [f"Ask for at most {most} {unit}."]}, rule="range")
    return Span(program=program, kinds=list(kinds), first=first, last=last, by=by)


def label(day: datetime.date, by: By) -> str:
    """This will answer how the period is called that a day is in."""
    return day.isoformat()[: 7 if by == By.MONTH else 10]


def counted_at(program: Program) -> datetime.datetime | None:
    """This will answer when the count last came to the ledger's end; None where it never has."""
    return CountedUpTo.objects.filter(program=program).values_list("counted_at", flat=True).first()


def sums(span: Span, measures: Iterable[Measure]) -> dict[tuple[str, uuid.UUID], Figures]:
    """This will sum figures by period and kind of points, whatever their keys; what did not happen is zero."""
    return _by_period(span, measures, "measure")


def keyed(span: Span, measure: Measure) -> dict[tuple[str, uuid.UUID], Figures]:
    """This will sum a figure by period, kind of points and key."""
    return _by_period(span, [measure], "key")


def sums_before(span: Span, measures: Iterable[Measure], day: datetime.date) -> dict[uuid.UUID, Figures]:
    """This will sum figures of all days before a day, by kind of points; what did not happen is zero."""
    return _before(span, measures, day, "measure")


def keyed_before(span: Span, measure: Measure, day: datetime.date) -> dict[uuid.UUID, Figures]:
    """This will sum a figure of all days before a day, by kind of points and key."""
    return _before(span, [measure], day, "key")


def points(value: Decimal, kind: PointDefinition) -> Decimal:
    """This will answer points with the decimals of their kind."""
    return round(value, kind.decimal_places)


def money(value: Decimal, kind: PointDefinition) -> Decimal | None:
    """This will answer what points are worth in the programme's currency, to the cent; None where nobody says."""
    return None if kind.point_value is None else round(value * kind.point_value, 2)


def ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    """This will answer a part of a whole with four decimals; None of nothing."""
    return None if not whole else round(part / whole, 4)


def _by_period(span: Span, measures: Iterable[Measure], name: str) -> dict[tuple[str, uuid.UUID], Figures]:
    found = {(name_of_period, kind.pk): Figures(Decimal) for name_of_period in span.labels for kind in span.kinds}
    rows = _figures(span, measures).filter(day__gte=span.first, day__lte=span.last)
    for day, kind_id, told, value in rows.values_list("day", "definition_id", name).annotate(sum=Sum("value")):
        found[label(day, span.by), kind_id][told] += value
    return found


def _before(span: Span, measures: Iterable[Measure], day: datetime.date, name: str) -> dict[uuid.UUID, Figures]:
    found = {kind.pk: Figures(Decimal) for kind in span.kinds}
    rows = _figures(span, measures).filter(day__lt=day)
    for kind_id, told, value in rows.values_list("definition_id", name).annotate(sum=Sum("value")):
        found[kind_id][told] += value
    return found


def _figures(span: Span, measures: Iterable[Measure]) -> QuerySet[Figure]:
    kinds = [kind.pk for kind in span.kinds]
    return Figure.objects.filter(definition_id__in=kinds, measure__in=list(measures)).order_by()


def _end_of_month(day: datetime.date) -> datetime.date:
    return (day.replace(day=28) + 4 * DAY).replace(day=1) - DAY
