"""The audit log: who did what and when, to be read and not to be changed."""

import datetime
import json
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.dateformat import format as format_date
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from loyalty import console
from loyalty.models import Program
from staff.audit_models import Action, AuditEntry

MOST_USERS = 100
LONGEST_SUMMARY = 120
COLOURS = {
    Action.REMOVED.label: "danger",
    Action.ERASED.label: "danger",
    Action.SIGN_IN_FAILED.label: "danger",
    Action.ADJUSTED.label: "warning",
    Action.APPROVED.label: "warning",
    Action.ADDED.label: "success",
}


class ProgramFilter(admin.SimpleListFilter):
    """One programme, or what is of none: staff accounts, for example."""

    title = "programme"
    parameter_name = "program"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        programs = Program.objects.order_by("name", "pk").values_list("pk", "name")
        return [*((str(pk), name) for pk, name in programs), ("none", "Of none")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        asked = self.value()
        if asked == "none":
            return queryset.filter(program=None)
        known = [key for key, _ in self.lookup_choices]
        return queryset.filter(program__pk=str(asked)) if asked in known else queryset


class UserFilter(admin.SimpleListFilter):
    """One member of staff. Of very many the first are offered; the search finds the others by the whole user name."""

    title = "who"
    parameter_name = "user"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        users = User.objects.order_by("username").values_list("pk", "username")
        asked = _whole(request.GET.get(self.parameter_name, ""))
        offered = dict(users.filter(is_staff=True)[:MOST_USERS]) | dict(users.filter(pk=asked))
        return [(str(pk), name) for pk, name in offered.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset if self.value() is None else queryset.filter(user_id=_whole(str(self.value())))


@admin.register(AuditEntry)
class AuditAdmin(console.ReadOnlyAdmin):
    list_display = ("moment", "actor", "deed", "object_page", "summary", "shop")
    list_filter = (ProgramFilter, "action", UserFilter, "at")
    list_select_related = ("program",)
    # What is searched stands in `get_search_results`; a list without fields has no search box.
    search_fields = ("object_id",)
    search_help_text = "User name or id of what it is about, whole"
    # As the index has it.
    ordering = ("-at", "-id")
    fieldsets = (
        (None, {"fields": (("moment", "actor"), ("deed", "object_page"), ("shop", "told"))}),
        ("Record", {"fields": (("object_kind", "object_id"), ("user_id", "request_id"))}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        term = request.GET.get(SEARCH_VAR, "").strip()
        if not term:
            return queryset, False
        users = list(User.objects.filter(username=term).values_list("pk", flat=True))
        return queryset.filter(Q(object_id=term) | Q(user_id__in=users)), False

    @display(description="When")
    def moment(self, entry: AuditEntry) -> SafeString:
        if entry.program is not None:
            told = console.moment(entry.at, entry.program)
        else:
            told = format_date(entry.at.astimezone(datetime.UTC), "j M Y, H:i T")
        return format_html('<span class="whitespace-nowrap">{}</span>', told)

    @display(description="What", label=COLOURS)
    def deed(self, entry: AuditEntry) -> str:
        return entry.get_action_display()

    @display(description="About")
    def object_page(self, entry: AuditEntry) -> str | SafeString:
        if not entry.object_kind:
            return console.NOTHING
        label = entry.facts.get("name") or f"{_kind(entry)} {entry.object_id[-8:]}"
        try:
            address = reverse(f"admin:{entry.object_kind.replace('.', '_')}_change", args=[entry.object_id])
        except NoReverseMatch:
            return str(label)
        return format_html('<a href="{}" class="text-link">{}</a>', address, label)

    @display(description="Programme")
    def shop(self, entry: AuditEntry) -> str:
        return str(entry.program) if entry.program else console.NOTHING

    @display(description="Facts")
    def summary(self, entry: AuditEntry) -> str:
        # The entry has a page, which the page of this one names.
        facts = {name: fact for name, fact in _facts(entry).items() if name != "entry"}
        text = ", ".join(f"{_word(name)} {_text(fact)}" for name, fact in facts.items())
        return text if len(text) <= LONGEST_SUMMARY else f"{text[: LONGEST_SUMMARY - 1]}…"

    @display(description="Facts")
    def told(self, entry: AuditEntry) -> str | SafeString:
        lines = ((_word(name), _text(fact)) for name, fact in _facts(entry).items())
        return format_html_join("", "<div><b>{}</b> {}</div>", lines) or console.NOTHING


def _whole(text: str) -> int:
    """This will read the id of a user; 0, whom nobody is, of anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _kind(entry: AuditEntry) -> str:
    """This will answer what the rows of a table are called; of one that is gone, the table's name."""
    try:
        return str(apps.get_model(entry.object_kind)._meta.verbose_name).capitalize()
    except LookupError:
        return entry.object_kind


def _word(name: str) -> str:
    return name.replace("_", " ")


def _facts(entry: AuditEntry) -> dict[str, Any]:
    """This will answer the facts in the order in which they are read: points, what changed, and the rest."""
    facts = dict(entry.facts)
    facts.pop("name", None)
    values = facts.pop("values", {})
    told = [name for name in facts.pop("fields", []) if name not in values]
    points = {"points": facts.pop("points")} if "points" in facts else {}
    return points | values | facts | ({"also": told} if told else {})


def _text(fact: Any) -> str:
    if fact is None or fact in ("", []):
        return console.NOTHING
    if isinstance(fact, list):
        return ", ".join(map(_text, fact))
    if isinstance(fact, dict):
        if fact.keys() == {"from", "to"}:
            return f"{_text(fact['from'])} → {_text(fact['to'])}"
        return json.dumps(fact, ensure_ascii=False)
    return str(fact)
