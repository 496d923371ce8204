"""What description codes say to people in a programme, language by language."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from unfold.decorators import display

from loyalty import console
from points import descriptions
from points.models import DescriptionText


@admin.register(DescriptionText)
class DescriptionTextAdmin(console.TableAdmin):
    list_display = ("code", "language", "text", "instead_of", "program")
    list_select_related = ("program",)
    list_filter = ("program", "language")
    ordering = ("program__name", "code", "language")
    fieldsets = (
        (
            None,
            {
                "fields": ("program", "code", "language", "text"),
                "description": (
                    "Descriptions of transactions may hold a code such as @@(Bonus.Points). People read this text in "
                    "its place; without one, what the service says."
                ),
            },
        ),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: DescriptionText | None = None) -> tuple[str, ...]:
        return () if obj is None else ("program", "code", "language")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Nothing names it: what the service says holds again.
        return request.user.has_perm("points.delete_descriptiontext")

    @display(description="In place of")
    def instead_of(self, text: DescriptionText) -> str:
        return descriptions.default(text.code, text.language)
