"""Events: what happened in a programme, the newest first, and each as others are told of it."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.decorators import display

from cards import membership, search
from cards.models import Customer
from events.admin import deliveries, people, words
from events.api import v1
from events.models import Delivery, Event, EventType
from loyalty import console, ids
from loyalty.api import renderers
from points.admin import rows

# Among so many a type is looked for: no index knows the types of entries, which would cost every posting something.
LOOKED_THROUGH = 100_000
SHOWN_OF_CUSTOMER = 10


class TypeFilter(admin.SimpleListFilter):
    """The events of a type, among the newest ones; among all that a search finds."""

    title = f"type, among the newest {LOOKED_THROUGH:,}"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, str(kind.label)) for kind in EventType]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        if self.value() is None:
            return queryset
        found = queryset.filter(type=self.value())
        if request.GET.get(SEARCH_VAR):
            return found
        newest = queryset.order_by("-xid", "-id").values_list("xid", flat=True)
        oldest = newest[LOOKED_THROUGH - 1 : LOOKED_THROUGH].first()
        return found if oldest is None else found.filter(xid__gte=oldest)


@admin.register(Event)
class EventAdmin(console.ReadOnlyAdmin):
    list_display = ("when", "what", "customer_page", "number", "shop")
    list_select_related = ("program",)
    list_filter = (console.ProgramFilter, TypeFilter)
    # What is searched stands in `get_search_results`; a list without fields has no search box.
    search_fields = ("type",)
    search_help_text = "Customer: card number, e-mail, name; evt_…"
    ordering = ("-xid", "-id")
    fieldsets = ((None, {"fields": (("told_type", "when"), ("customer_page", "number"), ("public_id", "shop"))}),)
    change_form_outer_after_template = "admin/texts.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return super().get_queryset(request).select_related("program")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[people.PeopleList]:
        return people.PeopleList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        term = search.cleaned(search_term)
        if not term:
            return queryset, False
        if key := ids.parse("evt", term):
            return queryset.filter(pk=key), False
        return queryset.filter(account_id__in=people.owner_ids(people.meant_by(term))), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        event = self.get_object(request, object_id)
        sections = {} if event is None or not self.has_view_permission(request) else _sections(request, event)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    @display(description="When")
    def when(self, event: Event) -> str:
        return console.moment(event.created_at, event.program)

    @display(description="What")
    def what(self, event: Event) -> str:
        return words.kind(event.type)

    @display(description="Type")
    def told_type(self, event: Event) -> str:
        return words.kind_and_code(event.type)

    @display(description="Customer")
    def customer_page(self, event: Event) -> str:
        return people.link(event)

    @display(description="Number in the account")
    def number(self, event: Event) -> str:
        return _entry(event)

    @display(description="Programme")
    def shop(self, event: Event) -> str:
        return str(event.program)

    @display(description="Event id")
    def public_id(self, event: Event) -> str:
        return console.secret(ids.public("evt", event.pk))


def of_customer(request: HttpRequest, customer: Customer) -> list[dict[str, Any]]:
    """This will answer the table of the newest events of a customer, for whoever may see events; none where there are
    none."""
    if not request.user.has_perm("events.view_event"):
        return []
    known = [(person, customer.program_id) for person in membership.ids_of(customer.pk)]
    events = customer.program.events.filter(account_id__in=people.owner_ids(known)).order_by("-xid", "-id")
    told = [
        [
            console.link(event, console.moment(event.created_at, customer.program)),
            words.kind(event.type),
            _entry(event),
        ]
        for event in events[:SHOWN_OF_CUSTOMER]
    ]
    headers = ["When", "What", "Number in the account"]
    return [{"title": _all_of(customer), "table": {"headers": headers, "rows": told}}] if told else []


def _entry(event: Event) -> str:
    """This will write a link to the entry that an event tells of."""
    if event.sequence is None or event.subject_id is None:
        return console.NOTHING
    return rows.number(event.sequence, event.subject_id)


def _all_of(customer: Customer) -> SafeString:
    query = urlencode({SEARCH_VAR: ids.public("cus", customer.pk)})
    address = f"{reverse('admin:events_event_changelist')}?{query}"
    return format_html('Events, newest first (<a href="{}" class="text-link">all</a>)', address)


def _sections(request: HttpRequest, event: Event) -> dict[str, Any]:
    title = f"{words.kind(event.type)} · {console.moment(event.created_at, event.program)}"
    texts = []
    if request.user.has_perm("cards.view_customer"):
        # It says what customers are called.
        told = renderers.dumps(v1.written([event], event.program)[0])
        texts = [{"title": "As others are told of it", "text": words.spread(told)}]
    return {
        "original": console.Titled(event, title),
        "title": title,
        "texts": texts,
        "tables": _deliveries(request, event),
    }


def _deliveries(request: HttpRequest, event: Event) -> list[dict[str, Any]]:
    """This will answer the table of what came of sending an event, for whoever may see it."""
    if not request.user.has_perm("events.view_delivery"):
        return []
    # The index on deliveries knows customers.
    found = Delivery.objects.filter(customer_id=event.customer_id, event_id=event.pk, endpoint__deleted_at=None)
    sent = list(found.select_related("endpoint__program").order_by("pk"))
    return [deliveries.table(sent, "Sent to webhook endpoints")] if sent else []
