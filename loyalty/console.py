"""What the pages of the admin share: how they count, how they write times and points, and the page that asks first."""

import contextlib
import datetime
import functools
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg2.errors
from django import forms
from django.contrib.admin import ShowFacets, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db import IntegrityError, models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from loyalty import errors, names
from loyalty.models import Program
from staff import audit
from staff.audit import Action

MOST_COUNTED = 500
NOTHING = "–"  # noqa: RUF001  # a dash as wide as a digit
LONGEST_ACTOR = names.LONGEST_ACTOR
LONGEST_SEARCH = 255


class CappedPaginator(Paginator):
    """Counts no further than some hundred rows, so that a list costs the same however long its table is."""

    template_name = "admin/capped_pagination.html"

    @functools.cached_property
    def count(self) -> int:
        """How many rows can be paged through."""
        return min(self._counted, MOST_COUNTED)

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than can be paged through."""
        return self._counted > MOST_COUNTED

    @functools.cached_property
    def _counted(self) -> int:
        rows = self.object_list
        assert isinstance(rows, models.QuerySet)
        return rows.order_by()[: MOST_COUNTED + 1].count()


@contextlib.contextmanager
def _written_by_hand() -> Iterator[None]:
    """This will refuse what no form sends: a NUL character, or a year that is none."""
    try:
        yield
    except (ValueError, OverflowError) as failure:
        raise IncorrectLookupParameters from failure


class CappedList(ChangeList):
    """A list that shows how many rows there are at its foot alone."""

    result_list: Any

    def get_queryset(self, request: HttpRequest, *args: Any, **options: Any) -> models.QuerySet:
        # A search may look something up before the list is read.
        with _written_by_hand():
            return super().get_queryset(request, *args, **options)

    def get_results(self, request: HttpRequest) -> None:
        with _written_by_hand():
            super().get_results(request)
        # The head would say that the capped count is all there is.
        self.full_result_count = self.result_count


class ProgramFilter(SimpleListFilter):
    """One programme at a time: the index that sorts its rows begins with it. A search goes through all, and so does a
    list that another parameter narrows."""

    title = "programme"
    parameter_name = "program"
    narrowed_by: Sequence[str] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.is_narrow = any(request.GET.get(name) for name in (SEARCH_VAR, *self.narrowed_by))
        return [(str(pk), name) for pk, name in Program.objects.order_by("name", "pk").values_list("pk", "name")]

    def value(self) -> str | None:
        known = [str(key) for key, _ in self.lookup_choices]
        asked = super().value()
        if asked in known:
            return asked
        return None if self.is_narrow else known[0]

    def choices(self, changelist: Any) -> Any:
        everything, *programs = super().choices(changelist)
        return [everything, *programs] if self.is_narrow else programs

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        if self.value() is None:
            return queryset.filter(program__in=Program.objects.values("pk"))
        return queryset.filter(program__pk=str(self.value()))


class Titled:
    """A row under the name that staff know it by, for the head of its page."""

    def __init__(self, row: models.Model, title: str) -> None:
        self.pk = row.pk
        self._meta = row._meta
        self.title = title

    def __str__(self) -> str:
        return self.title


class TableAdmin(ModelAdmin):
    """A list and a page for each row of a table. Nothing is deleted: other rows, the ledger's among them, name it."""

    actions: Any = None
    paginator: Any = CappedPaginator
    show_full_result_count = False
    # They would count the whole table once for each choice of a filter.
    show_facets = ShowFacets.NEVER
    list_max_show_all = 0
    list_per_page = 50
    # A column that no index sorts would be sorted for the first page of a million rows.
    sortable_by: Any = ()
    empty_value_display = NOTHING
    # Of which fields the audit log keeps the values, beside the names of those that changed; None: of all. What is
    # erased with a customer must not be among them.
    audited_values: Sequence[str] | None = None
    is_audited_by_name = True

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CappedList

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        # Each word is looked for in each field, and nothing that is searched is longer.
        if len(search_term) > LONGEST_SEARCH:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        if change:
            columns = {field.name for field in obj._meta.concrete_fields}
            obj.save(update_fields=columns.intersection(form.changed_data))
        else:
            obj.save(force_insert=True)

    def construct_change_message(
        self, request: HttpRequest, form: forms.BaseForm, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        if isinstance(form, forms.ModelForm):
            # For the entry of the audit log, which is written with the row at hand and not the form.
            form.instance.audited = self._told(form, add=add)
        return super().construct_change_message(request, form, formsets, add)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, obj, Action.ADDED, getattr(obj, "audited", {}))
        return super().log_addition(request, obj, message)

    def log_change(
        self,
        request: HttpRequest,
        obj: Any,
        message: Any,
        *,
        action: Action = Action.CHANGED,
        facts: Mapping[str, Any] | None = None,
    ) -> Any:
        """This will note a change in the admin's log and in the audit log, which is not told the words of the former:
        people write about customers in them."""
        if message:
            told = getattr(obj, "audited", None) or _fields(message)
            self._audit(request, obj, action, {**told, **(facts or {})})
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet) -> Any:
        for row in queryset:
            self._audit(request, row, Action.REMOVED, {})
        return super().log_deletions(request, queryset)

    def _audit(self, request: HttpRequest, row: models.Model, action: Action, facts: dict[str, Any]) -> None:
        named = {"name": str(row)} if self.is_audited_by_name else {}
        audit.record(action=action, by=member(request), about=row, facts=named | facts, at=timezone.now())

    def _told(self, form: forms.ModelForm, *, add: bool) -> dict[str, Any]:
        kept = form.changed_data if self.audited_values is None else self.audited_values
        values = {
            name: form.cleaned_data.get(name)
            if add
            else {"from": form.initial.get(name), "to": form.cleaned_data.get(name)}
            for name in form.changed_data
            if name in kept
        }
        return {"fields": list(form.changed_data), "values": values}

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **options: Any) -> forms.Field | None:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            # What a choice leads to has a page of its own, a click away in the sidebar.
            for verb in ("add", "change", "delete", "view"):
                setattr(field.widget, f"can_{verb}_related", False)
        return field

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        one_button = {"show_save_and_continue": False, "show_save_and_add_another": False}
        context = one_button | (extra_context or {})
        show = functools.partial(super().changeform_view, request, object_id, form_url, context)
        try:
            return show()
        except IntegrityError as failure:
            if not isinstance(failure.__cause__, psycopg2.errors.UniqueViolation):
                raise
            # Somebody has saved the same since the form was looked at: it says so when it is looked at again.
            for name in request.FILES:
                for file in request.FILES.getlist(name):
                    file.seek(0)
            return show()

    def fetch(self, request: HttpRequest, object_id: str) -> Any:
        """This will answer the row that a page's address names.

        Raises:
            Http404: there is none.
        """
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return row

    def ask(
        self,
        request: HttpRequest,
        row: "models.Model | Titled",
        *,
        form: forms.Form,
        title: str,
        deed: str,
        explanation: str = "",
        facts: Sequence[tuple[str, Any]] = (),
        is_danger: bool = False,
        back: str | None = None,
    ) -> HttpResponse:
        """This will answer the page that asks for what a deed needs, before it is done, or leads `back`: to the row,
        unless it is told otherwise."""
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "title": title,
            "form": form,
            "deed": deed,
            "explanation": explanation,
            "facts": facts,
            "is_danger": is_danger,
            "back": back or address(row),
        }
        return TemplateResponse(request, "admin/ask.html", context)

    def show_secret(
        self,
        request: HttpRequest,
        row: "models.Model | Titled",
        *,
        title: str,
        warning: str,
        facts: Sequence[tuple[str, Any]],
        purpose: str,
        lines: str,
    ) -> HttpResponse:
        """This will answer the page that shows a secret, which is kept nowhere that a page could show it from again."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "title": title,
            "warning": warning,
            "facts": facts,
            "purpose": purpose,
            "lines": lines,
            "address": address(row),
        }
        return TemplateResponse(request, "admin/secret.html", context)


class ReadOnlyAdmin(TableAdmin):
    """Rows that only the ledger writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # What happened to such a row is in the ledger, not in the admin's log.
        no_history = {"show_history": False}
        return super().changeform_view(request, object_id, form_url, no_history | (extra_context or {}))


def only_program() -> dict[str, Any]:
    """This will answer what a new form already says where there is but one programme."""
    programs = list(Program.objects.values_list("pk", flat=True)[:2])
    return {"program": programs[0]} if len(programs) == 1 else {}


def member(request: HttpRequest) -> User:
    """This will answer the member of staff whose request it is."""
    assert isinstance(request.user, User)
    return request.user


def actor(request: HttpRequest) -> str:
    """This will answer who posts, as an entry of the ledger remembers it."""
    return names.actor(member(request))


def staff_member(request: HttpRequest) -> str:
    """This will answer the name of the member of staff, as customers may read it."""
    return names.shown(member(request))


def moment(value: datetime.datetime | None, program: Program) -> str:
    """This will write a time as the programme's clocks show it."""
    if value is None:
        return NOTHING
    return format_date(value.astimezone(zone(program)), "j M Y, H:i T")


def zone(program: Program) -> ZoneInfo:
    """This will answer the programme's time zone."""
    try:
        return ZoneInfo(program.timezone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        # On the page of a programme that asks for a better one.
        return ZoneInfo("UTC")


def amount(points: Decimal, *, places: int, is_signed: bool = False) -> str:
    """This will write points with the decimals that their definition has."""
    text = f"{points:{'+' if is_signed else ''},.{places}f}"
    return text.replace("-", "−")  # noqa: RUF001  # a minus sign is as wide as the plus


def address(row: models.Model | Titled) -> str:
    """This will answer where the row's page is."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def secret(text: str) -> SafeString:
    """This will write an id or a secret that is copied as a whole."""
    return format_html('<span class="console-secret">{}</span>', text)


def link(row: models.Model, text: Any = None) -> SafeString:
    """This will write a link to the row's page."""
    return format_html('<a href="{}" class="text-link">{}</a>', address(row), row if text is None else text)


def _fields(message: Any) -> dict[str, Any]:
    """This will answer which fields Django's message of a change names."""
    parts = message if isinstance(message, list) else []
    found = [part["changed"]["fields"] for part in parts if "fields" in part.get("changed", {})]
    return {"fields": [field for fields in found for field in fields]} if found else {}


def tell(form: forms.Form, refusal: errors.Refusal, *, message: str | None = None) -> None:
    """This will show a refusal on the form, at the fields that it names."""
    found = refusal.facts.get("errors", {}) if message is None else {}
    for field, texts in found.items():
        form.add_error(field if field in form.fields else None, texts)
    if not found:
        form.add_error(None, message or refusal.message)
