"""How many customers hold which tier, and how many more or fewer than before the days asked for."""

import datetime
from decimal import Decimal

from points import rules
from reports.models import Figure, Measure
from reports.periods import DAY, Figures, Row, Span

NONE = ""


def held(span: Span) -> list[Row]:
    """This will answer each tier of the programme, the lowest first, with how many customers held it when that was last
    counted up to the end of the span, and how many more those are than before the span (None: not counted then). None
    are answered where it never was."""
    ladder = rules.of(span.program).ladder
    now, before = _counted(span, span.last), _counted(span, span.first - DAY)
    if ladder is None or not now:
        return []
    was_counted = bool(before)
    known = {NONE: "No tier", **{str(rung.id): rung.name for rung in ladder.rungs}}
    return [
        {"tier": name, "customers": int(now[key]), "change": int(now[key] - before[key]) if was_counted else None}
        for key, name in known.items()
        if key != NONE or now[key] or before[key]
    ]


def _counted(span: Span, last: datetime.date) -> Figures:
    kinds = [kind.pk for kind in span.kinds if kind.counts_for_tiers]
    figures = Figure.objects.filter(definition_id__in=kinds, measure=Measure.TIER, day__lte=last)
    day = figures.order_by("-day").values_list("day", flat=True).first()
    return Figures(Decimal, figures.filter(day=day).values_list("key", "value") if day else ())
