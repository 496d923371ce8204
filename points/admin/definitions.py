"""Kinds of points: their policies hold for points made from now on, never for those that exist."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.decorators import action, display

from loyalty import console
from points import definitions
from points.expiry import ExpiryPolicy
from points.models import PointDefinition
from staff.audit import Action

POLICIES = (
    "description",
    "point_value",
    "expiry_policy",
    "expiry_count",
    "expiry_month",
    "expiry_day",
    "may_go_negative",
    "clawback",
)

POLICY_FIELDSETS = (
    (
        "When points expire",
        {
            "fields": ("expiry_policy", "expiry_count", "expiry_month", "expiry_day"),
            "description": "For points awarded from now on. Points that exist keep their end.",
        },
    ),
    (
        "When points are missing",
        {"fields": ("may_go_negative", "clawback"), "description": "For accounts and awards made from now on."},
    ),
)


@admin.register(PointDefinition)
class DefinitionAdmin(console.TableAdmin):
    list_display = ("name", "code", "number", "program", "default", "decimal_places", "expiry", "may_go_negative")
    list_select_related = ("program",)
    list_filter = ("program",)
    search_fields = ("name", "code")
    ordering = ("program__name", "number")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "program",
                    "name",
                    "code",
                    "number",
                    "description",
                    "decimal_places",
                    "point_value",
                    "default",
                    "created",
                )
            },
        ),
        *POLICY_FIELDSETS,
    )
    add_fieldsets = (
        (None, {"fields": ("program", "name", "code", "description", "decimal_places", "point_value")}),
        *POLICY_FIELDSETS,
    )
    conditional_fields = {
        "expiry_count": f"!['{ExpiryPolicy.NONE}', '{ExpiryPolicy.DAY_OF_YEAR}'].includes(expiry_policy)",
        "expiry_month": f"expiry_policy == '{ExpiryPolicy.DAY_OF_YEAR}'",
        "expiry_day": f"expiry_policy == '{ExpiryPolicy.DAY_OF_YEAR}'",
    }
    actions_detail = ("make_default",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: PointDefinition | None = None) -> tuple[str, ...]:
        # Callers name a kind of points by its code, and amounts that exist have its decimals.
        if obj is None:
            return ("default", "created")
        return ("program", "code", "number", "decimal_places", "default", "created")

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made = definitions.create_definition(
            program=obj.program,
            code=obj.code,
            name=obj.name,
            decimal_places=obj.decimal_places,
            **{policy: getattr(obj, policy) for policy in POLICIES},
        )
        obj.pk = made.pk

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        definition = self.get_object(request, object_id)
        is_default = definition is None or definition.is_default
        return [] if is_default else super().get_actions_detail(request, object_id)

    @action(description="Make default", url_path="make-default", icon="star", permissions=["change"])
    def make_default(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will make it what cards and customers mean by points."""
        definition = self.fetch(request, object_id)
        if request.method == "POST":
            with transaction.atomic():
                definitions.make_default(definition)
                self.log_change(request, definition, "Made the default.", action=Action.MADE_DEFAULT)
            messages.success(request, f"{definition} is what cards mean by points from now on.")
            return HttpResponseRedirect(console.address(definition))
        return self.ask(
            request,
            definition,
            form=forms.Form(),
            title=f"Make {definition} the default?",
            deed="Make default",
            explanation=(
                "Callers who name no kind of points, and every card, will mean this one from now on. "
                "What customers have of the other kind stays where it is."
            ),
            facts=[
                ("Programme", definition.program),
                ("Default now", definition.program.definitions.filter(is_default=True).first()),
            ],
        )

    @display(description="Default", boolean=True)
    def default(self, definition: PointDefinition) -> bool:
        return definition.is_default

    @display(description="Points expire")
    def expiry(self, definition: PointDefinition) -> str:
        count = definition.expiry_count or 0
        match ExpiryPolicy(definition.expiry_policy):
            case ExpiryPolicy.NONE:
                return "Never"
            case ExpiryPolicy.MONTHS:
                return f"{count} months after the award"
            case ExpiryPolicy.DAYS:
                return f"{count} days after the award"
            case ExpiryPolicy.DAY_OF_YEAR:
                return f"Every year after {definition.expiry_day}/{definition.expiry_month}"
            case ExpiryPolicy.INACTIVITY:
                return f"After {count} months without activity"
        period = definition.expiry_policy.rpartition("_")[2]
        return f"At the end of the {period}, {count} months on"

    @display(description="Made")
    def created(self, definition: PointDefinition) -> str:
        return console.moment(definition.created_at, definition.program)
