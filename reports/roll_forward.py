"""What customers could spend as each period began, what changed it, and as it ended: to the point.

Points count by the moment at which an entry took effect. `earned` is what could be spent at once, `activated` what was
pending until then; holds change nothing, since held points count; merges are in `transferred`.
"""

from decimal import Decimal

from reports import periods
from reports.models import Measure
from reports.periods import Row, Span

# Each a column; the opening and these add up to the closing.
CHANGES = (
    Measure.EARNED,
    Measure.ACTIVATED,
    Measure.ADJUSTED,
    Measure.REVERSED,
    Measure.REDEEMED,
    Measure.EXPIRED,
    Measure.TRANSFERRED,
)


def rows(span: Span) -> list[Row]:
    """This will answer a row for each period and kind of points."""
    measures = (*CHANGES, Measure.PENDING)
    before = periods.sums_before(span, measures, span.first)
    during = periods.sums(span, measures)
    found = []
    opening = {kind.pk: sum((before[kind.pk][name] for name in CHANGES), Decimal(0)) for kind in span.kinds}
    pending = {kind.pk: before[kind.pk][Measure.PENDING] for kind in span.kinds}
    for label in span.labels:
        for kind in span.kinds:
            own = during[label, kind.pk]
            changes = {str(name): own[name] for name in CHANGES}
            closing = opening[kind.pk] + sum(changes.values())
            pending[kind.pk] += own[Measure.PENDING]
            told = {"opening": opening[kind.pk], **changes, "closing": closing, "pending_closing": pending[kind.pk]}
            points = {name: periods.points(value, kind) for name, value in told.items()}
            found.append({"period": label, "definition": kind.code, **points})
            opening[kind.pk] = closing
    return found
