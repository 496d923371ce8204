"""What the programme owes its customers at the end of a day: points that are there, by the month in which they end."""

from reports import periods
from reports.models import Measure
from reports.periods import DAY, Row, Span


def rows(span: Span) -> list[Row]:
    """This will answer a row for each kind of points and month in which some of them end, as of the last day asked for.

    `points` are available or held: over all rows of a kind they are the closing of its roll-forward. `pending` are
    others, that become available later. Points are worth what they are today.
    """
    owed = periods.keyed_before(span, Measure.OWED, span.last + DAY)
    pending = periods.keyed_before(span, Measure.OWED_PENDING, span.last + DAY)
    found = []
    for kind in span.kinds:
        for ends in sorted(owed[kind.pk].keys() | pending[kind.pk].keys()):
            later = pending[kind.pk][ends]
            there = owed[kind.pk][ends] - later
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
