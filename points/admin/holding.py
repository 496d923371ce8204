"""Points that are set aside: a table of the holds that are active, and the page that releases one."""

import uuid
from collections.abc import Sequence
from typing import Any

import orjson
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from loyalty import console, errors, idempotency, in_place
from points import ledger, reasons
from points.admin import settling
from points.admin.adjusting import INCOMPLETE, may_adjust
from points.holding import MOST_HOLDS
from points.models import Hold, PointAccount


class ReleaseForm(forms.Form):
    # Made with the page, so that the same page sent twice releases once.
    key = forms.UUIDField(widget=forms.HiddenInput, error_messages=dict.fromkeys(("required", "invalid"), INCOMPLETE))


def tables(
    request: HttpRequest, accounts: Sequence[PointAccount], *, is_of_customer: bool = False
) -> list[dict[str, Any]]:
    """This will answer the table of the holds that are active in accounts, the first to lapse first; none where there
    are none. Those of a customer's page are released from there."""
    known = {account.pk: account for account in accounts}
    holds = Hold.objects.filter(account_id__in=known, status=Hold.Status.ACTIVE, expires_at__gt=timezone.now())
    shown = list(holds.order_by("expires_at", "id")[:MOST_HOLDS])
    rows = [
        [
            _points(hold, known[hold.account_id]),
            hold.reference or console.NOTHING,
            console.moment(hold.created_at, known[hold.account_id].program),
            console.moment(hold.expires_at, known[hold.account_id].program),
        ]
        for hold in shown
    ]
    if not rows:
        return []
    may_release = may_adjust(request)
    deeds = [[_release(hold, known[hold.account_id], is_of_customer)] if may_release else [] for hold in shown]
    table = {"headers": ["Points", "For", "Since", "Lapses"], "rows": rows}
    return [{"title": "Held points", "table": in_place.with_deeds(table, deeds)}]


def release(
    page: console.TableAdmin, request: HttpRequest, *, account: PointAccount, hold_id: uuid.UUID
) -> HttpResponse:
    """This will ask whether the points of a hold shall be available again, and post it."""
    if not may_adjust(request):
        raise PermissionDenied
    hold = Hold.objects.filter(account_id=account.pk, id=hold_id).first()
    if hold is None:
        raise Http404
    form = ReleaseForm(request.POST if request.method == "POST" else None, initial={"key": uuid.uuid4()})
    if form.is_valid() and _post(request, form, account, hold):
        messages.success(request, f"{_points(hold, account)} points are available again.")
        return HttpResponseRedirect(in_place.back(request, account.customer, account))
    program = account.program
    return page.ask(
        request,
        console.Titled(account, f"{account.customer} · {account.definition}"),
        form=form,
        title="Release these points?",
        deed="Release",
        explanation="Whoever set them aside, a checkout for example, cannot redeem them any more.",
        facts=[
            ("Customer", console.link(account.customer)),
            ("Points", _points(hold, account)),
            ("For", hold.reference or console.NOTHING),
            ("Since", console.moment(hold.created_at, program)),
            ("Lapses", console.moment(hold.expires_at, program)),
        ],
        back=in_place.back(request, account.customer, account),
    )


def _post(request: HttpRequest, form: ReleaseForm, account: PointAccount, hold: Hold) -> bool:
    key = idempotency.of_form(form.cleaned_data["key"], path="admin/release", body={"hold": str(hold.id)})
    note = ledger.Note(
        reason=reasons.RELEASED, actor=console.actor(request), staff_member=console.staff_member(request)
    )
    try:
        ledger.release(
            account=settling.ref(account), hold_id=hold.id, note=note, at=timezone.now(), key=key, render=_render
        )
    except errors.Unavailable:
        form.add_error(None, "The database did not answer in time. Send the page again: it releases once.")
        return False
    except errors.Refusal as refusal:
        console.tell(form, refusal)
        return False
    return True


def _render(outcome: ledger.Outcome) -> idempotency.Answer:
    return idempotency.Answer(status=200, body=orjson.dumps({"balance": str(outcome.balance)}))


def _points(hold: Hold, account: PointAccount) -> str:
    return console.amount(hold.points, places=account.definition.decimal_places)


def _release(hold: Hold, account: PointAccount, is_of_customer: bool) -> in_place.Deed:
    page, named = "admin:points_pointaccount_release", (hold.account_id, hold.id)
    address = in_place.leading_back(page, *named) if is_of_customer else reverse(page, args=named)
    return in_place.Deed("Release", f"{_points(hold, account)} points", address)
