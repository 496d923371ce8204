"""The dashboard's page. It is behind the admin's login and asks for the permission to view figures."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.dateformat import format as format_date
from unfold import widgets

from loyalty import console
from points.models import PointDefinition
from reports import dashboard
from reports.dashboard import Dashboard

PERMISSION = "reports.view_figure"
PERIODS = {30: "30 days", 91: "13 weeks", 365: "12 months", 730: "2 years"}
DEFAULT_DAYS = 91
OPTIONS = json.dumps(
    {
        "animation": False,
        "maintainAspectRatio": False,
        "maxBarThickness": 24,
        "datasets": {"bar": {"borderRadius": 3}, "line": {"borderWidth": 2, "pointStyle": False}},
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {"legend": {"align": "end", "labels": {"boxHeight": 8, "boxWidth": 8}}},
        "scales": {
            "x": {"grid": {"display": False}, "ticks": {"maxRotation": 0, "autoSkipPadding": 16}},
            "y": {"beginAtZero": True, "grid": {}, "ticks": {"precision": 0, "maxTicksLimit": 6}},
        },
    }
)
# What is to be seen first, and what is beside it: of the theme's colours those that are seen on both of its grounds.
MAIN, BESIDE = "var(--color-primary-600)", "var(--color-base-500)"


class ChoiceForm(forms.Form):
    """Which points, and how far back; what is not understood counts as not chosen."""

    points = forms.ModelChoiceField(
        PointDefinition.objects.none(), widget=widgets.UnfoldAdminSelectWidget, required=False
    )
    days = forms.TypedChoiceField(
        coerce=int,
        choices=list(PERIODS.items()),
        widget=widgets.UnfoldAdminSelectWidget,
        label="Period",
        required=False,
        empty_value=None,
    )

    def __init__(self, *args: Any, kinds: models.QuerySet[PointDefinition], **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["points"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset, field.empty_label = kinds, None
        field.label_from_instance = lambda kind: f"{kind.program}: {kind}"  # type: ignore[assignment, method-assign]


def page(request: HttpRequest) -> HttpResponse:
    """This will show how points are doing: the first programme's default ones, unless others are chosen."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    kinds = PointDefinition.objects.select_related("program").order_by("program__name", "-is_default", "number")
    first = kinds.first()
    context = {**admin.site.each_context(request), "title": "Dashboard"}
    if first is None:
        return TemplateResponse(request, "admin/reports/empty.html", context)
    form = ChoiceForm(request.GET, kinds=kinds)
    form.is_valid()
    kind = form.cleaned_data.get("points") or first
    days = form.cleaned_data.get("days") or DEFAULT_DAYS
    shown = dashboard.show(definition=kind, days=days, at=timezone.now())
    form = ChoiceForm(initial={"points": kind.pk, "days": days}, kinds=kinds)
    context |= {"form": form, "program": kind.program, "period": PERIODS[days], **_told(shown, kind)}
    return TemplateResponse(request, "admin/reports/dashboard.html", context)


def _told(shown: Dashboard, kind: PointDefinition) -> dict[str, Any]:
    def points(value: Decimal) -> str:
        return console.amount(value, places=kind.decimal_places)

    weeks = [format_date(week.first, "j M Y") for week in shown.weeks]
    return {
        "options": OPTIONS,
        "figures": _figures(shown, kind),
        "counted_at": console.moment(shown.counted_at, kind.program) if shown.counted_at else None,
        "flow": _chart(
            weeks,
            {
                ("Issued", MAIN): [week.issued for week in shown.weeks],
                ("Redeemed", BESIDE): [week.redeemed for week in shown.weeks],
            },
        ),
        "flow_rows": [
            (first, points(week.issued), points(week.redeemed), points(week.expired), points(week.outstanding))
            for first, week in zip(weeks, shown.weeks, strict=True)
        ],
        "outstanding": _chart(weeks, {("Outstanding", MAIN): [week.outstanding for week in shown.weeks]}),
        "tiers": [
            (row["tier"], f"{row['customers']:,}", f"{row['change']:+,}" if row["change"] else console.NOTHING)
            for row in shown.tiers
        ],
        "tier_chart": _chart(
            [row["tier"] for row in shown.tiers], {("Customers", MAIN): [row["customers"] for row in shown.tiers]}
        ),
        "rewards": [(row["name"], f"{row['redemptions']:,}", points(row["points"])) for row in shown.rewards],
        "expiring": _chart(
            [format_date(first, "j M") for first, _ in shown.expiring],
            {("Expiring", MAIN): [value for _, value in shown.expiring]},
        ),
        "expiring_rows": [(format_date(first, "j M Y"), points(value)) for first, value in shown.expiring],
        "expiring_total": points(sum((value for _, value in shown.expiring), Decimal(0))),
        "look_ahead": dashboard.LOOK_AHEAD,
    }


def _figures(shown: Dashboard, kind: PointDefinition) -> list[tuple[str, str, str]]:
    """This will answer what is said with large numbers: name, number, and what explains it."""

    def points(value: Decimal) -> str:
        return console.amount(value, places=kind.decimal_places)

    def percent(rate: Decimal | None) -> str:
        return console.NOTHING if rate is None else f"{rate * 100:.1f} %"

    worth = console.NOTHING if shown.liability is None else f"{shown.liability:,.2f} {kind.program.currency}"
    return [
        ("Issued", points(shown.issued), "points of all awards"),
        ("Redeemed", points(shown.redeemed), "points"),
        ("Expired", points(shown.expired), "points"),
        ("Outstanding", points(shown.outstanding), f"points today, and {points(shown.pending)} pending"),
        ("Liability", worth, "today" if shown.liability is not None else "say on the definition what a point is worth"),
        ("Redemption rate", percent(shown.redemption_rate), "redeemed of issued"),
        ("Breakage rate", percent(shown.breakage_rate), "expired of issued"),
        ("Active customers", f"{shown.active:,}", f"of {shown.members:,} earned or redeemed"),
    ]


def _chart(labels: Sequence[str], sets: dict[tuple[str, str], Sequence[Decimal | int]]) -> str:
    """This will write the data of a chart as the theme's script reads it."""
    data = [
        {"label": name, "data": [float(value) for value in values], "backgroundColor": colour, "borderColor": colour}
        for (name, colour), values in sets.items()
    ]
    return json.dumps({"labels": list(labels), "datasets": data})
