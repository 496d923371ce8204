"""How the programme is doing: what it owes, what expires unused, how many customers take part and how often."""

from reports import periods, roll_forward
from reports.models import Measure
from reports.periods import By, Row, Span

_MEASURES = (Measure.NEW, Measure.AWARDS, Measure.REDEMPTIONS)


def rows(span: Span) -> list[Row]:
    """This will answer a row for each period and kind of points.

    `expiry_rate` is what expired of what could newly be spent (`earned` and `activated`) in the period; `engagement`
    how many of the accounts there were earned or redeemed; `frequency` how often each of these did.
    """
    active = Measure.MONTH_ACTIVE if span.by == By.MONTH else Measure.ACTIVE
    during = periods.sums(span, (*_MEASURES, active))
    members = {
        kind_id: own[Measure.NEW] for kind_id, own in periods.sums_before(span, [Measure.NEW], span.first).items()
    }
    kinds = {kind.code: kind for kind in span.kinds}
    found = []
    for told in roll_forward.rows(span):
        kind = kinds[told["definition"]]
        own = during[told["period"], kind.pk]
        members[kind.pk] += own[Measure.NEW]
        found.append(
            {
                "period": told["period"],
                "definition": kind.code,
                "outstanding": told["closing"],
                "liability": periods.money(told["closing"], kind),
                "expired": -told["expired"],
                "expiry_rate": periods.ratio(-told["expired"], told["earned"] + told["activated"]),
                "members": int(members[kind.pk]),
                "new_members": int(own[Measure.NEW]),
                "active_members": int(own[active]),
                "engagement": periods.ratio(own[active], members[kind.pk]),
                "frequency": periods.ratio(own[Measure.AWARDS] + own[Measure.REDEMPTIONS], own[active]),
            }
        )
    return found
