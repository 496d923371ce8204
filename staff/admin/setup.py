"""What a programme sets up for adjustments: reasons, limits of roles, and how long a request waits."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from loyalty import console
from staff.models import AdjustmentLimit, AdjustmentReason, AdjustmentSettings


class OfAProgram(console.TableAdmin):
    """Rows of a programme, which they never leave."""

    list_select_related: Any = ("program",)
    kept: tuple[str, ...] = ("program",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        return () if obj is None else self.kept


@admin.register(AdjustmentReason)
class ReasonAdmin(OfAProgram):
    list_display = ("name", "code", "program", "note", "offered")
    list_filter = ("program", "is_active")
    ordering = ("name", "pk")
    fields = ("program", "code", "name", "needs_note", "is_active")
    # Entries have the code.
    kept = ("program", "code")

    @display(description="Note")
    def note(self, reason: AdjustmentReason) -> str:
        return "Needed" if reason.needs_note else "If there is more to say"

    @display(description="Offered", boolean=True)
    def offered(self, reason: AdjustmentReason) -> bool:
        return reason.is_active


@admin.register(AdjustmentLimit)
class LimitAdmin(OfAProgram):
    list_display = ("group", "program", "at_once", "a_day")
    list_select_related = ("program", "group")
    list_filter = ("program", "group")
    ordering = ("program__name", "group__name", "pk")
    fieldsets = (
        (
            None,
            {
                "fields": ("program", "group", "most_points", "most_points_a_day"),
                "description": "What is above it waits for a second person, whose own limit is high enough. Of several "
                "roles the highest limit counts. Somebody whose roles have no limit here adjusts nothing without "
                "approval; superusers adjust what they like.",
            },
        ),
    )
    kept = ("program", "group")
    actions_detail = ("remove",)

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("staff.delete_adjustmentlimit")

    @action(
        description="Delete", url_path="remove", icon="delete", variant=ActionVariant.DANGER, permissions=["remove"]
    )
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will take the limit away, so that the role adjusts nothing without approval."""
        limit = self.fetch(request, object_id)
        if request.method == "POST":
            with transaction.atomic():
                self.log_deletions(request, AdjustmentLimit.objects.filter(pk=limit.pk))
                limit.delete()
            messages.success(request, f"{limit.group} adjusts nothing in {limit.program} without approval from now on.")
            return HttpResponseRedirect(reverse("admin:staff_adjustmentlimit_changelist"))
        return self.ask(
            request,
            limit,
            form=forms.Form(),
            title="Delete this limit?",
            deed="Delete",
            explanation="Whoever has no other role with a limit adjusts nothing without approval from then on.",
            facts=[("Role", limit.group), ("Programme", limit.program)],
            is_danger=True,
        )

    @display(description="At once")
    def at_once(self, limit: AdjustmentLimit) -> str:
        return _told(limit.most_points)

    @display(description="A day")
    def a_day(self, limit: AdjustmentLimit) -> str:
        return _told(limit.most_points_a_day)


@admin.register(AdjustmentSettings)
class SettingsAdmin(OfAProgram):
    list_display = ("program", "request_days")
    ordering = ("program__name",)
    fields = ("program", "request_days")


def _told(points: Decimal | None) -> str:
    return "No limit" if points is None else f"{points.normalize():,f}"
