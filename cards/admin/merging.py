"""The pages on which staff merge a customer into another one who is the same person: whom, then both side by side."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import urlencode
from unfold import widgets

from cards import membership, search
from cards.admin import deeds, sides
from cards.models import Customer
from loyalty import console
from loyalty.models import Program
from rewards import persons
from staff.audit import Action

_NOBODY = "Nobody in this programme has this card number, e-mail address or id."
_SELF = "That is this customer. Name the other one."


class OtherForm(forms.Form):
    """Names the customer who stays."""

    other = forms.CharField(
        label="The other customer",
        max_length=search.LONGEST_TERM,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text="A card number, the e-mail address or an id.",
    )

    def __init__(self, *args: Any, customer: Customer, **options: Any) -> None:
        super().__init__(*args, **options)
        self.customer = customer

    def clean_other(self) -> Customer:
        """This will find the customer who is meant.

        Raises:
            forms.ValidationError: there is none, or it is the same one.
        """
        try:
            other = membership.of_today(search.one(self.customer.program, self.cleaned_data["other"]))
        except membership.CustomerNotFound as refusal:
            raise forms.ValidationError(_NOBODY) from refusal
        if other == self.customer:
            raise forms.ValidationError(_SELF)
        return other


def merge(page: console.TableAdmin, request: HttpRequest, *, customer: Customer) -> HttpResponse:
    """This will ask for the other customer, show both sides, and merge them."""
    into = _named(customer.program, request.GET.get("into", ""))
    if into is None or into == customer:
        return _ask_whom(page, request, customer)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid():
        survivor = deeds.run(form, lambda: _merge(page, request, customer, into))
        if survivor is not None:
            messages.success(request, f"Merged. All that both customers had is {survivor}'s now.")
            return HttpResponseRedirect(console.address(survivor))
    return _show_both(page, request, customer, into, form)


def _merge(page: console.TableAdmin, request: HttpRequest, customer: Customer, into: Customer) -> Customer:
    survivor = persons.merge(customer=customer, into=into, actor=console.actor(request), at=timezone.now())
    # By ids: a name would outlast the person's erasure.
    done, told = Action.MERGED, {"into": survivor}
    page.log_change(request, customer, f"Merged into {survivor.pk}.", action=done, facts=told)
    told = {"merged": customer}
    page.log_change(request, survivor, f"{customer.pk} was merged into this one.", action=done, facts=told)
    return survivor


def _named(program: Program, key: str) -> Customer | None:
    try:
        named = program.customers.filter(pk=uuid.UUID(key)).select_related("merged_into").first()
        return membership.of_today(named)
    except (ValueError, membership.CustomerNotFound):
        return None


def _ask_whom(page: console.TableAdmin, request: HttpRequest, customer: Customer) -> HttpResponse:
    form = OtherForm(request.POST if request.method == "POST" else None, customer=customer)
    if form.is_valid():
        return HttpResponseRedirect(f"{request.path}?{urlencode({'into': form.cleaned_data['other'].pk})}")
    return page.ask(
        request,
        customer,
        form=form,
        title=f"Merge {customer} into whom?",
        deed="Show both",
        explanation="For two records of one person. The other one stays; nothing happens yet.",
    )


def _show_both(
    page: console.TableAdmin, request: HttpRequest, customer: Customer, into: Customer, form: forms.Form
) -> HttpResponse:
    request.current_app = admin.site.name
    context = {
        **admin.site.each_context(request),
        "opts": page.opts,
        "original": customer,
        "title": f"Merge {customer} into {into}?",
        "form": form,
        "sides": [
            {"title": "This one goes", "facts": sides.facts(request, customer)},
            {"title": "This one stays", "facts": sides.facts(request, into)},
        ],
        "another": request.path,
        "back": console.address(customer),
    }
    return TemplateResponse(request, "admin/merge.html", context)
