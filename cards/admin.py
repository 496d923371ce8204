"""Helping a customer: finding the person and the cards; issuing, blocking and replacing cards; adjusting points."""

import datetime
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import JSONField, QuerySet
from django.db.models.functions import Lower
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold import widgets
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from cards import membership as cards_membership
from cards import search
from cards.models import Card, Customer
from loyalty import console, errors, retry
from loyalty.api import parsers, values
from points import expiry, membership
from points.admin import adjusting, standing

STATE_COLOURS = {"Active": "success", "Inactive": "info", "Blocked": "danger", "Expired": "warning"}


class MetadataField(forms.JSONField):
    """A JSON object as the API takes it; nothing at all is an empty one."""

    def to_python(self, value: Any) -> Any:
        """This will read the object.

        Raises:
            forms.ValidationError: it is none, or the API would refuse it.
        """
        if self.disabled:
            return value
        try:
            return values.metadata(parsers.loads(value.encode())) if value else {}
        except errors.InvalidParameters as refusal:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from refusal
        except values.Fault as fault:
            raise forms.ValidationError(fault.text, code=fault.rule) from fault

    def bound_data(self, data: Any, initial: Any) -> Any:
        """This will show again what was typed, as it was typed."""
        return initial if self.disabled else InvalidJSONInput(data or "")


METADATA = {JSONField: {"form_class": MetadataField}}


class CustomerForm(forms.ModelForm):
    class Meta:
        model = Customer
        fields = ("program", "name", "email", "phone", "external_id", "locale", "metadata")

    def clean(self) -> dict[str, Any]:
        """This will name the customer who has the e-mail address or the external id already."""
        values = super().clean() or {}
        program = values.get("program")
        others = Customer.objects.alias(lowered=Lower("email")).exclude(pk=self.instance.pk)
        others = others.filter(program=program.pk if program else self.instance.program_id)
        for field, owners in (
            ("email", others.filter(lowered=(values.get("email") or "").lower())),
            ("external_id", others.filter(external_id=values.get("external_id"))),
        ):
            owner = owners.first() if values.get(field) else None
            if owner is not None:
                self.add_error(field, f"{owner} has it already.")
        return values


class IssueForm(forms.Form):
    design = forms.CharField(max_length=50, initial="default", widget=widgets.UnfoldAdminTextInputWidget)
    valid_through = forms.DateField(
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="The last day on which the card works. Empty: it always does.",
    )

    def __init__(self, *args: Any, zone: ZoneInfo, **options: Any) -> None:
        super().__init__(*args, **options)
        self.zone = zone

    def clean_valid_through(self) -> datetime.datetime | None:
        """This will answer when that day has ended where the programme is."""
        day = self.cleaned_data["valid_through"]
        if day is None:
            return None
        if day < timezone.localdate(timezone=self.zone) or day.year > expiry.LAST_YEAR:
            raise forms.ValidationError("Choose today or a later day.")
        return expiry.end_of_day(day=day, zone=self.zone)


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


@admin.register(Customer)
class CustomerAdmin(console.TableAdmin):
    form = CustomerForm
    formfield_overrides = METADATA
    list_display = ("__str__", "email", "phone", "external_id", "card_numbers", "program", "created")
    list_select_related = ("program",)
    list_filter = ("program",)
    # What is searched is in `cards.search`; a list without fields has no search box.
    search_fields = ("name",)
    search_help_text = "Card number, e-mail, name, phone, external id"
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("program", "name", "email", "phone", "external_id", "locale", "created")}),
        ("Metadata", {"fields": ("metadata",), "classes": ("collapse",)}),
    )
    add_fieldsets = (
        (None, {"fields": ("program", "name", "email", "phone", "external_id", "locale")}),
        ("Metadata", {"fields": ("metadata",), "classes": ("collapse",)}),
    )
    change_form_outer_before_template = "admin/customer_before.html"
    actions_detail = ("adjust", "issue")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return super().get_queryset(request).prefetch_related("cards")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=search.customers(search_term).values("pk")), False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        return ("created",) if obj is None else ("program", "created")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        customer = self.get_object(request, object_id)
        sections = {} if customer is None else self._sections(request, customer)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def has_adjust_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return adjusting.may_adjust(request)

    def has_issue_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("cards.add_card")

    @action(
        description="Adjust points",
        url_path="adjust",
        icon="exposure",
        variant=ActionVariant.PRIMARY,
        permissions=["adjust"],
    )
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will correct a balance of the customer."""
        customer = self.fetch(request, object_id)
        return adjusting.adjust(self, request, customer=customer, row=customer)

    @action(description="Issue a card", url_path="issue", icon="add_card", permissions=["issue"])
    def issue(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will give the customer a card."""
        customer = self.fetch(request, object_id)
        zone = ZoneInfo(customer.program.timezone)
        form = IssueForm(request.POST if request.method == "POST" else None, zone=zone)
        if form.is_valid():
            card = _run(
                form,
                lambda: membership.create_card(
                    customer=customer,
                    at=timezone.now(),
                    actor=console.actor(request),
                    design=form.cleaned_data["design"],
                    expires_at=form.cleaned_data["valid_through"],
                ),
            )
            if card is not None:
                self.log_change(request, customer, f"Issued the card {card}.")
                messages.success(request, f"{customer} has the card {card} now.")
                return HttpResponseRedirect(console.address(customer))
        return self.ask(request, customer, form=form, title=f"Issue a card to {customer}", deed="Issue the card")

    @display(description="Cards")
    def card_numbers(self, customer: Customer) -> str:
        return ", ".join(card.number for card in customer.cards.all()) or console.NOTHING

    @display(description="Since")
    def created(self, customer: Customer) -> str:
        return console.moment(customer.created_at, customer.program)

    def _sections(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        """This will answer what stands above a customer's form: the tier, points, cards."""
        points = standing.sections(customer) if request.user.has_perm("points.view_pointaccount") else {}
        return points | {"tables": [*points.get("tables", []), *self._cards(request, customer)]}

    def _cards(self, request: HttpRequest, customer: Customer) -> list[dict[str, Any]]:
        if not request.user.has_perm("cards.view_card") and not request.user.has_perm("cards.change_card"):
            return []
        now = timezone.now()
        rows = [
            [
                console.link(card),
                cards_membership.state(card, at=now).capitalize(),
                card.design,
                console.moment(card.created_at, customer.program),
                console.moment(card.expires_at, customer.program),
            ]
            for card in customer.cards.order_by("-created_at", "-pk")
        ]
        return [{"title": "Cards", "table": {"headers": ["Number", "State", "Design", "Issued", "Ends"], "rows": rows}}]


@admin.register(Card)
class CardAdmin(console.TableAdmin):
    formfield_overrides = METADATA
    list_display = ("number", "owner", "state", "design", "program", "issued")
    list_select_related = ("customer", "program", "replaced_by")
    list_filter = ("status", "program")
    # What is searched is in `cards.search`; a list without fields has no search box.
    search_fields = ("number",)
    search_help_text = "Card number or customer"
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
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=search.cards(search_term).values("pk")), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        # A card is issued from its customer's page.
        return False

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        card = self.get_object(request, object_id)
        deeds = _possible(card) if card is not None else set()
        return [deed for deed in super().get_actions_detail(request, object_id) if deed.path in deeds]

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
            changed = _run(form, lambda: change(card, form.cleaned_data))
            if changed is not None:
                self.log_change(request, card, f"{verb}: {form.cleaned_data.get('reason', changed)}")
                messages.success(request, f"Card {changed} {done}.")
                return HttpResponseRedirect(console.address(changed))
        return self.ask(
            request,
            card,
            form=form,
            title=f"{verb} card {card}",
            deed=verb,
            explanation=explanation,
            facts=[("Customer", console.link(card.customer)), ("State", self.state(card))],
            is_danger=verb == "Block",
        )


def _possible(card: Card) -> set[str]:
    """This will answer what can be done to the card as it is."""
    if card.replaced_by_id is not None:
        return set()
    return {
        Card.Status.ACTIVE: {"block", "replace"},
        Card.Status.INACTIVE: {"activate", "block", "replace"},
        Card.Status.BLOCKED: {"unblock", "replace"},
    }[Card.Status(card.status)]


def _run(form: forms.Form, deed: Callable[[], Card]) -> Card | None:
    """This will do what changes a card in a transaction; a refusal is shown on the form."""

    def once() -> Card:
        with transaction.atomic():
            return deed()

    try:
        return retry.run(once, repeatable=False)
    except errors.Refusal as refusal:
        console.tell(form, refusal)
        return None
