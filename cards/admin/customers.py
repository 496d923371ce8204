"""Customers, as staff see them: the person, the tier, points and cards."""

import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold import widgets
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from cards import membership as cards_membership
from cards import search
from cards.admin import deeds
from cards.admin.metadata import METADATA
from cards.models import Customer
from loyalty import console
from points import expiry, membership
from points.admin import adjusting, standing


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
            card = deeds.run(
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
