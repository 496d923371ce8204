"""Whether a programme writes to its customers, what about, and who it is from."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest
from unfold import widgets
from unfold.decorators import display

from loyalty import console
from notices import following, kinds
from notices.kinds import GROUPS
from notices.models import NoticeSettings

COLOURS = {"On": "success", "Off": "default", "Cannot send": "danger"}


class SettingsForm(forms.ModelForm):
    is_on = forms.BooleanField(
        label="Write to customers",
        required=False,
        widget=widgets.UnfoldBooleanSwitchWidget,
        help_text="From now on: nothing is written about what has happened before. Switched off, what still waits is "
        "not sent.",
    )
    kinds = forms.MultipleChoiceField(
        label="About",
        required=False,
        choices=[(kind.value, f"{kind.label} ({GROUPS[kind].label.lower()})") for kind in kinds.CHOSEN],
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Customers unsubscribe from reminders, tiers and receipts each by itself, or from all. Award "
        "campaigns say for themselves whether they write.",
    )

    class Meta:
        model = NoticeSettings
        fields = ("program", "is_on", "kinds", "sender_name", "reply_to")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        is_new = self.instance.program_id is None
        self.fields["is_on"].initial = not is_new and self.instance.program.sends_notices
        if is_new:
            self.initial.setdefault("kinds", kinds.USUAL)


@admin.register(NoticeSettings)
class NoticeSettingsAdmin(console.TableAdmin):
    form = SettingsForm
    list_display = ("program", "state", "about", "sender")
    list_select_related = ("program",)
    ordering = ("program__name",)
    fieldsets = (
        (
            None,
            {
                "fields": ("program", "is_on", "mail_server", "kinds"),
                "description": "E-mails about points that expire, tiers and receipts, each in the customer's language.",
            },
        ),
        ("Who it is from", {"fields": ("sender_name", "reply_to")}),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: NoticeSettings | None = None) -> tuple[str, ...]:
        return ("mail_server",) if obj is None else ("program", "mail_server")

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            following.switch(program=obj.program, is_on=form.cleaned_data["is_on"])
        if obj.program.sends_notices and (problem := following.problem()):
            messages.warning(request, problem)

    @display(description="State", label=COLOURS)
    def state(self, row: NoticeSettings) -> str:
        if not row.program.sends_notices:
            return "Off"
        return "On" if following.problem() is None else "Cannot send"

    @display(description="About")
    def about(self, row: NoticeSettings) -> str:
        return ", ".join(kind.label for kind in kinds.CHOSEN if kind in row.kinds) or console.NOTHING

    @display(description="From")
    def sender(self, row: NoticeSettings) -> str:
        return row.sender_name or row.program.name

    @display(description="Mail server")
    def mail_server(self, row: NoticeSettings) -> str:
        return following.problem() or where()


def where() -> str:
    """This will say where e-mails go, and from which address."""
    backend = settings.EMAIL_BACKEND.split(".")[-2]
    goes = {
        "filebased": f"Written into files in {getattr(settings, 'EMAIL_FILE_PATH', '')}, and sent to nobody",
        "console": "Written into the log of the worker, and sent to nobody",
        "smtp": f"Sent by {settings.EMAIL_HOST}",
    }
    return f"{goes.get(backend, backend)}; from {settings.DEFAULT_FROM_EMAIL}."
