"""Earning rules: how many points something earns, and what holds for all of a programme's rules."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from loyalty import console
from loyalty.models import Program
from points.admin import preview, publishing, words
from points.models import EarningRule, EarningScheme
from points.terms import Kind

_PURCHASE = f"kind == '{Kind.PURCHASE}'"


@admin.register(EarningRule)
class EarningRuleAdmin(publishing.PublishedAdmin):
    list_display = ("name", "kind", "gives", "most", "holds", "asks", "priority", "is_active", "program")
    list_filter = ("program", "kind", "is_active")
    search_fields = ("name", "activity")
    ordering = ("program__name", "program", "-kind", "-priority", "pk")
    actions_list = ("preview",)
    fieldsets = (
        (None, {"fields": ("program", "name", "is_active")}),
        ("What it gives", {"fields": ("kind", "rate", "activity", "points")}),
        (
            "How much at most",
            {
                "fields": ("most_per_transaction", "most_per_day", "most_per_month"),
                "description": "In points, of one customer. Empty: no limit.",
            },
        ),
        (
            "When it holds",
            {
                "fields": ("starts_at", "ends_at", "smallest_purchase", "shops", "categories", "priority"),
                "description": f"{publishing.CLOCKS} Of the rules that hold, the one of the highest priority counts; "
                "of equals the older one.",
            },
        ),
    )
    conditional_fields = {
        "rate": _PURCHASE,
        "activity": f"kind == '{Kind.ACTIVITY}'",
        "points": f"kind != '{Kind.PURCHASE}'",
        "smallest_purchase": _PURCHASE,
        "categories": _PURCHASE,
    }

    @action(description=preview.TITLE, url_path="preview", icon="calculate", permissions=["view"])
    def preview(self, request: HttpRequest) -> HttpResponse:
        """This will show what a purchase earns by the rules that hold."""
        return preview.show(self, request)

    @display(description="Gives")
    def gives(self, rule: EarningRule) -> str:
        return words.earned(rule, rule.program)

    @display(description="At most")
    def most(self, rule: EarningRule) -> str:
        return words.limits(rule)

    @display(description="Holds")
    def holds(self, rule: EarningRule) -> str:
        return words.period(rule, rule.program)

    @display(description="Asks for")
    def asks(self, rule: EarningRule) -> str:
        return words.conditions(rule, rule.program)


@admin.register(EarningScheme)
class EarningSchemeAdmin(publishing.PublishedAdmin):
    list_display = ("program", "combination", "spend_basis", "excluded")
    list_filter = ()
    ordering = ("program__name", "program")
    fieldsets = (
        (None, {"fields": ("program", "combination")}),
        ("What of a purchase earns", {"fields": ("spend_basis", "excluded_categories")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Each programme has them once.
        return super().has_add_permission(request) and Program.objects.filter(earning_scheme=None).exists()

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Earn nothing")
    def excluded(self, scheme: EarningScheme) -> str:
        return ", ".join(scheme.excluded_categories) or console.NOTHING
