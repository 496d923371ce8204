"""Webhook endpoints: where a programme's events are sent, how that goes, and what can be done about it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from unfold import widgets
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from cards.admin import deeds
from events import backlog, deliveries, endpoints, sealing
from events.admin import deliveries as deliveries_admin
from events.admin import words
from events.models import EventType, WebhookEndpoint
from loyalty import console, errors, ids
from staff.audit import Action

Result = TypeVar("Result")

SHOWN_DELIVERIES = 10
COLOURS = {
    "Sending": "success",
    "Sending, some fail": "warning",
    "Failing": "danger",
    "Paused": "info",
    "Gave up": "danger",
}


class EndpointForm(forms.ModelForm):
    event_types = forms.MultipleChoiceField(
        label="What it gets", widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("program", "url", "event_types", "description", "signs_body")
        labels = {"signs_body": "X-Loyalty-Signature"}
        help_texts = {
            "url": "Where events are posted: http or https, without a user name or password.",
            "description": "What it is, for colleagues.",
            "signs_body": "Also send this header, for receivers that do not know webhook-signature: sha256= and the "
            "HMAC-SHA-256 of the body in hex.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if isinstance(field := self.fields.get("event_types"), forms.MultipleChoiceField):
            field.choices = _choices()

    def clean_url(self) -> str:
        """This will refuse an address that cannot be called."""
        url = self.cleaned_data["url"]
        try:
            endpoints.check_address(url)
        except errors.InvalidParameters as refusal:
            raise forms.ValidationError(refusal.faults["url"][0]) from refusal
        return url

    def clean_event_types(self) -> list[str]:
        """This will take all for all, whatever else was chosen beside."""
        chosen = self.cleaned_data["event_types"]
        return [endpoints.ALL] if endpoints.ALL in chosen else chosen

    def clean(self) -> dict[str, Any]:
        """This will refuse one more than a programme may have."""
        said = super().clean() or self.cleaned_data
        program = said.get("program")
        if program is not None and endpoints.of_program(program=program).count() >= endpoints.MOST:
            self.add_error("program", endpoints.TooManyWebhookEndpoints.message)
        return said


class StateFilter(admin.SimpleListFilter):
    """Endpoints that are sent events, or are sent none."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("sending", "Sending"), ("paused", "Paused"), ("gave-up", "Gave up")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
        match self.value():
            case "sending":
                return queryset.filter(paused_at=None)
            case "paused":
                return queryset.filter(paused_at__isnull=False, gave_up=False)
            case "gave-up":
                return queryset.filter(paused_at__isnull=False, gave_up=True)
        return queryset


class EndpointList(console.CappedList):
    """Shows how it is with endpoints at this moment."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        known = backlog.look([endpoint.pk for endpoint in self.result_list])
        for endpoint in self.result_list:
            endpoint.backlog = known[endpoint.pk]


@admin.register(WebhookEndpoint)
class EndpointAdmin(console.TableAdmin):
    # An address may have a secret in it.
    audited_values = ()
    is_audited_by_name = False
    form = EndpointForm
    list_display = ("address", "program", "gets", "state", "since", "waiting", "arrived")
    list_filter = (StateFilter, "program")
    # Not by addresses: whoever may not see the whole of them could guess it letter by letter.
    search_fields = ("description",)
    search_help_text = "Description"
    ordering = ("program__name", "-pk")
    actions_detail = ("test", "pause", "resume", "rotate", "remove")
    change_form_outer_before_template = "admin/notice.html"
    change_form_outer_after_template = "admin/tables.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).filter(deleted_at=None).select_related("program")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[EndpointList]:
        return EndpointList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> WebhookEndpoint | None:
        endpoint: Any = super().get_object(request, object_id, from_field)
        if endpoint is not None:
            endpoint.backlog = backlog.look([endpoint.pk])[endpoint.pk]
        return endpoint

    def get_fieldsets(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        said: tuple[str, ...] = ("program", "url", "event_types", "description", "signs_body")
        if obj is None:
            return [(None, {"fields": said})]
        if not self.has_change_permission(request, obj):
            said = ("program", "address", "gets", "signs_body")
        told = (("state", "since"), ("waiting", "arrived"), ("secrets", "created"), ("public_id",))
        return [(None, {"fields": told}), ("What is sent where", {"fields": said})]

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> tuple[str, ...]:
        shown = ("state", "since", "waiting", "arrived", "created", "secrets", "public_id", "address", "gets")
        return shown if obj is None else ("program", *shown)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | {"event_types": [endpoints.ALL]} | super().get_changeform_initial_data(request)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except errors.Refusal as refusal:
            # Since the form was checked somebody deleted it, or made another one.
            messages.error(request, refusal.message)
            return HttpResponseRedirect(_listing())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        endpoint = self.get_object(request, object_id)
        sections = {} if endpoint is None or not self.has_view_permission(request) else _sections(request, endpoint)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        if change:
            said = {name: form.cleaned_data[name] for name in form.changed_data}
            endpoints.change(program=obj.program, endpoint_id=obj.pk, at=timezone.now(), **said)
            return
        made = endpoints.create(
            program=obj.program,
            url=obj.url,
            event_types=obj.event_types,
            description=obj.description,
            signs_body=obj.signs_body,
        )
        obj.pk = made.pk
        # Handed to the answer of this request; it is kept encrypted.
        obj.secret = sealing.unseal(made.sealed_secret)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._show(request, obj, obj.secret, title="The webhook endpoint is made. Copy its secret now")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        endpoint = self.get_object(request, object_id)
        if endpoint is None:
            return []
        hidden = {"resume"} if endpoint.paused_at is None else {"pause", "test"}
        return [deed for deed in super().get_actions_detail(request, object_id) if deed.path not in hidden]

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("events.delete_webhookendpoint")

    @action(description="Send a test", url_path="test", icon="send", permissions=["change"])
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will send an event that tells of nothing."""
        endpoint = self.fetch(request, object_id)
        form = _form(request)
        sent = _done(
            form,
            lambda: deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=timezone.now()),
        )
        if sent:
            messages.success(request, "A test is on its way. Reload the page in a moment to see what came of it.")
            may_look = request.user.has_perm("events.view_delivery")
            return HttpResponseRedirect(console.address(sent if may_look else endpoint))
        return self._ask(
            request,
            endpoint,
            form,
            title="Send a test?",
            deed="Send a test",
            explanation="It is sent once, an event of the type webhook.test, whatever else the endpoint gets.",
        )

    @action(description="Pause", url_path="pause", icon="pause", permissions=["change"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will send nothing until it is resumed."""
        return self._change(
            request,
            object_id,
            is_active=False,
            title="Pause this webhook endpoint?",
            deed="Pause",
            explanation="Nothing is sent to it until it is resumed. What happens meanwhile waits, as long as "
            "events are kept, and is sent then.",
            done="Paused: nothing is sent until it is resumed.",
        )

    @action(
        description="Resume",
        url_path="resume",
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        permissions=["change"],
    )
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will go on where it stopped."""
        return self._change(
            request,
            object_id,
            is_active=True,
            title="Resume this webhook endpoint?",
            deed="Resume",
            explanation="It goes on where it stopped: what has waited is sent now, each customer's events in "
            "their order.",
            done="Resumed: it is sent what has waited.",
        )

    @action(description="Rotate the secret", url_path="rotate", icon="key", permissions=["change"])
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will give it another secret, and show that once."""
        endpoint = self.fetch(request, object_id)
        form = _form(request)

        def deed() -> WebhookEndpoint:
            done = endpoints.rotate_secret(program=endpoint.program, endpoint_id=endpoint.pk, at=timezone.now())
            self.log_change(request, endpoint, "Rotated the secret.", action=Action.ROTATED)
            return done

        if rotated := _done(form, deed):
            secret = sealing.unseal(rotated.sealed_secret)
            return self._show(request, rotated, secret, title="It has a new secret. Copy it now")
        former = _former_until(endpoint)
        return self._ask(
            request,
            endpoint,
            form,
            title="Rotate the secret?",
            deed="Rotate the secret",
            explanation="A new secret is shown, once. Events are signed with the present one beside it for 24 hours: "
            "until then the receiver has to know the new one."
            + (" The one before the present one signs no more from now on." if former else ""),
            facts=[("The one before signs until", former)] if former else [],
        )

    @action(
        description="Delete", url_path="remove", icon="delete", variant=ActionVariant.DANGER, permissions=["remove"]
    )
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will send nothing there any more."""
        endpoint = self.fetch(request, object_id)
        form = _form(request)

        def deed() -> bool:
            endpoints.delete(program=endpoint.program, endpoint_id=endpoint.pk, at=timezone.now())
            self.log_deletions(request, WebhookEndpoint.objects.filter(pk=endpoint.pk))
            return True

        if _done(form, deed):
            messages.success(request, f"{endpoint} is deleted: nothing is sent to it any more.")
            return HttpResponseRedirect(_listing())
        return self._ask(
            request,
            endpoint,
            form,
            title="Delete this webhook endpoint?",
            deed="Delete",
            explanation="Nothing is sent to it any more, also what waits, and its secret is forgotten. It cannot be "
            "undone.",
            facts=[("Waiting", _waiting(endpoint))],
            is_danger=True,
        )

    @display(description="Address")
    def address(self, endpoint: WebhookEndpoint) -> str:
        return words.endpoint(endpoint)

    @display(description="What it gets")
    def gets(self, endpoint: WebhookEndpoint) -> str:
        if endpoint.event_types == [endpoints.ALL]:
            return "All events"
        return ", ".join(words.kind(code) for code in endpoint.event_types)

    @display(description="State", label=COLOURS)
    def state(self, endpoint: Any) -> str:
        return _state(endpoint)

    @display(description="Since")
    def since(self, endpoint: Any) -> str:
        return console.moment(endpoint.paused_at or endpoint.backlog.failing_since, endpoint.program)

    @display(description="Waiting")
    def waiting(self, endpoint: Any) -> str:
        return _waiting(endpoint)

    @display(description="Last delivered")
    def arrived(self, endpoint: Any) -> str:
        return console.moment(endpoint.backlog.arrived_at, endpoint.program)

    @display(description="Made")
    def created(self, endpoint: WebhookEndpoint) -> str:
        return console.moment(endpoint.created_at, endpoint.program)

    @display(description="Secret")
    def secrets(self, endpoint: WebhookEndpoint) -> str:
        former = _former_until(endpoint)
        return f"The former one signs, too, until {former}" if former else "One, which is not shown again"

    @display(description="Endpoint id")
    def public_id(self, endpoint: WebhookEndpoint) -> str:
        return console.secret(ids.public("whk", endpoint.pk))

    def _change(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        is_active: bool,
        title: str,
        deed: str,
        explanation: str,
        done: str,
    ) -> HttpResponse:
        endpoint = self.fetch(request, object_id)
        form = _form(request)

        def do() -> WebhookEndpoint:
            changed = endpoints.change(
                program=endpoint.program, endpoint_id=endpoint.pk, is_active=is_active, at=timezone.now()
            )
            self.log_change(request, endpoint, f"{deed}d.", action=Action.RESUMED if is_active else Action.PAUSED)
            return changed

        if _done(form, do):
            messages.success(request, done)
            return HttpResponseRedirect(console.address(endpoint))
        return self._ask(
            request,
            endpoint,
            form,
            title=title,
            deed=deed,
            explanation=explanation,
            facts=[("State", _state(endpoint)), ("Waiting", _waiting(endpoint))],
        )

    def _ask(
        self,
        request: HttpRequest,
        endpoint: WebhookEndpoint,
        form: forms.Form,
        *,
        facts: Sequence[tuple[str, Any]] = (),
        **said: Any,
    ) -> HttpResponse:
        known = [("Address", words.endpoint(endpoint)), ("Programme", endpoint.program), *facts]
        return self.ask(request, _titled(endpoint), form=form, facts=known, **said)

    def _show(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str, *, title: str) -> HttpResponse:
        return self.show_secret(
            request,
            _titled(endpoint),
            title=title,
            warning="This is the only time the secret is shown. Whoever loses it has to rotate it.",
            facts=[
                ("Address", words.endpoint(endpoint)),
                ("Programme", endpoint.program),
                ("Secret", console.secret(secret)),
            ],
            purpose="For the environment of the receiver:",
            lines=f"WEBHOOK_SECRET={secret}",
        )


def _choices() -> list[tuple[str, Any]]:
    """This will answer what can be chosen: all events, or their types in groups, by the first word of each."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for kind in EventType:
        groups.setdefault(kind.value.partition(".")[0].capitalize(), []).append(
            (kind.value, words.kind_and_code(kind.value))
        )
    return [(endpoints.ALL, "All events, also those that a later version tells"), *groups.items()]


def _form(request: HttpRequest) -> forms.Form:
    return forms.Form(request.POST if request.method == "POST" else None)


def _done(form: forms.Form, deed: Callable[[], Result]) -> Result | None:
    """This will do it if it is asked for, and answer what it answers; a refusal is shown on the form."""
    return deeds.run(form, deed) if form.is_valid() else None


def _listing() -> str:
    return reverse("admin:events_webhookendpoint_changelist")


def _state(endpoint: Any) -> str:
    if endpoint.paused_at is not None:
        return "Gave up" if endpoint.gave_up else "Paused"
    if endpoint.backlog.failing_since is None:
        return "Sending"
    # Others arrive, while one is refused.
    return "Failing" if endpoint.failures else "Sending, some fail"


def _waiting(endpoint: Any) -> str:
    waiting = endpoint.backlog.waiting
    if not waiting and not endpoint.backlog.is_more:
        return "Nothing"
    return f"{waiting:,}{' or more' if endpoint.backlog.is_more else ''}"


def _former_until(endpoint: WebhookEndpoint) -> str:
    """This will write until when the former secret signs; nothing where there is none that does."""
    until = endpoint.previous_secret_until
    return console.moment(until, endpoint.program) if until is not None and until > timezone.now() else ""


def _titled(endpoint: WebhookEndpoint) -> console.Titled:
    # In quotes: the theme writes titles with a capital, which no host has.
    return console.Titled(endpoint, endpoint.description or f"“{endpoint}”")


def _sections(request: HttpRequest, endpoint: WebhookEndpoint) -> dict[str, Any]:
    """This will answer what stands around an endpoint's form: what is wrong with it, and its newest deliveries."""
    title = _titled(endpoint)
    return {
        "original": title,
        "title": str(title),
        "notice": _notice(endpoint),
        "tables": _deliveries(request, endpoint),
    }


def _notice(endpoint: WebhookEndpoint) -> str:
    if not endpoints.secrets_of(endpoint, at=timezone.now()):
        return "Its secret cannot be decrypted, because SECRET_KEY was changed: rotate the secret."
    if endpoint.gave_up:
        return "For three days an event could not be delivered, so nothing is sent any more. Resume it when it works."
    failing = endpoint.deliveries.filter(delivered_at=None, retries__gt=0, fault__gt="").order_by("position").first()
    return f"The first delivery that waits has failed. {failing.get_fault_display()}." if failing else ""


def _deliveries(request: HttpRequest, endpoint: WebhookEndpoint) -> list[dict[str, Any]]:
    if not request.user.has_perm("events.view_delivery"):
        return []
    found = endpoint.deliveries.select_related("endpoint__program").order_by("-position")[:SHOWN_DELIVERIES]
    address = f"{reverse('admin:events_delivery_changelist')}?{urlencode({'endpoint': str(endpoint.pk)})}"
    title = format_html('Deliveries, newest first (<a href="{}" class="text-link">all</a>)', address)
    shown = list(found)
    return [deliveries_admin.table(shown, title, is_of_one=True)] if shown else []
