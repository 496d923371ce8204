"""The page on which staff erase a person: it says what goes and what stays."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from cards.admin import deeds, sides
from cards.models import Customer
from loyalty import console
from rewards import persons
from staff.audit import Action

_EXPLANATION = "All points are forfeited, also pending and held ones, and the cards are stopped. It cannot be undone."
_GOES = (
    "Name, e-mail address, phone, the shop's id, language and metadata, also of those who were merged into this "
    "customer; reasons, references and notes that people wrote about them."
)
_STAYS = "The entries of the ledger with their amounts and dates, under a number that names nobody."


def erase(page: console.TableAdmin, request: HttpRequest, *, customer: Customer) -> HttpResponse:
    """This will ask whether a person shall be erased, and do it."""
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid() and deeds.run(form, lambda: _erase(page, request, customer)):
        messages.success(request, "The person is erased.")
        return HttpResponseRedirect(console.address(customer))
    return page.ask(
        request,
        customer,
        form=form,
        title=f"Erase {customer}?",
        deed="Erase for good",
        explanation=_EXPLANATION,
        facts=[*sides.facts(request, customer), ("What goes", _GOES), ("What stays", _STAYS)],
        is_danger=True,
    )


def _erase(page: console.TableAdmin, request: HttpRequest, customer: Customer) -> bool:
    persons.erase(customer=customer, actor=console.actor(request), at=timezone.now())
    page.log_change(request, Customer.objects.get(pk=customer.pk), "Erased.", action=Action.ERASED)
    return True
