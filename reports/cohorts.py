"""Of the points earned in a month, how many were redeemed in each month from then on."""

from decimal import Decimal

from reports import periods
from reports.models import Figure, Measure
from reports.periods import By, Figures, Row, Span


def rows(span: Span) -> list[Row]:
    """This will answer a row for each month of the span in which points were earned, each month in which some of those
    were redeemed, and kind of points. `share` is what that is of the month's awards. Reversals are not taken off."""
    kinds = {kind.pk: kind for kind in span.kinds}
    awarded = periods.sums(span, [Measure.AWARDED])
    found = {name: Figures(Decimal) for name in awarded}
    figures = Figure.objects.filter(
        definition_id__in=kinds, measure=Measure.COHORT, key__gte=span.labels[0], key__lte=span.labels[-1]
    )
    # Nothing is redeemed before it is earned.
    for kind_id, earned_in, day, value in figures.filter(day__gte=span.first).values_list(
        "definition_id", "key", "day", "value"
    ):
        found[earned_in, kind_id][periods.label(day, By.MONTH)] += value
    return [
        {
            "earned_in": earned_in,
            "redeemed_in": redeemed_in,
            "definition": kinds[kind_id].code,
            "points": periods.points(own[redeemed_in], kinds[kind_id]),
            "share": periods.ratio(own[redeemed_in], awarded[earned_in, kind_id][Measure.AWARDED]),
        }
        for (earned_in, kind_id), own in found.items()
        for redeemed_in in sorted(own)
    ]
