"""Deliveries: what was or is to be sent to webhook endpoints, what came of the last attempt, and sending one again."""

import datetime
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.decorators import action, display

from cards import search
from cards.admin import deeds
from events import deliveries
from events.admin import people, words
from events.api import v1_webhooks
from events.models import TEST, Delivery, Event, EventType, WebhookEndpoint
from loyalty import console, ids

# Among so many a type is looked for: no index knows types.
LOOKED_THROUGH = 100_000
STATES = {"delivered": "Delivered", "failed": "Failed", "pending": "Waiting"}
OVER = "Not sent any more"
# What an index finds among all.
UNFINISHED = ("failed", "pending")
COLOURS = {"Delivered": "success", "Failed": "danger", "Waiting": "info", OVER: "default"}


class EndpointFilter(admin.SimpleListFilter):
    """The deliveries of an endpoint."""

    title = "webhook endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        endpoints = WebhookEndpoint.objects.filter(deleted_at=None).select_related("program")
        return [
            (str(endpoint.pk), f"{words.endpoint(endpoint)} · {endpoint.program}")
            for endpoint in endpoints.order_by("program__name", "description", "pk")
        ]

    def has_output(self) -> bool:
        # Also where there is none: the list is sorted as if one was chosen.
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        if self.value() is None:
            return queryset
        # One that was deleted meanwhile has none.
        known = [key for key, _ in self.lookup_choices]
        return queryset.filter(endpoint__pk=str(self.value())) if self.value() in known else queryset.none()


class StateFilter(admin.SimpleListFilter):
    """What arrived, what failed when it was last tried, or what waits for its first attempt."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(STATES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        # The index on what has not arrived begins with the endpoint: naming all of them, who are few, lets it be used.
        endpoints = WebhookEndpoint.objects.filter(deleted_at=None).values("pk")
        match self.value():
            case "delivered":
                return queryset.filter(delivered_at__isnull=False)
            case "failed":
                return queryset.filter(endpoint__in=endpoints, delivered_at=None, retries__gt=0)
            case "pending":
                return queryset.filter(endpoint__in=endpoints, delivered_at=None, retries=0)
        return queryset


class TypeFilter(admin.SimpleListFilter):
    """The deliveries of events of a type, among the newest ones; among all that a search finds."""

    title = f"type, among the newest {LOOKED_THROUGH:,}"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, words.kind(code)) for code in (*EventType.values, TEST)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        if self.value() is None:
            return queryset
        found = queryset.filter(event_type=self.value())
        if request.GET.get(SEARCH_VAR) or request.GET.get(StateFilter.parameter_name) in UNFINISHED:
            return found
        order, column = _order(request)
        oldest = queryset.order_by(order).values_list(column, flat=True)[LOOKED_THROUGH - 1 : LOOKED_THROUGH].first()
        return found if oldest is None else found.filter(**{f"{column}__gte": oldest})


@admin.register(Delivery)
class DeliveryAdmin(console.ReadOnlyAdmin):
    list_display = (
        "what",
        "customer_page",
        "receiver",
        "state",
        "attempts",
        "last_answer",
        "took",
        "tried",
        "next_attempt",
        "event_page",
    )
    list_filter = (EndpointFilter, StateFilter, TypeFilter)
    # What is searched stands in `get_search_results`; a list without fields has no search box.
    search_fields = ("event_type",)
    search_help_text = "Customer: card number, e-mail, name; evt_…, dlv_…"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("receiver", "state"),
                    ("told_type", "customer_page"),
                    ("public_event_id", "public_id"),
                    ("made", "shop"),
                )
            },
        ),
        (
            "Attempts",
            {
                "fields": (
                    ("attempts", "tried"),
                    ("status", "took"),
                    ("fault_words", "failing"),
                    ("next_attempt", "arrived"),
                )
            },
        ),
    )
    change_form_outer_after_template = "admin/texts.html"
    actions_detail = ("redeliver",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).select_related("endpoint__program")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return (_order(request)[0],)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[people.PeopleList]:
        return people.PeopleList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        term = search.cleaned(search_term)
        if not term:
            return queryset, False
        if key := ids.parse("dlv", term):
            return queryset.filter(pk=key), False
        if key := ids.parse("evt", term):
            # The index on deliveries knows customers.
            owner = Event.objects.filter(pk=key).values("customer_id")
            return queryset.filter(customer_id__in=owner, event_id=key), False
        return queryset.filter(customer_id__in=[customer for customer, _ in people.meant_by(term)]), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        delivery = self.get_object(request, object_id)
        sections = {} if delivery is None or not self.has_view_permission(request) else _sections(request, delivery)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        delivery = self.get_object(request, object_id)
        is_over = delivery is None or delivery.endpoint.deleted_at is not None
        return [] if is_over else super().get_actions_detail(request, object_id)

    def has_redeliver_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("events.change_webhookendpoint") and self.has_view_permission(request)

    @action(description="Deliver again", url_path="redeliver", icon="replay", permissions=["redeliver"])
    def redeliver(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will send the event once more."""
        delivery = self.fetch(request, object_id)
        form = forms.Form(request.POST if request.method == "POST" else None)
        again = deeds.run(form, lambda: _redeliver(delivery)) if form.is_valid() else None
        if again is not None:
            messages.success(request, "It is sent again now. Reload this page in a moment to see what came of it.")
            return HttpResponseRedirect(console.address(delivery))
        return self.ask(
            request,
            console.Titled(delivery, words.kind(delivery.event_type)),
            form=form,
            title="Deliver it again?",
            deed="Deliver again",
            explanation="The receiver gets the event under the same id, by which it can tell that it had it already.",
            facts=[
                ("Webhook endpoint", words.endpoint(delivery.endpoint)),
                ("Event", words.kind_and_code(delivery.event_type)),
                ("Customer", people.link(delivery)),
                ("State", state(delivery)),
                ("Last answer", words.answer(delivery)),
            ],
        )

    @display(description="What")
    def what(self, delivery: Delivery) -> str:
        return words.kind(delivery.event_type)

    @display(description="Type")
    def told_type(self, delivery: Delivery) -> str:
        return words.kind_and_code(delivery.event_type)

    @display(description="Customer")
    def customer_page(self, delivery: Delivery) -> str:
        return people.link(delivery)

    @display(description="Webhook endpoint")
    def receiver(self, delivery: Delivery) -> str:
        if delivery.endpoint.deleted_at is not None:
            return f"{words.endpoint(delivery.endpoint)} (deleted)"
        return console.link(delivery.endpoint, words.endpoint(delivery.endpoint))

    @display(description="State", label=COLOURS)
    def state(self, delivery: Delivery) -> str:
        return state(delivery)

    @display(description="Last answer")
    def last_answer(self, delivery: Delivery) -> str:
        return words.answer(delivery)

    @display(description="Took")
    def took(self, delivery: Delivery) -> str:
        return words.lasted(delivery)

    @display(description="Last attempt")
    def tried(self, delivery: Delivery) -> str:
        return _moment(delivery.attempted_at, delivery)

    @display(description="Next attempt")
    def next_attempt(self, delivery: Delivery) -> str:
        return next_attempt(delivery)

    @display(description="Event")
    def event_page(self, delivery: Delivery) -> str:
        return _event_link(delivery, delivery.event_id.hex[-8:])

    @display(description="Event id")
    def public_event_id(self, delivery: Delivery) -> str:
        return _event_link(delivery, console.secret(ids.public("evt", delivery.event_id)))

    @display(description="Delivery id")
    def public_id(self, delivery: Delivery) -> str:
        return console.secret(ids.public("dlv", delivery.pk))

    @display(description="Made")
    def made(self, delivery: Delivery) -> str:
        return _moment(delivery.created_at, delivery)

    @display(description="Programme")
    def shop(self, delivery: Delivery) -> str:
        return str(delivery.endpoint.program)

    @display(description="Status of the last answer")
    def status(self, delivery: Delivery) -> str:
        return words.status(delivery)

    @display(description="Why it failed")
    def fault_words(self, delivery: Delivery) -> str:
        return words.fault(delivery)

    @display(description="Failing since")
    def failing(self, delivery: Delivery) -> str:
        return _moment(delivery.failing_since, delivery)

    @display(description="Delivered")
    def arrived(self, delivery: Delivery) -> str:
        return _moment(delivery.delivered_at, delivery)


def table(found: Iterable[Delivery], title: Any, *, is_of_one: bool = False) -> dict[str, Any]:
    """This will answer the table of deliveries, of one endpoint or of one event."""
    rows = [
        [
            console.link(delivery, _moment(delivery.created_at, delivery)),
            words.kind(delivery.event_type) if is_of_one else words.endpoint(delivery.endpoint),
            state(delivery),
            delivery.attempts,
            words.answer(delivery),
            next_attempt(delivery),
        ]
        for delivery in found
    ]
    headers = ["Made", "What" if is_of_one else "Webhook endpoint", "State", "Attempts", "Last answer", "Next attempt"]
    return {"title": title, "table": {"headers": headers, "rows": rows}}


def state(delivery: Delivery) -> str:
    """This will write how it is with a delivery, its endpoint with it."""
    if delivery.delivered_at is None and delivery.endpoint.deleted_at is not None:
        return OVER
    return STATES[deliveries.state_of(delivery)]


def next_attempt(delivery: Delivery) -> str:
    """This will write when a delivery is tried, or tried again."""
    endpoint = delivery.endpoint
    if delivery.next_attempt_at is None or delivery.delivered_at is not None or endpoint.deleted_at is not None:
        return console.NOTHING
    if endpoint.paused_at is not None:
        return "When it is resumed"
    # One that is down is tried with one delivery at a time.
    due_at = max(delivery.next_attempt_at, endpoint.probe_at or delivery.next_attempt_at)
    return "Now" if due_at <= timezone.now() else _moment(due_at, delivery)


def _order(request: HttpRequest) -> tuple[str, str]:
    """This will answer how the list is sorted, and by which column: as the index of an endpoint has it, or that of
    all."""
    is_of_one = bool(request.GET.get(EndpointFilter.parameter_name))
    return ("-position", "position") if is_of_one else ("-pk", "pk")


def _moment(value: datetime.datetime | None, delivery: Delivery) -> str:
    return console.moment(value, delivery.endpoint.program)


def _event_link(delivery: Delivery, text: str) -> str:
    # A test is in no log.
    return text if delivery.account_id is None else console.link(Event(pk=delivery.event_id), text)


def _redeliver(delivery: Delivery) -> Delivery:
    return deliveries.redeliver(
        program=delivery.endpoint.program,
        endpoint_id=delivery.endpoint_id,
        delivery_id=delivery.pk,
        at=timezone.now(),
    )


def _sections(request: HttpRequest, delivery: Delivery) -> dict[str, Any]:
    title = f"{words.kind(delivery.event_type)} · {_moment(delivery.created_at, delivery)}"
    texts = []
    # Both may say what customers are called.
    may_see = request.user.has_perm("cards.view_customer")
    if may_see:
        texts.append({"title": "What is sent", "text": _body(delivery)})
    if may_see and delivery.attempted_at is not None:
        texts.append({"title": "How the last answer began", "text": delivery.answer or "Nothing."})
    return {"original": console.Titled(delivery, title), "title": title, "texts": texts}


def _body(delivery: Delivery) -> str:
    """This will write what is sent, over lines."""
    endpoint = delivery.endpoint
    if delivery.account_id is None:
        return words.spread(v1_webhooks.test_body(endpoint, delivery))
    events = list(Event.objects.filter(account_id=delivery.account_id, pk=delivery.event_id))
    bodies = v1_webhooks.bodies(events, endpoint.program)
    return words.spread(bodies[0]) if bodies else "The event is kept no more."
