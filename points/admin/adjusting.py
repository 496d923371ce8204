"""The page on which a member of staff adjusts a balance, through the ledger and once however often it is sent.

Above the limit of the member of staff it asks for the approval of a second person instead.
"""

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold import widgets

from cards.models import Customer
from loyalty import console, errors, idempotency
from loyalty.models import Program
from points import ledger, statements
from points.models import MAX_DIGITS, AccountRef, PointDefinition
from staff import adjusting, limits
from staff.models import AdjustmentReason, AdjustmentRequest

# Beside the name of a reason it fits into an entry.
LONGEST_NOTE = 150
INCOMPLETE = "The page did not arrive whole. Open it again."


class DefinitionField(forms.ModelChoiceField):
    widget = widgets.UnfoldAdminSelectWidget


class CodeField(forms.ModelChoiceField):
    widget = widgets.UnfoldAdminSelectWidget


class AdjustForm(forms.Form):
    definition = DefinitionField(label="Definition", queryset=PointDefinition.objects.none(), empty_label=None)
    points = forms.DecimalField(
        label="Change",
        max_digits=MAX_DIGITS,
        decimal_places=2,
        widget=widgets.UnfoldAdminDecimalFieldWidget(attrs={"autofocus": True}),
        help_text="Points to add, or with a minus sign to take away: 50 or -50.",
    )
    reason = forms.CharField(
        max_length=255,
        widget=widgets.UnfoldAdminTextInputWidget,
        help_text="The customer sees it in the history of the points.",
    )
    reference = forms.CharField(
        max_length=255,
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget,
        help_text="For example the number of the order or of the complaint.",
    )
    # Made with the page, so that the same page sent twice adjusts once.
    key = forms.UUIDField(widget=forms.HiddenInput, error_messages=dict.fromkeys(("required", "invalid"), INCOMPLETE))
    field_order = ("definition", "points", "code", "reason", "reference")

    def __init__(self, *args: Any, program: Program, definitions: QuerySet[PointDefinition], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["definition"] = DefinitionField(label="Definition", queryset=definitions, empty_label=None)
        codes = AdjustmentReason.objects.filter(program=program, is_active=True).order_by("name", "pk")
        if codes.exists():
            self.fields["code"] = CodeField(label="Reason", queryset=codes, empty_label="Choose one")
            self.fields["reason"] = forms.CharField(
                label="Note",
                required=False,
                max_length=LONGEST_NOTE,
                widget=widgets.UnfoldAdminTextInputWidget,
                help_text="The customer sees the reason and the note in the history of the points.",
            )
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        """This will ask for the note that a reason needs."""
        said = self.cleaned_data
        if said.get("code") is not None and said["code"].needs_note and not said.get("reason"):
            self.add_error("reason", f"Say more: “{said['code']}” needs a note.")
        return said

    def clean_points(self) -> Decimal:
        """This will refuse zero, which changes nothing."""
        points = self.cleaned_data["points"]
        if not points:
            raise forms.ValidationError("Zero points change nothing.")
        return points


def may_adjust(request: HttpRequest) -> bool:
    """This will answer whether the member of staff may adjust points."""
    return request.user.has_perm("points.adjust_points")


def adjust(
    page: console.TableAdmin,
    request: HttpRequest,
    *,
    customer: Customer,
    row: models.Model | console.Titled,
    definition: PointDefinition | None = None,
) -> HttpResponse:
    """This will ask for an adjustment of a customer's account and post it, and lead back to the row: of the definition,
    or of one to choose, at first the one that the address names."""
    program = customer.program
    choices = PointDefinition.objects.filter(program=program)
    if definition is not None:
        choices = choices.filter(pk=definition.pk)
    known = list(choices.order_by("-is_default", "number"))
    chosen = next((kind for kind in known if kind.code == request.GET.get("points")), known[0])
    form = AdjustForm(
        request.POST if request.method == "POST" else None,
        initial={"key": uuid.uuid4(), "definition": chosen.pk},
        program=program,
        definitions=choices,
    )
    if len(known) == 1:
        form.fields["definition"].widget = forms.HiddenInput()
    if form.is_valid() and (done := _post(request, form, customer)) is not None:
        return _lead_on(request, done, row, form.cleaned_data["definition"])
    return page.ask(
        request,
        row,
        form=form,
        title=f"Adjust the points of {customer}",
        deed="Adjust points",
        facts=[*_facts(customer, known), ("You may adjust", _allowed(request, program))],
    )


def _post(request: HttpRequest, form: AdjustForm, customer: Customer) -> adjusting.Done | None:
    """This will post what the form says and answer what became of it, or show on the form why not."""
    said = form.cleaned_data
    asked = {
        "customer": str(customer.pk),
        "definition": str(said["definition"].pk),
        "points": said["points"],
        "code": str(said["code"].pk) if said.get("code") else None,
        "reason": said["reason"],
        "reference": said["reference"],
    }
    key = idempotency.of_form(said["key"], path="admin/adjust", body=asked)
    wish = adjusting.Wish(
        account=AccountRef(program=customer.program, definition=said["definition"], customer_id=customer.pk),
        points=said["points"],
        reason=said["reason"],
        code=said.get("code"),
        reference=said["reference"] or None,
    )
    try:
        return adjusting.adjust(wish=wish, by=console.member(request), key=key, at=timezone.now())
    except errors.Refusal as refusal:
        _tell(request, form, refusal)
        return None


def _tell(request: HttpRequest, form: AdjustForm, refusal: errors.Refusal) -> None:
    places = form.cleaned_data["definition"].decimal_places
    match refusal:
        case ledger.InsufficientPoints():
            balance = console.amount(refusal.facts["current_balance"], places=places)
            asked = console.amount(refusal.facts["requested_points"], places=places)
            form.add_error(
                "points", f"There are not enough points: {asked} to take away, but the balance is {balance}."
            )
        case errors.InvalidPoints():
            form.add_error("points", refusal.message)
        case ledger.TransactionLimitExceeded():
            seconds = refusal.facts["retry_after"]
            form.add_error(
                None, f"Too much was posted on this account within a minute. Try again in {seconds} seconds."
            )
        case errors.Unavailable():
            form.add_error(None, "The database did not answer in time. Send the page again: it adjusts once.")
        case errors.IdempotencyKeyReused():
            form.add_error(
                None,
                "This page has adjusted points already, with other values. Look at the entries of the account first; "
                "if this is one more adjustment, send the page again.",
            )
            form.data = {**request.POST.dict(), "key": str(uuid.uuid4())}
        case _:
            console.tell(form, refusal)


def _lead_on(
    request: HttpRequest, done: adjusting.Done, row: models.Model | console.Titled, definition: PointDefinition
) -> HttpResponse:
    places = definition.decimal_places
    points = console.amount(done.points, places=places, is_signed=True)
    address = console.address(row)
    if done.balance is not None:
        balance = console.amount(done.balance, places=places)
        messages.success(request, f"Adjusted by {points}. The balance is {balance} now.")
    else:
        messages.warning(
            request, f"{points} is above your limit: nothing is adjusted until a second person approves it."
        )
        if request.user.has_perm("staff.view_adjustmentrequest"):
            address = console.address(AdjustmentRequest(pk=done.request_id))
    return HttpResponseRedirect(address)


def _allowed(request: HttpRequest, program: Program) -> str:
    """This will say what the member of staff may adjust without a second person."""
    member = console.member(request)
    limit = limits.of(member, program)
    if limits.ZERO in (limit.at_once, limit.a_day):
        return "Nothing without the approval of a second person"
    parts = []
    if limit.at_once is not None:
        parts.append(f"{limit.at_once.normalize():,f} points at once")
    if limit.a_day is not None:
        used = limits.used(member, program, at=timezone.now())
        parts.append(f"{limit.a_day.normalize():,f} points a day, of which {used.normalize():,f} are used")
    return f"{', '.join(parts)}; above that a second person approves" if parts else "Any number of points"


def _facts(customer: Customer, definitions: Sequence[PointDefinition]) -> list[tuple[str, Any]]:
    refs = [AccountRef(program=customer.program, definition=d, customer_id=customer.pk) for d in definitions]
    standing = statements.balances(accounts=refs, at=timezone.now())
    facts: list[tuple[str, Any]] = [("Customer", console.link(customer)), ("Programme", customer.program)]
    for ref in refs:
        balance = console.amount(standing[ref.id].balance, places=ref.definition.decimal_places)
        facts.append(("Balance" if len(refs) == 1 else f"Balance: {ref.definition}", balance))
    return facts
