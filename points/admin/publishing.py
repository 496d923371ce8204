"""Rows that make up the rules of a programme: whoever changes one publishes the next version of all of them."""

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.auth import get_permission_codename
from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold import widgets
from unfold.decorators import action
from unfold.enums import ActionVariant

from loyalty import console
from loyalty.models import Program
from points import rules

CLOCKS = "By the clocks of the programme."
MOST_LINES = 100


class ListField(forms.CharField):
    """Several texts, one on each line."""

    widget = widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3})

    def __init__(self, *, base_field: Any, max_length: int | None = None, **options: Any) -> None:
        help_text = f"{options.get('help_text', '')} One on each line.".strip()
        # What was there is known: it need not come back hidden in the form.
        super().__init__(**options | {"show_hidden_initial": False, "help_text": help_text})

    def prepare_value(self, value: Any) -> Any:
        """This will show a list on lines, and again what was typed as it was typed."""
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        """This will read the lines that have something on them, each of them once."""
        lines = value if isinstance(value, list) else (super().to_python(value) or "").splitlines()
        return list(dict.fromkeys(line.strip() for line in lines if line.strip()))

    def run_validators(self, value: Any) -> None:
        """This will look at each text.

        Raises:
            forms.ValidationError: one of them is none, or there are too many.
        """
        if len(value) > MOST_LINES:
            raise forms.ValidationError(f"No more than {MOST_LINES} lines.")
        for line in value:
            super().run_validators(line)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """This will answer whether other texts were typed than there were."""
        return list(initial or []) != self.to_python(data or "")


class PublishedAdmin(console.TableAdmin):
    """Each save and each deletion is a new version, in the same transaction."""

    list_select_related = ("program",)
    list_filter: Any = ("program",)
    formfield_overrides = {ArrayField: {"form_class": ListField, "widget": ListField.widget}}
    actions_detail = ("remove",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("program",)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # Times are typed and shown by the clocks of the programme.
        with timezone.override(self._zone(request, object_id)):
            response = super().changeform_view(request, object_id, form_url, extra_context)
            return response.render() if isinstance(response, TemplateResponse) else response

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        if change:
            # All that the form has: what a rule of its kind has no use for was emptied without having been typed.
            columns = {field.name for field in obj._meta.concrete_fields}
            obj.save(update_fields=columns.intersection(form.cleaned_data))
        else:
            obj.save(force_insert=True)
        if form.changed_data or not change:
            self._tell(request, obj.program, self._publish(request, obj.program))

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        codename = get_permission_codename("delete", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    def why_kept(self, row: Any) -> str:
        """This will say why a row cannot be deleted; nothing where it can."""
        return ""

    def warn(self, request: HttpRequest, program: Program) -> None:
        """This will say what of the rules as they are now may not be meant."""

    @action(
        description="Delete", url_path="remove", icon="delete", variant=ActionVariant.DANGER, permissions=["remove"]
    )
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will take a row out of the rules."""
        row = self.fetch(request, object_id)
        if reason := self.why_kept(row):
            messages.warning(request, reason)
            return HttpResponseRedirect(console.address(row))
        if request.method == "POST":
            return HttpResponseRedirect(self._delete(request, row))
        return self.ask(
            request,
            row,
            form=forms.Form(),
            title=f"Delete {row}?",
            deed="Delete",
            explanation=(
                "It is gone from the next version of the rules on. What was earned by it stays, and so do the versions "
                "that had it."
            ),
            facts=[("Programme", row.program)],
            is_danger=True,
        )

    def _delete(self, request: HttpRequest, row: Any) -> str:
        """This will delete a row, and answer where to go next."""
        address, told = console.address(row), f"{row} is deleted."
        try:
            with transaction.atomic():
                self.log_deletions(request, self.model._default_manager.filter(pk=row.pk))
                row.delete()
                version = self._publish(request, row.program)
        except IntegrityError:
            # A customer came to the tier since it was asked who holds it.
            messages.warning(request, f"{row} was used a moment ago, so it is still there.")
            return address
        messages.success(request, told)
        self._tell(request, row.program, version)
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _publish(self, request: HttpRequest, program: Program) -> int:
        return rules.publish(program=program, by=request.user.get_username()[: console.LONGEST_ACTOR])

    def _tell(self, request: HttpRequest, program: Program, version: int) -> None:
        messages.success(request, f"Version {version} of the rules holds from now on.")
        self.warn(request, program)

    def _zone(self, request: HttpRequest, object_id: str | None) -> ZoneInfo:
        if object_id is not None:
            row = self.get_object(request, object_id)
            program = None if row is None else row.program
        else:
            asked = request.POST.get("program") or console.only_program().get("program")
            program = next((p for p in Program.objects.all() if str(p.pk) == str(asked)), None)
        return console.zone(program) if program is not None else ZoneInfo("UTC")
