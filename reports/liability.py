"""What the programme owes its customers at the end of a day: points that are there, by the month in which they end."""

from decimal import Decimal

from reports import periods
from reports.models import Ending, Measure
from reports.periods import DAY, Figures, Row, Span


def rows(span: Span) -> list[Row]:
    """This will answer a row for each kind of points and month in which some of them end, as of the last day asked for.

    `points` are available or held: over all rows of a kind they are the closing of its roll-forward. `pending` are
    others, that become available later. Points are worth what they are today.
    """
    owed = periods.keyed_before(span, Measure.OWED, span.last + DAY)
    pending = periods.keyed_before(span, Measure.OWED_PENDING, span.last + DAY)
    found = []
    for kind in span.kinds:
        owed_by_month, pending_by_month = _by_month(owed[kind.pk]), _by_month(pending[kind.pk])
        for ends in sorted(owed_by_month.keys() | pending_by_month.keys()):
            later = pending_by_month[ends]
            there = owed_by_month[ends] - later
            if there or later:
                found.append(
                    {
                        "period": span.last.isoformat(),
                        "definition": kind.code,
                        "ends": ends,
                        "points": periods.points(there, kind),
                        "pending": periods.points(later, kind),
                        "value": periods.money(there, kind),
                    }
                )
    return found


def expiring(span: Span, *, days: int) -> dict[str, Decimal]:
    """This will answer how many points end on each of the days that follow the span, as its last day ends: all kinds of
    points together, what is pending among them."""
    last = span.last + days * DAY
    found = Figures(Decimal)
    for own in periods.keyed_before(span, Measure.OWED, span.last + DAY).values():
        for ends, points in own.items():
            if points and span.last.isoformat() < ends <= last.isoformat():
                found[ends] += points
    return dict(sorted(found.items()))


def _by_month(owed: Figures) -> Figures:
    found = Figures(Decimal)
    for ends, points in owed.items():
        found[ends if ends in Ending.values else ends[:7]] += points
    return found
