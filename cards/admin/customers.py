"""Customers, as staff see them: the person, the tier, points and cards."""

import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet, Value
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold import widgets
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from cards import search
from cards.admin import cards, deeds, erasing, merging
from cards.admin.metadata import METADATA
from cards.models import Card, Customer
from events import outbox
from events.admin import events
from events.models import EventType
from loyalty import console
from loyalty.postgres import arrays
from points import expiry, histories, membership
from points.admin import adjusting, record
from rewards.admin import codes
from staff.audit import Action


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
            ("email", others.filter(lowered=Lower(Value(values.get("email") or "")))),
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


class FateFilter(admin.SimpleListFilter):
    """Those who are customers today, unless others are asked for: who was merged into another, who was erased."""

    title = "what became of them"
    parameter_name = "became"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("merged", "Merged into others"), ("erased", "Erased"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        today, *others = super().choices(changelist)
        return [{**today, "display": "Neither merged nor erased"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        match self.value():
            case "merged":
                return queryset.filter(merged_into__isnull=False, erased_at=None)
            case "erased":
                return queryset.filter(erased_at__isnull=False)
            case "all":
                return queryset
        return queryset.filter(merged_into=None, erased_at=None)


@admin.register(Customer)
class CustomerAdmin(console.TableAdmin):
    audited_values = ()
    is_audited_by_name = False
    form = CustomerForm
    formfield_overrides = METADATA
    list_display = ("__str__", "email", "phone", "external_id", "card_numbers", "program", "created", "fate")
    list_select_related = ("program", "merged_into")
    list_filter = (FateFilter, "program")
    # What is searched is in `cards.search`; a list without fields has no search box.
    search_fields = ("name",)
    search_help_text = "Card number, e-mail, name, phone, external id, order number"
    list_per_page = 25
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("program", "name", "email", "phone", "external_id", "locale", "created", "unsubscribed")}),
        ("Metadata", {"fields": ("metadata",), "classes": ("collapse",)}),
    )
    add_fieldsets = (
        (None, {"fields": ("program", "name", "email", "phone", "external_id", "locale")}),
        ("Metadata", {"fields": ("metadata",), "classes": ("collapse",)}),
    )
    change_form_outer_before_template = "admin/customer_before.html"
    actions_detail = ("serve", "adjust", "issue", "merge", "erase")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return super().get_queryset(request).prefetch_related("cards")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        term = search.cleaned(search_term)
        if not term:
            return queryset, False
        found = search.customers(term).order_by()
        if program := request.GET.get("program__id__exact"):
            # Before so many are taken, not afterwards.
            found = search.of_program(found, program)
        by_order = histories.of_reference(reference=term)
        # Whoever is found under a name of before is found as the customer of today, too. Sets of keys, which indexes
        # answer, and not one condition of several; of a word that half of all customers have, not all. They are looked
        # for once, here, and not by the list and its count again.
        merged = found.filter(merged_into__isnull=False)
        keys = found.values_list("pk")[: search.MOST].union(
            merged.values_list("merged_into")[: search.MOST], by_order.values_list("account__customer")[: search.MOST]
        )
        return queryset.filter(arrays.has_id("pk", (key for (key,) in keys))), False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        return ("created",) if obj is None else ("program", "created", "unsubscribed")

    def has_change_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        return not (isinstance(obj, Customer) and _is_over(obj)) and super().has_change_permission(request, obj)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        customer = self.get_object(request, object_id)
        is_over = customer is not None and _is_over(customer)
        return [] if is_over else super().get_actions_detail(request, object_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        customer = self.get_object(request, object_id)
        sections = {} if customer is None else self._sections(request, customer)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def has_adjust_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return adjusting.may_adjust(request)

    def has_serve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("points.use_till")

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("cards.erase_customer")

    def has_issue_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("cards.add_card")

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and not form.changed_data:
            return
        kind = EventType.CUSTOMER_UPDATED if change else EventType.CUSTOMER_CREATED
        outbox.record(kind, [obj], program=obj.program)

    @action(description="Award or redeem", url_path="serve", icon="point_of_sale", permissions=["serve"])
    def serve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will lead to the till, with the customer before it."""
        customer = self._fetch_present(request, object_id)
        return HttpResponseRedirect(reverse("till_customer", args=[customer.program.slug, customer.pk]))

    @action(
        description="Adjust points",
        url_path="adjust",
        icon="exposure",
        variant=ActionVariant.PRIMARY,
        permissions=["adjust"],
    )
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will correct a balance of the customer."""
        customer = self._fetch_present(request, object_id)
        return adjusting.adjust(self, request, customer=customer, row=customer)

    @action(description="Issue a card", url_path="issue", icon="add_card", permissions=["issue"])
    def issue(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will give the customer a card."""
        customer = self._fetch_present(request, object_id)
        zone = ZoneInfo(customer.program.timezone)
        form = IssueForm(request.POST if request.method == "POST" else None, zone=zone)
        if form.is_valid():

            def deed() -> Card:
                issued = membership.create_card(
                    customer=customer,
                    at=timezone.now(),
                    actor=console.actor(request),
                    design=form.cleaned_data["design"],
                    expires_at=form.cleaned_data["valid_through"],
                )
                told = {"card": issued}
                self.log_change(request, customer, f"Issued the card {issued}.", action=Action.ISSUED, facts=told)
                return issued

            card = deeds.run(form, deed)
            if card is not None:
                messages.success(request, f"{customer} has the card {card} now.")
                return HttpResponseRedirect(console.address(customer))
        return self.ask(request, customer, form=form, title=f"Issue a card to {customer}", deed="Issue the card")

    @action(description="Merge into another", url_path="merge", icon="merge", permissions=["change"])
    def merge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will bring all that the customer has to another one."""
        customer = self.fetch(request, object_id)
        if customer.merged_into is not None:
            # Sent again.
            return HttpResponseRedirect(console.address(customer.merged_into))
        return merging.merge(self, request, customer=self._fetch_present(request, object_id))

    @action(
        description="Erase",
        url_path="erase",
        icon="person_off",
        variant=ActionVariant.DANGER,
        permissions=["erase"],
    )
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will erase the person and keep the ledger."""
        customer = self.fetch(request, object_id)
        if customer.erased_at is not None:
            # Sent again.
            return HttpResponseRedirect(console.address(customer))
        return erasing.erase(self, request, customer=self._fetch_present(request, object_id))

    @display(description="Cards")
    def card_numbers(self, customer: Customer) -> str:
        return ", ".join(card.number for card in customer.cards.all()) or console.NOTHING

    @display(description="Since")
    def created(self, customer: Customer) -> str:
        return console.moment(customer.created_at, customer.program)

    @display(description="Wants no e-mails of")
    def unsubscribed(self, customer: Customer) -> str:
        return ", ".join(customer.unsubscribed_from) or console.NOTHING

    @display(description="Became")
    def fate(self, customer: Customer) -> str:
        if customer.erased_at is not None:
            return f"Erased on {console.moment(customer.erased_at, customer.program)}"
        if customer.merged_into is not None:
            return format_html("Merged into {}", console.link(customer.merged_into))
        return console.NOTHING

    def _fetch_present(self, request: HttpRequest, object_id: str) -> Customer:
        """This will answer the customer whom a page's address names.

        Raises:
            Http404: there is none, or by now it is another or nobody.
        """
        customer = self.fetch(request, object_id)
        if _is_over(customer):
            raise Http404
        return customer

    def _sections(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        """This will answer what stands above a customer's form: the tier, points, cards."""
        points: dict[str, Any] = {"tables": [], "entries": []}
        if request.user.has_perm("points.view_pointaccount"):
            points = record.sections(request, customer, is_over=_is_over(customer))
        notice = format_html("{}. Nothing is changed here any more.", self.fate(customer)) if _is_over(customer) else ""
        tables = [*points["tables"], *cards.of_customer(request, customer), *points["entries"]]
        tables += [*codes.of_customer(request, customer), *events.of_customer(request, customer)]
        return points | {"tables": tables, "notice": notice}


def _is_over(customer: Customer) -> bool:
    return customer.merged_into_id is not None or customer.erased_at is not None
