"""Webhook endpoints, as staff see them: which of them take no events, why, and letting one go on."""

from typing import Any

import httpx
from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from events import deliveries, endpoints
from events.models import Fault, WebhookEndpoint
from events.rounds import DOWN_AFTER
from loyalty import console, errors, ids

COLOURS = {"Active": "success", "Failing": "warning", "Paused": "default", "Given up": "danger", "Deleted": "default"}
LATEST = 20


class StateFilter(admin.SimpleListFilter):
    """Endpoints that are there, unless others are asked for."""

    title = "state"
    parameter_name = "state"
    _states = {
        "given_up": ("Given up", Q(deleted_at=None, gave_up=True)),
        "paused": ("Paused", Q(deleted_at=None, paused_at__isnull=False, gave_up=False)),
        "deleted": ("Deleted", Q(deleted_at__isnull=False)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, words) for state, (words, _) in self._states.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
        _, condition = self._states.get(self.value() or "", ("", Q(deleted_at=None)))
        return queryset.filter(condition)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(console.ReadOnlyAdmin):
    list_display = ("host", "state", "events", "description", "since", "shop")
    list_select_related = ("program",)
    list_filter = (StateFilter, "program")
    search_fields = ("url", "description")
    search_help_text = "Address or description"
    ordering = ("-created_at", "-id")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("address", "state"),
                    ("events", "description"),
                    ("shop", "since"),
                    ("paused", "next_try"),
                    "public_id",
                )
            },
        ),
    )
    change_form_outer_after_template = "admin/tables.html"
    actions_detail = ("resume", "pause")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        # What signs is for nobody's eyes, encrypted or not.
        return super().get_queryset(request).defer("sealed_secret", "sealed_previous_secret")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        endpoint = self.get_object(request, object_id)
        sections = {} if endpoint is None else {"tables": [_latest(endpoint)]}
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        endpoint = self.get_object(request, object_id)
        if endpoint is None or endpoint.deleted_at is not None:
            return []
        deed = "pause" if endpoint.paused_at is None else "resume"
        return [one for one in super().get_actions_detail(request, object_id) if one.path == deed]

    def has_resume_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("events.change_webhookendpoint")

    @action(
        description="Go on", url_path="resume", icon="play_arrow", variant=ActionVariant.PRIMARY, permissions=["resume"]
    )
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will send events again, from where it stopped."""
        explanation = "Events are sent from where it stopped, the oldest first."
        return self._change(request, object_id, verb="Go on", is_active=True, explanation=explanation, done="goes on")

    @action(description="Pause", url_path="pause", icon="pause", variant=ActionVariant.DANGER, permissions=["resume"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will send nothing until it is told to go on."""
        explanation = "Events wait, and are sent when it goes on."
        return self._change(
            request, object_id, verb="Pause", is_active=False, explanation=explanation, done="is paused"
        )

    @display(description="Host")
    def host(self, endpoint: WebhookEndpoint) -> str:
        return str(endpoint)

    @display(description="Address")
    def address(self, endpoint: WebhookEndpoint) -> str:
        return str(httpx.URL(endpoint.url).copy_with(query=None, fragment=None))

    @display(description="State", label=COLOURS)
    def state(self, endpoint: WebhookEndpoint) -> str:
        if endpoint.deleted_at is not None:
            return "Deleted"
        if endpoint.paused_at is not None:
            return "Given up" if endpoint.gave_up else "Paused"
        return "Failing" if endpoint.failures >= DOWN_AFTER else "Active"

    @display(description="Events")
    def events(self, endpoint: WebhookEndpoint) -> str:
        return "All" if endpoint.event_types == [endpoints.ALL] else ", ".join(endpoint.event_types)

    @display(description="Since")
    def since(self, endpoint: WebhookEndpoint) -> str:
        return console.moment(endpoint.created_at, endpoint.program)

    @display(description="Paused")
    def paused(self, endpoint: WebhookEndpoint) -> str:
        return console.moment(endpoint.paused_at, endpoint.program)

    @display(description="Tried again")
    def next_try(self, endpoint: WebhookEndpoint) -> str:
        return console.moment(endpoint.probe_at, endpoint.program)

    @display(description="Endpoint id")
    def public_id(self, endpoint: WebhookEndpoint) -> str:
        return ids.public("whk", endpoint.pk)

    @display(description="Programme")
    def shop(self, endpoint: WebhookEndpoint) -> str:
        return str(endpoint.program)

    def _change(
        self, request: HttpRequest, object_id: str, *, verb: str, is_active: bool, explanation: str, done: str
    ) -> HttpResponse:
        endpoint = self.fetch(request, object_id)
        form = forms.Form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                endpoints.change(
                    program=endpoint.program, endpoint_id=endpoint.pk, is_active=is_active, at=timezone.now()
                )
            except errors.Refusal as refusal:
                console.tell(form, refusal)
            else:
                messages.success(request, f"{endpoint} {done}.")
                return HttpResponseRedirect(console.address(endpoint))
        return self.ask(
            request,
            endpoint,
            form=form,
            title=f"{verb}: {endpoint}",
            deed=verb,
            explanation=explanation,
            facts=[
                ("Programme", self.shop(endpoint)),
                ("State", self.state(endpoint)),
                ("Events", self.events(endpoint)),
            ],
            is_danger=not is_active,
        )


def given_up(_: HttpRequest) -> str:
    """This will answer how many endpoints were given up, for the sidebar; nothing where none was."""
    count = WebhookEndpoint.objects.filter(deleted_at=None, gave_up=True).count()
    return str(count) if count else ""


def _latest(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """This will answer the table of the newest deliveries."""
    rows = [
        [
            console.moment(delivery.created_at, endpoint.program),
            delivery.event_type,
            deliveries.state_of(delivery).capitalize(),
            delivery.attempts,
            delivery.status_code or console.NOTHING,
            Fault(delivery.fault).label if delivery.fault else console.NOTHING,
            console.moment(delivery.next_attempt_at, endpoint.program),
        ]
        for delivery in deliveries.of_endpoint(endpoint=endpoint)[:LATEST]
    ]
    headers = ["Since", "Event", "State", "Attempts", "Answer", "Fault", "Tried next"]
    return {"title": "Newest deliveries", "table": {"headers": headers, "rows": rows}}
