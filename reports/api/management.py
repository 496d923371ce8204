"""The management face's reports: figures of the ledger by day or month, as JSON or as CSV."""

import csv
import datetime
import io
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from loyalty import errors
from loyalty.api import management
from loyalty.api.serializers import Output, Query, success
from loyalty.models import Scope
from loyalty.permissions import caller
from reports import behaviour, cohorts, health, liability, money, periods, roll_forward, tiers, velocity
from reports.api import shapes
from reports.periods import By, Row, Span

TAG = ["Reports"]

_NAMES = ("roll_forward", "liability", "velocity", "health", "behaviour", "money", "cohorts")


def _described(summary: str, query: type[Query], report: type[Output]) -> Callable:
    return extend_schema(
        summary=summary,
        tags=TAG,
        parameters=[query],
        responses={(200, "application/json"): success(report), (200, "text/csv"): OpenApiTypes.STR},
    )


class ReportsViewSet(management.ManagementViewSet):
    """Reads figures that a job has counted, and counts nothing itself."""

    scopes = dict.fromkeys(_NAMES, Scope.ANALYTICS_READ)
    refusals = dict.fromkeys(_NAMES, (errors.InvalidParameters,))

    @_described("Points roll-forward", shapes.PeriodsQuery, shapes.RollForward)
    def roll_forward(self, request: Request) -> HttpResponse:
        """Tells what customers could spend as each period began, what changed it, and as it ended, to the point. Points
        count by the moment at which an entry took effect, so an entry that is written late corrects its day."""
        query, span = _read(request, shapes.PeriodsQuery)
        return _answer(query, span, "roll-forward", roll_forward.rows(span), shape=shapes.RollForwardRow)

    @_described("Liability", shapes.LiabilityQuery, shapes.Liability)
    def liability(self, request: Request) -> HttpResponse:
        """Tells what customers could spend at the end of a day, by the month in which it ends, and what that is
        worth."""
        query, span = _read(request, shapes.LiabilityQuery, By.DAY)
        return _answer(query, span, "liability", liability.rows(span), shape=shapes.LiabilityRow)

    @_described("Velocity", shapes.PeriodsQuery, shapes.Velocity)
    def velocity(self, request: Request) -> HttpResponse:
        """Tells what a customer earns, how long points wait until they are redeemed, on which days of the week, and for
        which rewards."""
        query, span = _read(request, shapes.PeriodsQuery)

        def more() -> dict[str, Any]:
            return {"weekdays": velocity.seasons(span), "popular_rewards": velocity.popular_rewards(span)}

        return _answer(query, span, "velocity", velocity.rows(span), shape=shapes.VelocityRow, more=more)

    @_described("Health", shapes.PeriodsQuery, shapes.HealthReport)
    def health(self, request: Request) -> HttpResponse:
        """Tells what the programme owes, what expires unused, how many customers take part, and how often."""
        query, span = _read(request, shapes.PeriodsQuery)
        return _answer(query, span, "health", health.rows(span), shape=shapes.HealthRow)

    @_described("Behaviour", shapes.PeriodsQuery, shapes.Behaviour)
    def behaviour(self, request: Request) -> HttpResponse:
        """Tells how much of what they earn customers spend, in which sizes, and how many do nothing any more."""
        query, span = _read(request, shapes.PeriodsQuery)

        def more() -> dict[str, Any]:
            return {
                "sizes": behaviour.sizes(span),
                "tiers": tiers.held(span),
                "inactive": behaviour.inactive(span, at=timezone.now()),
            }

        return _answer(query, span, "behaviour", behaviour.rows(span), shape=shapes.BehaviourRow, more=more)

    @_described("Money", shapes.ReportQuery, shapes.Money)
    def money(self, request: Request) -> HttpResponse:
        """Tells what redemptions cost, and what customers who redeemed in a month spent in it beside those who did not.

        `return` is (`difference` * margin - `redemption_cost`) / `redemption_cost`. Who redeems may be who would have
        bought more anyway: it bounds what the programme brings, and does not prove it. Spend is the total of the shop's
        orders, and the amount of imported purchases or `order_total` in the metadata of awards; refunds are not taken
        off."""
        query, span = _read(request, shapes.ReportQuery, By.MONTH)
        return _answer(query, span, "money", money.rows(span), shape=shapes.MoneyRow)

    @_described("Cohorts", shapes.ReportQuery, shapes.Cohorts)
    def cohorts(self, request: Request) -> HttpResponse:
        """Tells of the points earned in each month how many were redeemed in which month. The days asked for are those
        of earning."""
        query, span = _read(request, shapes.ReportQuery, By.MONTH)
        return _answer(query, span, "cohorts", cohorts.rows(span), shape=shapes.CohortRow)


def _read(request: Request, shape: type[Query], by: By | None = None) -> tuple[dict[str, Any], Span]:
    """This will read which days are asked for; `by` where a query has no choice of it."""
    query = shape.read(request.query_params.dict())
    program = caller(request).program
    zone = ZoneInfo(program.timezone)
    span = periods.span(
        program=program,
        at=timezone.now(),
        first=_day(query.get("from"), zone),
        last=_day(query["to"], zone),
        by=by or By(query["by"]),
        definition=query["definition"],
    )
    return query, span


def _day(moment: datetime.datetime | datetime.date | None, zone: ZoneInfo) -> datetime.date | None:
    return moment.astimezone(zone).date() if isinstance(moment, datetime.datetime) else moment


def _answer(
    query: dict[str, Any],
    span: Span,
    name: str,
    rows: list[Row],
    *,
    shape: type[Output],
    more: Callable[[], dict[str, Any]] = dict,
) -> HttpResponse:
    """This will answer rows, as JSON with what `more` tells beside them."""
    if query["format"] == "csv":
        return _csv(f"{name}-{span.last}.csv", rows, columns=list(shape().get_fields()))
    known = {
        "counted_at": periods.counted_at(span.program),
        "timezone": span.program.timezone,
        "currency": span.program.currency,
    }
    return management.respond({**known, "rows": rows, **more()})


def _csv(filename: str, rows: list[Row], *, columns: list[str]) -> HttpResponse:
    """This will write rows as a table. All texts in it are periods and codes, which no spreadsheet runs."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=columns)
    writer.writeheader()
    writer.writerows(rows)
    disposition = f'attachment; filename="{filename}"'
    return HttpResponse(
        text.getvalue(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )
