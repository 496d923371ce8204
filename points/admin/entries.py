"""Ledger entries: what happened in a programme, newest first, and the whole story of one entry."""

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from cards import search
from loyalty import console, ids
from loyalty.models import Program
from points import heirs
from points.admin import accounts, reversing, rows
from points.admin.adjusting import may_adjust
from points.models import EntryType, LotUse, PointAccount, PointLot, PointTransaction

MOST_USES = 500
COLOURS = {
    "Award": "success",
    "Redeem": "info",
    "Adjust": "warning",
    "Reverse": "danger",
    "Expire": "default",
    "Activate": "default",
    "Hold": "default",
    "Release": "default",
    "Transfer": "info",
    "Merge": "warning",
}


class AccountFilter(admin.SimpleListFilter):
    """The entries of the account that a link named."""

    title = "account"
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        try:
            found = PointAccount.objects.select_related("customer", "definition").filter(
                pk=request.GET.get(self.parameter_name, "")
            )
            return [(str(account.pk), f"{account.customer} · {account.definition}") for account in found]
        except ValidationError:
            return []

    def queryset(self, request: HttpRequest, queryset: QuerySet[PointTransaction]) -> QuerySet[PointTransaction]:
        known = [key for key, _ in self.lookup_choices]
        return queryset.filter(account__pk=str(self.value())) if self.value() in known else queryset


class ProgramFilter(console.ProgramFilter):
    narrowed_by = (AccountFilter.parameter_name,)


@admin.register(PointTransaction)
class EntryAdmin(console.ReadOnlyAdmin):
    list_display = (
        "written",
        "what",
        "points_changed",
        "after",
        "customer",
        "card",
        "told_reason",
        "reference",
        "by",
        "when",
        "shop",
    )
    list_filter = (ProgramFilter, "type", AccountFilter)
    # What is searched stands in `get_search_results`; a list without fields has no search box.
    search_fields = ("reference",)
    search_help_text = "Reference, e-mail, card number, txn_…"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("what", "points_changed"),
                    ("account_page", "card_page"),
                    ("told_reason", "reference"),
                    ("by", "posted_by"),
                    ("when", "written"),
                )
            },
        ),
        (
            "Record",
            {
                "fields": (
                    "public_id",
                    ("before", "after"),
                    ("pending", "held"),
                    ("missing", "reversed_entry"),
                    ("other_side", "dated"),
                    "caller_metadata",
                )
            },
        ),
    )
    change_form_outer_after_template = "admin/tables.html"
    actions_detail = ("reverse",)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # In the order of writing, each time as an index has it. Ids do not tell: an import makes its own.
        return ("-version",) if request.GET.get(AccountFilter.parameter_name) else ("-xid", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PointTransaction]:
        related = ("account__customer", "account__definition", "program", "card")
        return super().get_queryset(request).select_related(*related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PointTransaction], search_term: str
    ) -> tuple[QuerySet[PointTransaction], bool]:
        term = search.cleaned(search_term)
        if not term:
            return queryset, False
        if key := ids.parse("txn", term):
            return queryset.filter(id=key), False
        return queryset.filter(Q(reference=term) | Q(account_id__in=accounts.ids_for(term))), False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> PointTransaction | None:
        # An entry is keyed by its account; the index that knows it by its id begins with the programme.
        try:
            found = self.get_queryset(request).filter(program__in=Program.objects.values("pk"), id=object_id)
            return found.first()
        except ValidationError:
            return None

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        entry = self.get_object(request, object_id)
        sections = {} if entry is None else _sections(entry)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        entry = self.get_object(request, object_id)
        is_reversible = entry is not None and entry.type in reversing.REVERSIBLE
        return super().get_actions_detail(request, object_id) if is_reversible else []

    def has_reverse_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_adjust(request)

    @action(
        description="Reverse", url_path="reverse", icon="undo", variant=ActionVariant.DANGER, permissions=["reverse"]
    )
    def reverse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will undo an award, a redemption or an adjustment, or a part of it."""
        entry = self.fetch(request, object_id)
        if entry.type not in reversing.REVERSIBLE:
            raise Http404
        return reversing.reverse(self, request, entry=entry)

    @display(description="Took effect")
    def when(self, entry: PointTransaction) -> str:
        return console.moment(entry.effective_at, entry.program)

    @display(description="What", label=COLOURS)
    def what(self, entry: PointTransaction) -> str:
        return entry.get_type_display()

    @display(description="Points")
    def points_changed(self, entry: PointTransaction) -> str:
        return console.amount(entry.points, places=_places(entry), is_signed=True)

    @display(description="Reason")
    def told_reason(self, entry: PointTransaction) -> str:
        return rows.reason(entry, entry.program)

    @display(description="Balance before")
    def before(self, entry: PointTransaction) -> str:
        return console.amount(entry.balance_before, places=_places(entry))

    @display(description="Balance")
    def after(self, entry: PointTransaction) -> str:
        return console.amount(entry.balance_after, places=_places(entry))

    @display(description="Pending after it")
    def pending(self, entry: PointTransaction) -> str:
        return console.amount(entry.pending_after, places=_places(entry))

    @display(description="Held after it")
    def held(self, entry: PointTransaction) -> str:
        return console.amount(entry.held_after, places=_places(entry))

    @display(description="Other account")
    def other_side(self, entry: PointTransaction) -> str:
        return rows.others([entry]).get(entry.pk, console.NOTHING)

    @display(description="Could not be taken")
    def missing(self, entry: PointTransaction) -> str:
        return console.amount(entry.shortfall, places=_places(entry))

    @display(description="Account")
    def account_page(self, entry: PointTransaction) -> str:
        return console.link(entry.account, f"{entry.account.customer} · {entry.account.definition}")

    @display(description="Customer")
    def customer(self, entry: PointTransaction) -> str:
        return console.link(entry.account, entry.account.customer)

    @display(description="Programme")
    def shop(self, entry: PointTransaction) -> str:
        return str(entry.program)

    @display(description="Card")
    def card_page(self, entry: PointTransaction) -> str:
        return console.link(entry.card) if entry.card else console.NOTHING

    @display(description="Reverses")
    def reversed_entry(self, entry: PointTransaction) -> str:
        if entry.reverses_id is None:
            return console.NOTHING
        # In an account that was merged into this one, maybe.
        account_id = entry.other_account_id or entry.account_id
        undone = PointTransaction.objects.get(account_id=account_id, id=entry.reverses_id)
        return rows.number(undone.version, undone.pk)

    @display(description="By")
    def by(self, entry: PointTransaction) -> str:
        return entry.staff_member or entry.actor

    @display(description="Posted by")
    def posted_by(self, entry: PointTransaction) -> str:
        return entry.actor

    @display(description="Metadata")
    def caller_metadata(self, entry: PointTransaction) -> str:
        return console.NOTHING if entry.metadata is None else json.dumps(entry.metadata, ensure_ascii=False)

    @display(description="Written")
    def written(self, entry: PointTransaction) -> str:
        return console.moment(entry.created_at, entry.program)

    @display(description="The caller's date")
    def dated(self, entry: PointTransaction) -> str:
        return console.moment(entry.transaction_date, entry.program)

    @display(description="Transaction id")
    def public_id(self, entry: PointTransaction) -> str:
        return ids.public("txn", entry.pk)


def _places(entry: PointTransaction) -> int:
    return entry.account.definition.decimal_places


def _sections(entry: PointTransaction) -> dict[str, Any]:
    """This will answer what stands below an entry: the lots that it touched, the lots that it made, its reversals."""
    account, places = entry.account, _places(entry)
    uses = LotUse.objects.filter(account_id=account.pk, entry_id=entry.pk).order_by("position")
    lots = _made(entry)
    tables = []
    if shown := list(uses[:MOST_USES]):
        tables.append({"title": "What it did to lots", "table": rows.use_table(account, shown)})
    if lots:
        title = "The lot that it made" if len(lots) == 1 else "The lots that it made"
        tables.append({"title": title, "table": rows.lot_table(account, lots, at=timezone.now())})
    if len(lots) == 1:
        tables.append({"title": "What became of that lot", "table": rows.story_table(account, lots[0])})
    tables += _reversals(entry)
    title = f"#{entry.version} {entry.get_type_display()} {console.amount(entry.points, places=places, is_signed=True)}"
    return {"original": console.Titled(entry, title), "title": title, "tables": tables}


def _made(entry: PointTransaction) -> list[PointLot]:
    """This will answer the first lots that an entry made. Only one that brought points from another account made
    several, which have ids of their own."""
    lots = PointLot.objects.filter(account_id=entry.account_id)
    if entry.type in (EntryType.TRANSFER, EntryType.MERGE):
        return list(lots.filter(version=entry.version, entry_id=entry.pk).order_by("pk")[:MOST_USES])
    return list(lots.filter(pk=entry.pk))


def _reversals(entry: PointTransaction) -> Iterator[dict[str, Any]]:
    """This will answer what reversed an entry, by account: those that its account was merged into among them."""
    path = heirs.paths([entry.account_id])[entry.account_id]
    accounts = PointAccount.objects.select_related("customer", "definition", "program").in_bulk(path)
    for account_id in path:
        found = PointTransaction.objects.filter(account_id=account_id, reverses_id=entry.pk).order_by("version")
        if undone := list(found[: rows.MOST_ENTRIES]):
            account = accounts[account_id]
            title = "Reversed by" if account_id == entry.account_id else f"Reversed by, as points of {account.customer}"
            yield {"title": title, "table": rows.entry_table(account, undone)}
