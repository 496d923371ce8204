"""The page on which customers say that they want no more e-mails, or want them again. Its address is in the e-mail:
whoever has it may, and needs no login."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from cards.models import Customer
from notices import texts, unsubscribing
from notices.kinds import ALL
from notices.unsubscribing import Link

_METHODS = ("GET", "HEAD", "POST")


# A mail reader that unsubscribes for the customer (RFC 8058) has no cookie of ours; nobody else knows the address.
@csrf_exempt
@never_cache
def page(request: HttpRequest, token: str) -> HttpResponse:
    """This will show what the customer gets, and change it when asked by POST: a GET changes nothing, since mail
    servers and readers open links by themselves."""
    if request.method not in _METHODS:
        return HttpResponseNotAllowed(_METHODS)
    link = unsubscribing.read(token)
    if link is None:
        with translation.override(translation.get_language_from_request(request)):
            return _answer(request, {"heading": _("This link does not work"), "text": _none()}, status=404)
    if request.method == "POST":
        _change(request, link)
    customer = unsubscribing.find(link)
    if customer is None:
        # What was wanted holds, whoever asks.
        with translation.override(translation.get_language_from_request(request)):
            return _answer(request, {"heading": _("You get no e-mails"), "text": ""})
    with translation.override(texts.language_of(customer.locale, customer.program)):
        return _answer(request, _state(customer, link))


def _change(request: HttpRequest, link: Link) -> None:
    wanted = request.POST.get("choice")
    if wanted == "again":
        unsubscribing.resubscribe(link=link)
    elif wanted == ALL:
        unsubscribing.unsubscribe(link=link, everything=True)
    elif wanted == "group" or request.POST.get("List-Unsubscribe") == "One-Click":
        unsubscribing.unsubscribe(link=link)


def _state(customer: Customer, link: Link) -> dict[str, Any]:
    """This will answer what the page says: how it is, and what can be chosen."""
    names = {"programme": customer.program.name, "group": texts.group(link.group)}
    again = ("again", _("Get all e-mails again"))
    everything = (ALL, _("Unsubscribe from all e-mails"))
    if ALL in customer.unsubscribed_from:
        heading, choices = _("You get no e-mails"), [again]
        text = _("%(programme)s does not write to you any more about your points and tiers.") % names
    elif link.group.value in customer.unsubscribed_from:
        heading, choices = _("You are unsubscribed"), [everything, again]
        text = _("You get no more %(group)s from %(programme)s.") % names
    else:
        heading, choices = _("Unsubscribe"), [("group", _("Unsubscribe")), everything]
        text = _("You get %(group)s from %(programme)s by e-mail.") % names
    return {"heading": heading, "text": text, "choices": choices}


def _none() -> str:
    return _("Copy the whole link from the e-mail, or answer the e-mail.")


def _answer(request: HttpRequest, told: dict[str, Any], *, status: int = 200) -> HttpResponse:
    context = {"language": translation.get_language(), "choices": [], **told}
    response = render(request, "notices/unsubscribe.html", context, status=status)
    response.headers["Content-Language"] = str(translation.get_language())
    response.headers["X-Robots-Tag"] = "noindex"
    # The address is all that is needed to unsubscribe somebody: no other site is told it.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
