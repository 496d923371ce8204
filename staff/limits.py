"""How much a member of staff may adjust without a second person."""

import dataclasses
import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import connection

from loyalty import ids
from loyalty.models import Program
from staff.models import AdjustmentLimit, AdjustmentTally

ZERO = Decimal(0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limit:
    """Most points, added or taken away: at once, and in a day of the programme. None: there is no limit."""

    at_once: Decimal | None
    a_day: Decimal | None

    def allows(self, points: Decimal, *, used: Decimal) -> bool:
        """This will answer whether signed points are within it, after `used` of the day."""
        size = abs(points)
        is_small = self.at_once is None or size <= self.at_once
        return is_small and (self.a_day is None or used + size <= self.a_day)


def of(user: User, program: Program) -> Limit:
    """This will answer the highest limit that the groups of a member of staff have. Superusers have none."""
    if user.is_superuser:
        return Limit(at_once=None, a_day=None)
    rows = AdjustmentLimit.objects.filter(program=program, group__user=user)
    found = list(rows.values_list("most_points", "most_points_a_day"))
    return Limit(at_once=_highest([once for once, _ in found]), a_day=_highest([day for _, day in found]))


def used(user: User, program: Program, *, at: datetime.datetime) -> Decimal:
    """This will answer how many points a member of staff has adjusted today."""
    tally = AdjustmentTally.objects.filter(program=program, user=user).first()
    return ZERO if tally is None or tally.counted_on < _today(program, at) else tally.points


def lock(user: User, program: Program, *, at: datetime.datetime) -> AdjustmentTally:
    """This will lock what a member of staff has adjusted today, until the caller's transaction ends."""
    today = _today(program, at)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO staff_adjustmenttally (id, program_id, user_id, counted_on, points) VALUES (%s, %s, %s, %s, 0)"
            " ON CONFLICT DO NOTHING",
            [ids.new_id(), program.pk, user.pk, today],
        )
    # A statement of its own: the INSERT may have waited for the other one's, and saw the table as it was before.
    tally = AdjustmentTally.objects.select_for_update(no_key=True).get(program=program, user=user)
    # Of two servers one may be in the next day already: what it counted stays counted.
    if tally.counted_on < today:
        tally.counted_on, tally.points = today, ZERO
    return tally


def count(tally: AdjustmentTally, points: Decimal) -> None:
    """This will count an adjustment of signed points in what is locked."""
    tally.points += abs(points)
    tally.save(update_fields=["counted_on", "points"])


def _highest(found: list[Decimal | None]) -> Decimal | None:
    known = [limit for limit in found if limit is not None]
    return max(known, default=ZERO) if len(known) == len(found) else None


def _today(program: Program, at: datetime.datetime) -> datetime.date:
    return at.astimezone(ZoneInfo(program.timezone)).date()
