"""Redemption codes, as staff see them: what became of each; and taking or cancelling one for a customer."""

import functools
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from cards import search
from cards.models import Customer
from loyalty import console, errors, ids, retry
from loyalty.models import Program
from points.models import PointTransaction
from rewards import redemptions
from rewards.admin.rewards import discount
from rewards.models import Redemption

SHOWN_OF_CUSTOMER = 10
COLOURS = {"Active": "success", "Used": "info", "Cancelled": "danger", "Expired": "warning"}


@admin.register(Redemption)
class RedemptionAdmin(console.ReadOnlyAdmin):
    list_display = ("code", "state", "what", "points_taken", "customer_page", "made", "until", "shop")
    list_select_related = ("program", "customer", "definition", "reward")
    list_filter = ("program",)
    # What is searched stands in `get_search_results`; a list without fields has no search box.
    search_fields = ("code",)
    search_help_text = "Code, red_…, customer"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("code", "state"),
                    ("what", "takes_off"),
                    ("customer_page", "points_taken"),
                    ("made", "until"),
                    ("lapsing", "public_id"),
                )
            },
        ),
    )
    change_form_outer_after_template = "admin/tables.html"
    actions_detail = ("use", "cancel")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Redemption], search_term: str
    ) -> tuple[QuerySet[Redemption], bool]:
        term = search.cleaned(search_term)
        if not term:
            return queryset, False
        if key := ids.parse("red", term):
            return queryset.filter(pk=key), False
        # The index on codes begins with the programme: naming all of them, who are few, lets it be used.
        by_code = Q(program__in=Program.objects.values("pk"), code=term.upper())
        return queryset.filter(by_code | Q(customer__in=search.customers(term).values("pk"))), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        redemption = self.get_object(request, object_id)
        sections = {} if redemption is None else _history(redemption)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        redemption = self.get_object(request, object_id)
        is_active = redemption is not None and redemption.state(timezone.now()) == Redemption.State.ACTIVE
        return super().get_actions_detail(request, object_id) if is_active else []

    def has_use_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.use_redemption")

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.cancel_redemption")

    @action(description="Use", url_path="use", icon="check_circle", variant=ActionVariant.PRIMARY, permissions=["use"])
    def use(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will take the code, as the till does."""
        return self._change(
            request,
            object_id,
            verb="Use",
            explanation="It counts as shown at the till, and cannot be used again.",
            change=redemptions.use,
            done="is used",
        )

    @action(description="Cancel", url_path="cancel", icon="undo", variant=ActionVariant.DANGER, permissions=["cancel"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will end the code and give back what it took."""
        return self._change(
            request,
            object_id,
            verb="Cancel",
            explanation="The points go back with the expiry that they had, and the reward back into stock.",
            change=redemptions.cancel,
            done="is cancelled",
        )

    @display(description="State", label=COLOURS)
    def state(self, redemption: Redemption) -> str:
        return redemption.state(timezone.now()).label

    @display(description="For")
    def what(self, redemption: Redemption) -> str:
        return "Points alone" if redemption.reward is None else console.link(redemption.reward)

    @display(description="Takes off")
    def takes_off(self, redemption: Redemption) -> str:
        return discount(redemption) or console.NOTHING

    @display(description="Points")
    def points_taken(self, redemption: Redemption) -> str:
        return console.amount(redemption.points, places=redemption.definition.decimal_places)

    @display(description="Customer")
    def customer_page(self, redemption: Redemption) -> str:
        return console.link(redemption.customer)

    @display(description="Redeemed")
    def made(self, redemption: Redemption) -> str:
        return console.moment(redemption.created_at, redemption.program)

    @display(description="Can be used until")
    def until(self, redemption: Redemption) -> str:
        return console.moment(redemption.expires_at, redemption.program)

    @display(description="Points, if it is not used in time")
    def lapsing(self, redemption: Redemption) -> str:
        return console.NOTHING if redemption.expires_at is None else redemption.get_lapse_display()

    @display(description="Redemption id")
    def public_id(self, redemption: Redemption) -> str:
        return ids.public("red", redemption.pk)

    @display(description="Programme")
    def shop(self, redemption: Redemption) -> str:
        return str(redemption.program)

    def _change(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        verb: str,
        explanation: str,
        change: Callable[..., Redemption],
        done: str,
    ) -> HttpResponse:
        redemption = self.fetch(request, object_id)
        form = forms.Form(request.POST if request.method == "POST" else None)
        deed = functools.partial(
            change,
            program=redemption.program,
            reference=redemption.code,
            actor=console.actor(request),
            at=timezone.now(),
        )
        if form.is_valid():
            try:
                retry.run(deed, repeatable=False)
            except errors.Refusal as refusal:
                console.tell(form, refusal)
            else:
                messages.success(request, f"Code {redemption} {done}.")
                return HttpResponseRedirect(console.address(redemption))
        return self.ask(
            request,
            redemption,
            form=form,
            title=f"{verb} code {redemption}",
            deed=verb,
            explanation=explanation,
            facts=[
                ("Customer", self.customer_page(redemption)),
                ("For", self.what(redemption)),
                ("Points", self.points_taken(redemption)),
                ("State", self.state(redemption)),
            ],
            is_danger=verb == "Cancel",
        )


def _history(redemption: Redemption) -> dict[str, Any]:
    """This will answer the table of what happened to a code, with the entries that took and gave back its points."""
    happened = list(redemption.events.order_by("created_at", "id"))
    keys = [redemption.entry_id, *(event.entry_id for event in happened if event.entry_id)]
    # By the programme: the code may be another account's by now than its entry.
    entries = PointTransaction.objects.filter(program_id=redemption.program_id, id__in=keys)
    links = {entry.pk: console.link(entry, "Ledger entry") for entry in entries}
    rows = [
        [
            console.moment(redemption.created_at, redemption.program),
            "Redeemed",
            links[redemption.entry_id],
            console.NOTHING,
        ]
    ]
    rows += [
        [
            console.moment(event.created_at, redemption.program),
            event.get_kind_display(),
            links[event.entry_id] if event.entry_id else console.NOTHING,
            event.actor,
        ]
        for event in happened
    ]
    return {"tables": [{"title": "History", "table": {"headers": ["When", "What", "Points", "By"], "rows": rows}}]}


def of_customer(request: HttpRequest, customer: Customer) -> list[dict[str, Any]]:
    """This will answer the table of a customer's newest codes, for whoever may see codes; none where there are none."""
    if not request.user.has_perm("rewards.view_redemption"):
        return []
    now = timezone.now()
    found = Redemption.objects.filter(customer=customer).select_related("reward", "definition").order_by("-pk")
    told = [
        [
            console.link(redemption, redemption.code),
            redemption.state(now).capitalize(),
            redemption.reward.name if redemption.reward else discount(redemption),
            console.amount(redemption.points, places=redemption.definition.decimal_places),
            console.moment(redemption.created_at, customer.program),
        ]
        for redemption in found[:SHOWN_OF_CUSTOMER]
    ]
    headers = ["Code", "State", "For", "Points", "Redeemed"]
    return [{"title": "Redemption codes", "table": {"headers": headers, "rows": told}}] if told else []
