"""The days that a report tells of, and the rows that it has: one for each day or month, of each kind of points."""

import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
ZERO = Decimal(0)
CENT = Decimal("0.01")

Row = dict[str, Any]


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
        return list(dict.fromkeys(label(day, self.by) for day in _days(self.first, self.last)))


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
    if by == By.MONTH:
        last = _end_of_month(last)
        first = (first or (last - datetime.timedelta(days=335))).replace(day=1)
    first = first or max(last, FIRST_DAY + datetime.timedelta(days=29)) - datetime.timedelta(days=29)
    if first > last:
        raise errors.InvalidParameters({"from": ["Must not be after `to`."]}, rule="order")
    most = MOST_MONTHS * 31 if by == By.MONTH else MOST_DAYS
    if (last - first).days >= most or first < FIRST_DAY:
        told = f"{MOST_MONTHS} months" if by == By.MONTH else f"{MOST_DAYS} days"
        raise errors.InvalidParameters({"from": [f"Ask for at most {told}, from 1970 on."]}, rule="range")
    return Span(program=program, kinds=list(kinds), first=first, last=last, by=by)


def label(day: datetime.date, by: By) -> str:
    """This will answer how the period is called that a day is in."""
    return day.isoformat()[: 7 if by == By.MONTH else 10]


def counted_at(program: Program) -> datetime.datetime | None:
    """This will answer up to when the ledger is counted; None where it has not been counted once to its end."""
    return CountedUpTo.objects.filter(program=program).values_list("counted_at", flat=True).first()


def sums(span: Span, measures: Iterable[Measure]) -> dict[tuple[str, uuid.UUID], dict[str, Decimal]]:
    """This will sum figures by period and kind of points, whatever their keys."""
    found: dict[tuple[str, uuid.UUID], dict[str, Decimal]] = {}
    rows = _figures(span.kinds, measures).filter(day__gte=span.first, day__lte=span.last)
    for day, kind_id, measure, value in _summed(rows, "day", "definition_id", "measure"):
        own = found.setdefault((label(day, span.by), kind_id), {})
        own[measure] = own.get(measure, ZERO) + value
    return found


def keyed(span: Span, measure: Measure) -> dict[tuple[str, uuid.UUID], dict[str, Decimal]]:
    """This will sum a figure by period, kind of points and key."""
    found: dict[tuple[str, uuid.UUID], dict[str, Decimal]] = {}
    rows = _figures(span.kinds, [measure]).filter(day__gte=span.first, day__lte=span.last)
    for day, kind_id, key, value in _summed(rows, "day", "definition_id", "key"):
        own = found.setdefault((label(day, span.by), kind_id), {})
        own[key] = own.get(key, ZERO) + value
    return found


def until(
    kinds: Sequence[PointDefinition], measures: Iterable[Measure], day: datetime.date
) -> dict[uuid.UUID, dict[str, Decimal]]:
    """This will sum figures of all days before a day, by kind of points and measure."""
    found: dict[uuid.UUID, dict[str, Decimal]] = {kind.pk: {} for kind in kinds}
    rows = _figures(kinds, measures).filter(day__lt=day)
    for kind_id, measure, value in _summed(rows, "definition_id", "measure"):
        found[kind_id][measure] = value
    return found


def keyed_until(
    kinds: Sequence[PointDefinition], measure: Measure, day: datetime.date
) -> dict[uuid.UUID, dict[str, Decimal]]:
    """This will sum a figure of all days before a day, by kind of points and key."""
    found: dict[uuid.UUID, dict[str, Decimal]] = {kind.pk: {} for kind in kinds}
    rows = _figures(kinds, [measure]).filter(day__lt=day)
    for kind_id, key, value in _summed(rows, "definition_id", "key"):
        found[kind_id][key] = value
    return found


def points(value: Decimal, kind: PointDefinition) -> Decimal:
    """This will answer points with the decimals of their kind."""
    return round(value, kind.decimal_places)


def money(value: Decimal, kind: PointDefinition) -> Decimal | None:
    """This will answer what points are worth in the programme's currency, to the cent; None where nobody says."""
    return None if kind.point_value is None else round(value * kind.point_value, 2)


def ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    """This will answer a part of a whole with four decimals; None of nothing."""
    return None if not whole else round(part / whole, 4)


def _figures(kinds: Sequence[PointDefinition], measures: Iterable[Measure]) -> QuerySet[Figure]:
    return Figure.objects.filter(definition_id__in=[kind.pk for kind in kinds], measure__in=list(measures))


def _summed(rows: QuerySet[Figure], *by: str) -> Iterator[tuple]:
    return iter(rows.order_by().values_list(*by).annotate(sum=Sum("value")))


def _days(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    return (first + datetime.timedelta(days=number) for number in range((last - first).days + 1))


def _end_of_month(day: datetime.date) -> datetime.date:
    return (day.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - datetime.timedelta(days=1)


def nothing(measures: Mapping[str, Decimal] | None, measure: Measure) -> Decimal:
    """This will answer a figure, or zero where nothing happened."""
    return (measures or {}).get(measure, ZERO)
