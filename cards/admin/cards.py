"""Cards, as staff see them: their state, and what can be done to it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold import widgets
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from cards import membership as cards_membership
from cards import search
from cards.admin import deeds
from cards.admin.metadata import METADATA
from cards.models import Card, Customer
from loyalty import console, in_place
from loyalty.postgres import arrays
from points import membership
from staff.audit import Action

ACTIONS = {
    "Block": Action.BLOCKED,
    "Unblock": Action.UNBLOCKED,
    "Activate": Action.ACTIVATED,
    "Replace": Action.REPLACED,
}
STATE_COLOURS = {"Active": "success", "Inactive": "info", "Blocked": "danger", "Expired": "warning"}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=255,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text="Shown to whoever asks why.",
    )


class BlockForm(ReasonForm):
    internal_note = forms.CharField(
        max_length=1000,
        required=False,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="For colleagues only.",
    )


@admin.register(Card)
class CardAdmin(console.TableAdmin):
    # Staff write about customers in them.
    audited_values = ()
    formfield_overrides = METADATA
    list_display = ("number", "owner", "state", "design", "program", "issued")
    list_select_related = ("customer", "program", "replaced_by")
    list_filter = ("status", "program")
    # What is searched is in `cards.search`; a list without fields has no search box.
    search_fields = ("number",)
    search_help_text = "Card number or customer"
    list_per_page = 25
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("owner", "state", "status_reason", "blocked", "replacement", "issued", "ends", "program")}),
        ("Details", {"fields": ("design", "internal_note")}),
        ("Metadata", {"fields": ("metadata",), "classes": ("collapse",)}),
    )
    readonly_fields = ("owner", "program", "issued", "ends", "state", "status_reason", "blocked", "replacement")
    actions_detail = ("block", "unblock", "activate", "replace")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Card]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Card], search_term: str
    ) -> tuple[QuerySet[Card], bool]:
        term = search.cleaned(search_term)
        if not term:
            return queryset, False
        found = search.cards(term, program=request.GET.get("program__id__exact"))
        # Looked for once, here, and not by the list and its count again.
        return queryset.filter(arrays.has_id("pk", found.values_list("pk", flat=True))), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        # A card is issued from its customer's page.
        return False

    def has_change_permission(self, request: HttpRequest, obj: Card | None = None) -> bool:
        # What was erased with the customer is not written again.
        is_over = isinstance(obj, Card) and obj.customer.erased_at is not None
        return not is_over and super().has_change_permission(request, obj)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        card = self.get_object(request, object_id)
        possible = _possible(card) if card is not None else ()
        return [deed for deed in super().get_actions_detail(request, object_id) if deed.path in possible]

    @action(description="Block", url_path="block", icon="block", variant=ActionVariant.DANGER, permissions=["change"])
    def block(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will stop the card from earning and redeeming."""
        return self._change(
            request,
            object_id,
            form_class=BlockForm,
            verb="Block",
            explanation="It neither earns nor redeems until it is unblocked. Points and history stay.",
            change=lambda card, said: membership.block(
                card=card, reason=said["reason"], note=said["internal_note"], at=timezone.now()
            ),
            done="is blocked",
        )

    @action(description="Unblock", url_path="unblock", icon="lock_open", permissions=["change"])
    def unblock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will put the card into the state that it was blocked in."""
        return self._change(
            request,
            object_id,
            form_class=BlockForm,
            verb="Unblock",
            explanation="It is again what it was before it was blocked: active or inactive.",
            change=lambda card, said: membership.unblock(card=card, reason=said["reason"], note=said["internal_note"]),
            done="is unblocked",
        )

    @action(description="Activate", url_path="activate", icon="check_circle", permissions=["change"])
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will make an inactive card active."""
        return self._change(
            request,
            object_id,
            form_class=forms.Form,
            verb="Activate",
            explanation="It earns and redeems from now on.",
            change=lambda card, _: membership.activate(card=card),
            done="is active",
        )

    @action(description="Replace", url_path="replace", icon="swap_horiz", permissions=["change"])
    def replace(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will issue a new card for a lost one."""
        return self._change(
            request,
            object_id,
            form_class=ReasonForm,
            verb="Replace",
            explanation="The customer gets a new card with a new number; this one stays inactive for good.",
            change=lambda card, said: membership.replace(card=card, reason=said["reason"], at=timezone.now()),
            done="replaces it",
        )

    @display(description="Customer")
    def owner(self, card: Card) -> str:
        return console.link(card.customer)

    @display(description="State", label=STATE_COLOURS)
    def state(self, card: Card) -> str:
        return cards_membership.state(card, at=timezone.now()).capitalize()

    @display(description="Replaced by")
    def replacement(self, card: Card) -> str:
        return console.link(card.replaced_by) if card.replaced_by else console.NOTHING

    @display(description="Issued")
    def issued(self, card: Card) -> str:
        return console.moment(card.created_at, card.program)

    @display(description="Ends")
    def ends(self, card: Card) -> str:
        return console.moment(card.expires_at, card.program)

    @display(description="Blocked since")
    def blocked(self, card: Card) -> str:
        return console.moment(card.blocked_at, card.program)

    def _change(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        form_class: type[forms.Form],
        verb: str,
        explanation: str,
        change: Callable[[Card, dict[str, Any]], Card],
        done: str,
    ) -> HttpResponse:
        card = self.fetch(request, object_id)
        form = form_class(request.POST if request.method == "POST" else None)
        if form.is_valid():

            def deed() -> Card:
                done = change(card, form.cleaned_data)
                told = {} if done == card else {"new_card": done}
                reason = form.cleaned_data.get("reason", done)
                self.log_change(request, card, f"{verb}: {reason}", action=ACTIONS[verb], facts=told)
                return done

            changed = deeds.run(form, deed)
            if changed is not None:
                messages.success(request, f"Card {changed} {done}.")
                return HttpResponseRedirect(in_place.back(request, card.customer, changed))
        return self.ask(
            request,
            card,
            form=form,
            title=f"{verb} card {card}",
            deed=verb,
            explanation=explanation,
            facts=[("Customer", console.link(card.customer)), ("State", self.state(card))],
            is_danger=verb == "Block",
            back=in_place.back(request, card.customer, card),
        )


def of_customer(request: HttpRequest, customer: Customer) -> list[dict[str, Any]]:
    """This will answer the table of a customer's cards, for whoever may see cards, with links to change those."""
    may_change = request.user.has_perm("cards.change_card")
    if not may_change and not request.user.has_perm("cards.view_card"):
        return []
    now, shown = timezone.now(), list(customer.cards.order_by("-created_at", "-pk"))
    rows = [
        [
            console.link(card),
            cards_membership.state(card, at=now).capitalize(),
            card.design,
            console.moment(card.created_at, customer.program),
            console.moment(card.expires_at, customer.program),
        ]
        for card in shown
    ]
    table = {"headers": ["Number", "State", "Design", "Issued", "Ends"], "rows": rows}
    deeds = [_deeds(card) if may_change else [] for card in shown]
    return [{"title": "Cards", "table": in_place.with_deeds(table, deeds)}]


def _deeds(card: Card) -> list[in_place.Deed]:
    pages = [(verb, f"admin:cards_card_{verb}") for verb in _possible(card)]
    return [in_place.Deed(verb.capitalize(), card, in_place.leading_back(page, card.pk)) for verb, page in pages]


def _possible(card: Card) -> tuple[str, ...]:
    """This will answer what can be done to the card as it is."""
    if card.replaced_by_id is not None or card.customer.erased_at is not None:
        return ()
    return {
        Card.Status.ACTIVE: ("block", "replace"),
        Card.Status.INACTIVE: ("activate", "block", "replace"),
        Card.Status.BLOCKED: ("unblock", "replace"),
    }[Card.Status(card.status)]
