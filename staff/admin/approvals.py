"""Requests for adjustments above somebody's limit: what waits, and the page on which a second person decides."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold import widgets
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from loyalty import console, errors, names
from points import ledger, statements
from points.models import ERASED, AccountRef, PointTransaction
from staff import adjusting
from staff.models import AdjustmentReason, AdjustmentRequest

State = AdjustmentRequest.State
COLOURS = {
    State.REQUESTED.label: "warning",
    State.APPROVED.label: "success",
    State.REFUSED.label: "danger",
    State.CANCELLED.label: "default",
    AdjustmentRequest.EXPIRED: "default",
}


class StateFilter(admin.SimpleListFilter):
    """By what became of them, by the clock."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*State.choices, ("expired", AdjustmentRequest.EXPIRED)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AdjustmentRequest]) -> QuerySet[AdjustmentRequest]:
        now, asked = timezone.now(), self.value()
        if asked == State.REQUESTED:
            return queryset.filter(state=State.REQUESTED, expires_at__gt=now)
        if asked == "expired":
            return queryset.filter(state=State.REQUESTED, expires_at__lte=now)
        return queryset.filter(state=asked) if asked else queryset


class RefuseForm(forms.Form):
    why = forms.CharField(
        label="Reason",
        max_length=255,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text="Whoever asked for it sees it.",
    )


@admin.register(AdjustmentRequest)
class RequestAdmin(console.ReadOnlyAdmin):
    list_display = ("asked", "status", "change", "customer_page", "told_reason", "asker", "decider", "program")
    list_filter = (StateFilter, "program")
    list_select_related = ("program", "definition", "customer", "asked_by", "decided_by")
    # Their ids sort as they were made.
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("status", "change"),
                    ("customer_page", "program"),
                    ("told_reason", "code_name"),
                    ("told_reference", "asker"),
                    ("asked", "ends"),
                )
            },
        ),
        ("Decision", {"fields": (("decider", "decided"), ("told_decision", "entry_page"))}),
    )
    actions_detail = ("approve", "refuse", "withdraw")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AdjustmentRequest]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or request.user.has_perm(adjusting.APPROVE)

    def has_approve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(adjusting.APPROVE)

    def has_withdraw_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("points.adjust_points")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        known = self.get_object(request, object_id)
        if known is None or adjusting.state(known, at=timezone.now()) != State.REQUESTED.label:
            return []
        mine = {"withdraw"} if known.asked_by == request.user else {"approve", "refuse"}
        return [
            deed for deed in super().get_actions_detail(request, object_id) if deed.action_name.endswith(tuple(mine))
        ]

    @action(
        description="Approve", url_path="approve", icon="check", variant=ActionVariant.PRIMARY, permissions=["approve"]
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will post the adjustment."""
        return self._decide(
            request,
            object_id,
            form_class=forms.Form,
            deed="Approve",
            explanation="The points are adjusted at once. The entry names both of you.",
            decide=lambda known, _: adjusting.approve(
                request_id=known.pk, by=console.member(request), at=timezone.now()
            ),
            done="Approved: the points are adjusted.",
        )

    @action(
        description="Refuse", url_path="refuse", icon="close", variant=ActionVariant.DANGER, permissions=["approve"]
    )
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will leave the points as they are."""
        return self._decide(
            request,
            object_id,
            form_class=RefuseForm,
            deed="Refuse",
            explanation="The points stay as they are.",
            decide=lambda known, said: adjusting.refuse(
                request_id=known.pk, by=console.member(request), why=said["why"], at=timezone.now()
            ),
            done="Refused: the points stay as they are.",
        )

    @action(description="Withdraw", url_path="withdraw", icon="undo", permissions=["withdraw"])
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will take one's own request back."""
        return self._decide(
            request,
            object_id,
            form_class=forms.Form,
            deed="Withdraw",
            explanation="Nobody decides on it any more; the points stay as they are.",
            decide=lambda known, _: adjusting.withdraw(
                request_id=known.pk, by=console.member(request), at=timezone.now()
            ),
            done="Withdrawn: the points stay as they are.",
        )

    @display(description="State", label=COLOURS)
    def status(self, known: AdjustmentRequest) -> str:
        return adjusting.state(known, at=timezone.now())

    @display(description="Change")
    def change(self, known: AdjustmentRequest) -> str:
        return f"{_points(known)} {known.definition}"

    @display(description="Customer")
    def customer_page(self, known: AdjustmentRequest) -> SafeString:
        return console.link(known.customer)

    @display(description="Reason")
    def told_reason(self, known: AdjustmentRequest) -> str:
        return ERASED if known.reason is None else known.reason

    @display(description="Reason code")
    def code_name(self, known: AdjustmentRequest) -> str:
        if not known.reason_code:
            return console.NOTHING
        row = AdjustmentReason.objects.filter(program=known.program, code=known.reason_code).first()
        return known.reason_code if row is None else f"{row.name} ({row.code})"

    @display(description="Reference")
    def told_reference(self, known: AdjustmentRequest) -> str:
        return known.reference or console.NOTHING

    @display(description="Asked by")
    def asker(self, known: AdjustmentRequest) -> str:
        return names.shown(known.asked_by)

    @display(description="Asked")
    def asked(self, known: AdjustmentRequest) -> str:
        return console.moment(known.asked_at, known.program)

    @display(description="Waits until")
    def ends(self, known: AdjustmentRequest) -> str:
        return console.moment(known.expires_at, known.program)

    @display(description="Decided by")
    def decider(self, known: AdjustmentRequest) -> str:
        return console.NOTHING if known.decided_by is None else names.shown(known.decided_by)

    @display(description="Decided")
    def decided(self, known: AdjustmentRequest) -> str:
        return console.moment(known.decided_at, known.program)

    @display(description="Why")
    def told_decision(self, known: AdjustmentRequest) -> str:
        return known.decision or console.NOTHING

    @display(description="Entry")
    def entry_page(self, known: AdjustmentRequest) -> str | SafeString:
        if known.entry_id is None:
            return console.NOTHING
        return console.link(PointTransaction(pk=known.entry_id), "The entry that it became")

    def _decide(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        form_class: type[forms.Form],
        deed: str,
        explanation: str,
        decide: Callable[[AdjustmentRequest, dict[str, Any]], AdjustmentRequest],
        done: str,
    ) -> HttpResponse:
        known = self.fetch(request, object_id)
        form = form_class(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                decide(known, form.cleaned_data)
            except errors.Refusal as refusal:
                _tell(form, refusal, known)
            else:
                messages.success(request, done)
                return HttpResponseRedirect(console.address(known))
        return self.ask(
            request,
            known,
            form=form,
            title=f"{deed} this adjustment?",
            deed=deed,
            explanation=explanation,
            facts=_facts(known),
            is_danger=deed == "Refuse",
        )


def _tell(form: forms.Form, refusal: errors.Refusal, known: AdjustmentRequest) -> None:
    match refusal:
        case ledger.InsufficientPoints():
            balance = console.amount(refusal.facts["current_balance"], places=known.definition.decimal_places)
            form.add_error(None, f"There are not enough points: the balance is {balance}.")
        case ledger.TransactionLimitExceeded():
            seconds = refusal.facts["retry_after"]
            form.add_error(
                None, f"Too much was posted on this account within a minute. Try again in {seconds} seconds."
            )
        case errors.Unavailable():
            form.add_error(None, "The database did not answer in time. Send the page again: it is decided once.")
        case _:
            form.add_error(None, refusal.message)


def _facts(known: AdjustmentRequest) -> list[tuple[str, Any]]:
    account = AccountRef(program=known.program, definition=known.definition, customer_id=known.customer_id)
    balance = statements.balance(account=account, at=timezone.now()).balance
    places = known.definition.decimal_places
    return [
        ("Customer", console.link(known.customer)),
        ("Change", f"{_points(known)} {known.definition}"),
        ("Balance now", console.amount(balance, places=places)),
        ("Reason", ERASED if known.reason is None else known.reason),
        ("Reference", known.reference or console.NOTHING),
        ("Asked by", f"{names.shown(known.asked_by)}, {console.moment(known.asked_at, known.program)}"),
    ]


def _points(known: AdjustmentRequest) -> str:
    return console.amount(known.points, places=known.definition.decimal_places, is_signed=True)
