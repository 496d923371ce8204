"""Point accounts: what a customer has, which lots it lies in, and every entry that made it so. Nothing is edited."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from cards import search
from loyalty import console
from points import statements
from points.admin import adjusting, holding, rows, settling, standing
from points.models import PointAccount, PointDefinition

MOST_CUSTOMERS = 200
MOST_PAGES = 1000


def ids_for(term: str) -> list[uuid.UUID]:
    """This will answer the ids of the accounts that the customers of a search have or could have."""
    return ids_of(search.customers(term).values_list("pk", "program_id")[:MOST_CUSTOMERS])


def ids_of(customers: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> list[uuid.UUID]:
    """This will answer the ids of the accounts that customers, each with its programme, have or could have.

    An account's id follows from its customer and its definition, so that no index over accounts is needed.
    """
    kinds: dict[uuid.UUID, list[uuid.UUID]] = {}
    for kind, program in PointDefinition.objects.values_list("pk", "program_id"):
        kinds.setdefault(program, []).append(kind)
    return [PointAccount.id_for(customer, kind) for customer, program in customers for kind in kinds.get(program, [])]


class AccountList(console.CappedList):
    """Shows what accounts have at this moment, whether what fell due has been written yet or not."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        refs = [settling.ref(account) for account in self.result_list]
        standing = statements.balances(accounts=refs, at=timezone.now())
        for account in self.result_list:
            account.standing = standing[account.pk]


@admin.register(PointAccount)
class AccountAdmin(console.ReadOnlyAdmin):
    list_display = (
        "customer",
        "kind",
        "shop",
        "balance_now",
        "pending_now",
        "held_now",
        "earned",
        "redeemed",
        "expired",
        "active",
    )
    # By what is searched stands in `ids_for`; a list without fields has no search box.
    search_fields = ("pk",)
    search_help_text = "Customer's e-mail, card number, name"
    ordering = ("pk",)
    fields = (("holder", "kind"), ("active", "due"), ("shop", "key"))
    change_form_outer_before_template = "admin/account_before.html"
    change_form_outer_after_template = "admin/account_after.html"
    actions_detail = ("adjust",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PointAccount]:
        return super().get_queryset(request).select_related("customer", "definition", "program")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[AccountList]:
        return AccountList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PointAccount], search_term: str
    ) -> tuple[QuerySet[PointAccount], bool]:
        term = search.cleaned(search_term)
        return (queryset.filter(pk__in=ids_for(term)) if term else queryset), False

    def has_adjust_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return adjusting.may_adjust(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        account = self.get_object(request, object_id)
        sections = {} if account is None or not self.has_view_permission(request) else _sections(request, account)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def get_urls(self) -> list[Any]:
        release = path(
            "<uuid:object_id>/holds/<uuid:hold_id>/release/",
            self.admin_site.admin_view(self.release),
            name="points_pointaccount_release",
        )
        return [release, *super().get_urls()]

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        account = self.get_object(request, object_id)
        is_over = account is not None and _is_over(account)
        return [] if is_over else super().get_actions_detail(request, object_id)

    def release(self, request: HttpRequest, object_id: uuid.UUID, hold_id: uuid.UUID) -> HttpResponse:
        """This will make held points available again."""
        return holding.release(self, request, account=self.fetch(request, str(object_id)), hold_id=hold_id)

    @action(
        description="Adjust points",
        url_path="adjust",
        icon="exposure",
        variant=ActionVariant.PRIMARY,
        permissions=["adjust"],
    )
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will correct the balance."""
        account = self.fetch(request, object_id)
        if _is_over(account):
            raise Http404
        return adjusting.adjust(
            self, request, customer=account.customer, row=_titled(account), definition=account.definition
        )

    @display(description="Customer")
    def holder(self, account: PointAccount) -> str:
        return console.link(account.customer)

    @display(description="Definition")
    def kind(self, account: PointAccount) -> str:
        return str(account.definition)

    @display(description="Programme")
    def shop(self, account: PointAccount) -> str:
        return str(account.program)

    @display(description="Account id")
    def key(self, account: PointAccount) -> str:
        return str(account.pk)

    @display(description="Balance")
    def balance_now(self, account: Any) -> str:
        return console.amount(account.standing.balance, places=account.definition.decimal_places)

    @display(description="Pending")
    def pending_now(self, account: Any) -> str:
        return console.amount(account.standing.pending, places=account.definition.decimal_places)

    @display(description="Held")
    def held_now(self, account: Any) -> str:
        return console.amount(account.standing.held, places=account.definition.decimal_places)

    @display(description="Earned")
    def earned(self, account: Any) -> str:
        return console.amount(account.standing.lifetime_earned, places=account.definition.decimal_places)

    @display(description="Redeemed")
    def redeemed(self, account: Any) -> str:
        return console.amount(account.standing.lifetime_redeemed, places=account.definition.decimal_places)

    @display(description="Expired")
    def expired(self, account: Any) -> str:
        return console.amount(account.standing.lifetime_expired, places=account.definition.decimal_places)

    @display(description="Last activity")
    def active(self, account: PointAccount) -> str:
        return console.moment(account.last_activity_at, account.program)

    @display(description="Nothing starts or ends before")
    def due(self, account: PointAccount) -> str:
        return console.moment(account.next_due_at, account.program)


def _is_over(account: PointAccount) -> bool:
    return account.merged_into_id is not None or account.closed_at is not None


def _notice(account: PointAccount) -> str:
    if account.closed_at is not None:
        return f"Closed on {console.moment(account.closed_at, account.program)}, when the customer was erased."
    if account.merged_into_id is None:
        return ""
    heir = PointAccount.objects.select_related("customer").get(pk=account.merged_into_id)
    return format_html("Merged into the account of {}: points are posted there.", console.link(heir, heir.customer))


def _titled(account: PointAccount) -> console.Titled:
    return console.Titled(account, f"{account.customer} · {account.definition}")


def _sections(request: HttpRequest, account: PointAccount) -> dict[str, Any]:
    """This will answer what stands around the account's form: figures, lots, entries."""
    now = timezone.now()
    if settling.settle(request, [account]):
        account.refresh_from_db()
    places = account.definition.decimal_places
    before = _whole(request.GET.get("before"))
    found = list(rows.entries(account, before=before))
    shown = found[: rows.MOST_ENTRIES]
    figures = [
        ("Balance", account.balance),
        ("Pending", account.pending),
        ("Held", account.held),
        ("Earned ever", account.lifetime_earned),
        ("Redeemed ever", account.lifetime_redeemed),
        ("Expired ever", account.lifetime_expired),
    ]
    return {
        "original": _titled(account),
        "title": str(_titled(account)),
        "figures": [(name, console.amount(points, places=places)) for name, points in figures],
        "entry_table": rows.entry_table(account, shown),
        "is_newest": before is None,
        "older": shown[-1].version if len(found) > rows.MOST_ENTRIES else None,
        "entry_count": account.version,
        "notice": _notice(account),
        "tables": holding.tables(request, [account]),
        "standing": standing.section(settling.ref(account), statements.balance(account=settling.ref(account), at=now)),
        **_lots(request, account),
    }


def _lots(request: HttpRequest, account: PointAccount) -> dict[str, Any]:
    is_open = request.GET.get("lots") != "all"
    page = min(_whole(request.GET.get("page")) or 1, MOST_PAGES)
    found = list(rows.lots(account, is_open=is_open, page=page))
    return {
        "lot_table": rows.lot_table(account, found[: rows.MOST_LOTS], at=timezone.now()),
        "is_open": is_open,
        "lot_page": page,
        "has_more_lots": len(found) > rows.MOST_LOTS,
    }


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 and int(text) else None
