"""What all customers of a programme will lose, right by the clock although nothing has been settled yet.

It says of each customer what `statements.balance` says, in one statement over all of them.
"""

import dataclasses
import datetime
import functools
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from loyalty.models import Program
from points.models import PointDefinition
from points.statements import Expiring, days_between


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpiringInProgram:
    """Points of all customers that expire within `days`: a row for a customer and a day, earliest first. It is counted
    and sliced like a queryset."""

    program: Program
    definition: PointDefinition
    at: datetime.datetime
    days: int

    def count(self) -> int:
        """This will answer how many rows there are."""
        return self._totals[0]

    @property
    def total_points(self) -> Decimal:
        """The points of all rows; they are read once, with the number of rows."""
        return self._totals[1]

    def __getitem__(self, wanted: slice) -> list[Expiring]:
        rows = self._run(
            "SELECT customer_id, points, expires_at FROM days ORDER BY expires_at, customer_id"
            " LIMIT %(count)s OFFSET %(start)s",
            count=wanted.stop - wanted.start,
            start=wanted.start,
        )
        zone = ZoneInfo(self.program.timezone)
        return [
            Expiring(
                customer_id=customer_id,
                points=points,
                expires_at=expires_at,
                days_until_expiry=days_between(self.at, expires_at, zone),
            )
            for customer_id, points, expires_at in rows
        ]

    @functools.cached_property
    def _totals(self) -> tuple[int, Decimal]:
        [(rows, points)] = self._run("SELECT count(*), COALESCE(sum(points), 0) FROM days")
        return rows, points

    def _run(self, select: str, **arguments: Any) -> list[tuple[Any, ...]]:
        known: dict[str, Any] = {
            "program": self.program.pk,
            "definition": self.definition.pk,
            "zone": self.program.timezone,
            "at": self.at,
            "until": self.at + datetime.timedelta(days=self.days),
        }
        with connection.cursor() as cursor:
            cursor.execute(_EXPIRING + select, known | arguments)
            return cursor.fetchall()


# What comes back from a hold that has lapsed since the last posting, and a lot that has started since then, pay a debt
# before they count: in the order in which they came, at one moment those that come back first.
_EXPIRING = """
WITH pins AS (
    SELECT h.account_id, h.expires_at AS moment, (p.pin ->> 0)::uuid AS lot_id, (p.pin ->> 1)::numeric AS points,
        row_number() OVER (PARTITION BY h.account_id ORDER BY h.expires_at, h.id, p.n) AS n
    FROM points_hold h, jsonb_array_elements(h.pins) WITH ORDINALITY AS p (pin, n)
    WHERE h.program_id = %(program)s AND h.status = 'active' AND h.expires_at <= %(at)s
), back AS (
    SELECT l.account_id, l.id, p.points, p.moment, p.n, e.expires_at, a.balance
    FROM (SELECT account_id, moment, lot_id, SUM(points) AS points, MIN(n) AS n FROM pins GROUP BY 1, 2, 3) p
    JOIN points_pointlot l ON l.account_id = p.account_id AND l.id = p.lot_id
    JOIN points_pointaccount a ON a.id = p.account_id,
    LATERAL (SELECT COALESCE(l.expires_at, points_months_after(
        GREATEST(a.last_activity_at, l.active_from), l.inactivity_months, %(zone)s
    )) AS expires_at) e
    -- What has ended by then expires at once.
    WHERE e.expires_at IS NULL OR e.expires_at > p.moment
), coming AS (
    SELECT account_id, id, points, balance, moment, 0 AS kind, n FROM back WHERE balance < 0
    UNION ALL
    SELECT l.account_id, l.id, l.remaining, a.balance, l.active_from, 1, l.version
    FROM points_pointlot l JOIN points_pointaccount a ON a.id = l.account_id
    WHERE l.program_id = %(program)s AND l.is_open AND a.balance < 0
    AND l.active_from > a.effective_at AND l.active_from <= %(at)s
), paid AS (
    SELECT account_id, id, LEAST(points, GREATEST(0, -balance - COALESCE(SUM(points) OVER (
        PARTITION BY account_id ORDER BY moment, kind, n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0))) AS points
    FROM coming
), parts AS (
    SELECT account_id, id, remaining AS points, expires_at FROM points_pointlot
    WHERE program_id = %(program)s AND is_open AND expires_at > %(at)s AND expires_at <= %(until)s
    AND (active_from IS NULL OR active_from <= %(at)s)
    UNION ALL
    SELECT l.account_id, l.id, l.remaining, points_months_after(
        GREATEST(a.last_activity_at, l.active_from), l.inactivity_months, %(zone)s
    )
    FROM points_pointlot l JOIN points_pointaccount a ON a.id = l.account_id
    WHERE l.program_id = %(program)s AND l.is_open AND l.inactivity_months IS NOT NULL AND l.active_from <= %(at)s
    UNION ALL
    SELECT account_id, id, points, expires_at FROM back
), lots AS (
    SELECT account_id, id, expires_at, SUM(points) AS points FROM parts GROUP BY 1, 2, 3
), days AS (
    SELECT a.customer_id, SUM(l.points - COALESCE(p.points, 0)) AS points, MIN(l.expires_at) AS expires_at
    FROM lots l JOIN points_pointaccount a ON a.id = l.account_id
    LEFT JOIN (SELECT account_id, id, SUM(points) AS points FROM paid GROUP BY 1, 2) p
    ON p.account_id = l.account_id AND p.id = l.id
    WHERE a.definition_id = %(definition)s AND l.expires_at > %(at)s AND l.expires_at <= %(until)s
    AND l.points > COALESCE(p.points, 0)
    GROUP BY a.customer_id, (l.expires_at AT TIME ZONE %(zone)s)::date
)
"""
