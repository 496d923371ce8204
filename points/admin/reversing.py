"""The page on which a member of staff reverses an entry, once however often it is sent."""

import uuid
from collections.abc import Iterable

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold import widgets

from loyalty import console, errors, idempotency, in_place
from points import entering, histories, ledger
from points.admin import rows
from points.admin.adjusting import INCOMPLETE
from points.models import MAX_DIGITS, EntryType, PointTransaction
from staff import reversing
from staff.adjusting import AboveLimit

REVERSIBLE = (EntryType.AWARD, EntryType.REDEEM, EntryType.ADJUST)
_PAGE = "admin:points_pointtransaction_reverse"


class ReverseForm(forms.Form):
    points = forms.DecimalField(
        label="Points",
        required=False,
        min_value=0,
        max_digits=MAX_DIGITS,
        decimal_places=2,
        widget=widgets.UnfoldAdminDecimalFieldWidget,
        help_text="A part of it. Empty: all that is left to undo.",
    )
    reason = forms.CharField(
        max_length=255,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text="The customer sees it in the history of the points.",
    )
    # Made with the page, so that the same page sent twice reverses once.
    key = forms.UUIDField(widget=forms.HiddenInput, error_messages=dict.fromkeys(("required", "invalid"), INCOMPLETE))


def reverse(page: console.TableAdmin, request: HttpRequest, *, entry: PointTransaction) -> HttpResponse:
    """This will ask for a reason, and reverse an entry."""
    places = entry.account.definition.decimal_places
    form = ReverseForm(request.POST if request.method == "POST" else None, initial={"key": uuid.uuid4()})
    if form.is_valid() and _post(request, form, entry):
        return HttpResponseRedirect(in_place.back(request, entry.account.customer, entry.account))
    what = f"{entry.get_type_display()} of {console.amount(rows.changed(entry), places=places, is_signed=True)}"
    return page.ask(
        request,
        console.Titled(entry, f"#{entry.version} {what}"),
        form=form,
        title=f"Reverse this {entry.get_type_display().lower()}?",
        deed="Reverse",
        explanation=(
            "An award's points are taken back, first from what it brought. Those of a redemption are given back, with "
            "the end that they had. The entry stays, and a new one names it."
        ),
        facts=[
            ("Customer", console.link(entry.account.customer)),
            ("Points", console.amount(rows.changed(entry), places=places, is_signed=True)),
            ("Reason", rows.reason(entry, entry.program)),
            ("Took effect", console.moment(entry.effective_at, entry.program)),
        ],
        back=in_place.back(request, entry.account.customer, entry),
    )


def offers(entries: Iterable[PointTransaction]) -> dict[uuid.UUID, list[in_place.Deed]]:
    """This will answer, by entry, the link to the page that reverses it, for those of which something is left."""
    known = [
        entry
        for entry in entries
        if entry.type in REVERSIBLE and not entering.became_a_voucher(entry) and not entering.paid_for_a_code(entry)
    ]
    left = histories.left(known)
    return {
        entry.pk: [in_place.Deed("Reverse", f"#{entry.version}", in_place.leading_back(_PAGE, entry.pk))]
        for entry in known
        if left[entry.pk] > 0
    }


def _post(request: HttpRequest, form: ReverseForm, entry: PointTransaction) -> bool:
    """This will reverse what the form says, or show on the form why not."""
    said, places = form.cleaned_data, entry.account.definition.decimal_places
    asked = {"entry": str(entry.pk), "points": said["points"], "reason": said["reason"]}
    key = idempotency.of_form(said["key"], path="admin/reverse", body=asked)
    try:
        points = reversing.reverse(
            entry=entry,
            points=said["points"],
            reason=said["reason"],
            by=console.member(request),
            key=key,
            at=timezone.now(),
        )
    except AboveLimit:
        form.add_error(None, "It is above your limit for adjustments. Somebody with a higher one has to reverse it.")
    except ledger.AlreadyReversed as refusal:
        left = console.amount(refusal.facts["reversible_points"], places=places)
        form.add_error("points", f"Only {left} points are left to undo of it.")
    except ledger.InsufficientPoints as refusal:
        balance = console.amount(refusal.facts["current_balance"], places=places)
        form.add_error(None, f"The points are spent: the balance is {balance}.")
    except errors.Unavailable:
        form.add_error(None, "The database did not answer in time. Send the page again: it reverses once.")
    except errors.Refusal as refusal:
        console.tell(form, refusal)
    else:
        changed = console.amount(points, places=places, is_signed=True)
        messages.success(request, f"Reversed: {changed} points.")
        return True
    return False
