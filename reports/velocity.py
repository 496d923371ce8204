"""How fast points come and go: what a customer earns, how old points are when they are redeemed, when and for what."""

import calendar
import datetime
import uuid
from decimal import Decimal
from typing import Any

from loyalty import ids
from reports import periods
from reports.models import Measure
from reports.periods import By, Figures, Row, Span
from rewards.models import Reward

MOST_REWARDS = 10
SECONDS_A_DAY = 86_400


def rows(span: Span) -> list[Row]:
    """This will answer a row for each period and kind of points."""
    earners = Measure.MONTH_EARNERS if span.by == By.MONTH else Measure.EARNERS
    measures = (Measure.AWARDED, Measure.AWARDS, Measure.COHORT, Measure.REDEEMED_SECONDS, earners)
    during = periods.sums(span, measures)
    found = []
    for label in span.labels:
        for kind in span.kinds:
            own = during[label, kind.pk]
            average = periods.ratio(own[Measure.AWARDED], own[earners])
            days = periods.ratio(own[Measure.REDEEMED_SECONDS] / SECONDS_A_DAY, own[Measure.COHORT])
            found.append(
                {
                    "period": label,
                    "definition": kind.code,
                    "awarded": periods.points(own[Measure.AWARDED], kind),
                    "awards": int(own[Measure.AWARDS]),
                    "earning_customers": int(own[earners]),
                    "awarded_per_customer": None if average is None else round(average, 2),
                    "redeemed": periods.points(own[Measure.COHORT], kind),
                    "days_to_redemption": None if days is None else round(days, 1),
                }
            )
    return found


def seasons(span: Span) -> list[Row]:
    """This will answer what was awarded and redeemed on each day of the week, Monday first, of all kinds together."""
    days = Span(program=span.program, kinds=span.kinds, first=span.first, last=span.last, by=By.DAY)
    found = [Figures(Decimal) for _ in calendar.day_name]
    for (label, _), own in periods.sums(days, (Measure.AWARDED, Measure.COHORT)).items():
        weekday = found[datetime.date.fromisoformat(label).weekday()]
        for measure, value in own.items():
            weekday[measure] += value
    return [
        {"weekday": day.lower(), "awarded": own[Measure.AWARDED], "redeemed": own[Measure.COHORT]}
        for day, own in zip(calendar.day_name, found, strict=True)
    ]


def popular_rewards(span: Span) -> list[Row]:
    """This will answer the rewards that were redeemed most often in all the periods together, at most ten."""
    counts, points = Figures(Decimal), Figures(Decimal)
    for measure, sums in ((Measure.REWARD, counts), (Measure.REWARD_POINTS, points)):
        for own in periods.keyed(span, measure).values():
            for key, value in own.items():
                sums[key] += value
    best = sorted(counts, key=lambda key: (-counts[key], key))[:MOST_REWARDS]
    rewards = Reward.objects.filter(program=span.program).in_bulk([uuid.UUID(key) for key in best])
    return [_reward(rewards[uuid.UUID(key)], counts[key], points[key]) for key in best]


def _reward(reward: Reward, count: Decimal, points: Decimal) -> dict[str, Any]:
    return {
        "reward_id": ids.public("rwd", reward.pk),
        "name": reward.name,
        "redemptions": int(count),
        "points": points,
    }
