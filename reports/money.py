"""What the programme costs and what it may bring: redemptions in money, and what those who redeem spend more.

`return` is (difference * margin - redemption_cost) / redemption_cost, where the difference is what customers who
redeemed in a month spent in it more than the others on average, times as many as they are. Who redeems may be who would
have bought more anyway: it shows a bound of what the programme brings, and no proof of it.
"""

from decimal import Decimal

from reports import periods
from reports.models import Measure
from reports.periods import Row, Span

_MEASURES = (
    Measure.COHORT,
    Measure.REDEEMING,
    Measure.REDEEMING_SPEND,
    Measure.OTHERS,
    Measure.OTHERS_SPEND,
)


def rows(span: Span) -> list[Row]:
    """This will answer a row for each month and kind of points. Null stands where the points have no value, the
    programme no margin, or nobody is there to be compared."""
    during = periods.sums(span, _MEASURES)
    margin = span.program.margin_percent
    found = []
    for label in span.labels:
        for kind in span.kinds:
            own = during[label, kind.pk]
            redeeming = _each(own[Measure.REDEEMING_SPEND], own[Measure.REDEEMING])
            others = _each(own[Measure.OTHERS_SPEND], own[Measure.OTHERS])
            difference = (
                None if redeeming is None or others is None else round((redeeming - others) * own[Measure.REDEEMING], 2)
            )
            cost = periods.money(own[Measure.COHORT], kind)
            brought = None if difference is None or margin is None else difference * margin / 100
            found.append(
                {
                    "period": label,
                    "definition": kind.code,
                    "redeemed": periods.points(own[Measure.COHORT], kind),
                    "redemption_cost": cost,
                    "redeeming_customers": int(own[Measure.REDEEMING]),
                    "redeeming_spend": own[Measure.REDEEMING_SPEND],
                    "spend_per_redeeming_customer": _cents(redeeming),
                    "other_customers": int(own[Measure.OTHERS]),
                    "other_spend": own[Measure.OTHERS_SPEND],
                    "spend_per_other_customer": _cents(others),
                    "difference": difference,
                    "margin_percent": margin,
                    "return": None if brought is None or not cost else periods.ratio(brought - cost, cost),
                }
            )
    return found


def _each(sum_of_all: Decimal, customers: Decimal) -> Decimal | None:
    return sum_of_all / customers if customers else None


def _cents(value: Decimal | None) -> Decimal | None:
    return None if value is None else round(value, 2)
