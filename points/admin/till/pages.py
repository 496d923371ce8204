"""The till's pages, one address each. They are behind the admin's login and ask for the permission to use the till."""

import functools
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from cards import membership
from cards.models import Customer
from loyalty import console, errors, in_place
from loyalty.models import Program
from points.admin.adjusting import INCOMPLETE
from points.admin.till import deeds, finding, showing
from points.admin.till.forms import OnceForm, SearchForm
from points.admin.till.showing import Visit
from points.models import AccountRef
from rewards import redemptions
from rewards.models import Redemption

PERMISSION = "points.use_till"
_REMEMBERED = "till"  # In the session: the slug of the programme that the till was last of.
_COLOURS = {"active": "success", "used": "info", "cancelled": "danger", "expired": "warning"}

Page = Callable[..., HttpResponse]


def _for_staff(page: Page) -> Page:
    @functools.wraps(page)
    def guarded(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        return page(request, *args, **named)

    return admin.site.admin_view(guarded)


@_for_staff
def open_till(request: HttpRequest) -> HttpResponse:
    """This will lead to the till of the programme that it was last of, or of the only one, or ask for one."""
    programs = list(_programs())
    chosen = [program for program in programs if program.slug == request.session.get(_REMEMBERED)] or programs
    if len(chosen) == 1:
        return HttpResponseRedirect(reverse("till_find", args=[chosen[0].slug]))
    return _page(request, "find", {"title": "Till", "programs": programs})


@_for_staff
def find(request: HttpRequest, slug: str) -> HttpResponse:
    """This will ask for a customer or a code, and lead there, or list whom else it may mean."""
    program = _program(request, slug)
    if "q" not in request.GET:
        return _asking(request, program)
    form = SearchForm(request.GET)
    if not form.is_valid():
        return _asking(request, program, term=request.GET["q"], problem=" ".join(map(str, form.errors["q"])))
    term = form.cleaned_data["q"]
    try:
        code = finding.code(program, term, at=timezone.now())
    except errors.Unavailable:
        return _asking(request, program, term=term, problem="The database did not answer in time. Try again.")
    if code is not None:
        return HttpResponseRedirect(showing.code_address(program, code.code))
    shown = finding.card(program, term)
    if shown is not None:
        return HttpResponseRedirect(_address(program, shown.customer, card=shown.number))
    found, is_cut = finding.customers(program, term)
    if len(found) == 1 and not is_cut:
        return HttpResponseRedirect(_address(program, found[0]))
    problem = "" if found else f"Nobody in {program} is found by “{term}”."
    return _asking(request, program, term=term, problem=problem, found=found, is_cut=is_cut)


@_for_staff
def customer(request: HttpRequest, slug: str, customer_id: uuid.UUID) -> HttpResponse:
    """This will show a customer and what can be done, and do it."""
    program = _program(request, slug)
    known = get_object_or_404(program.customers.select_related("merged_into"), pk=customer_id)
    try:
        today = membership.of_today(known)
    except membership.CustomerNotFound as refusal:
        raise Http404 from refusal
    if today != known:
        # What was asked for of the one is asked for of the other, but for the card: that may be another's by now.
        asked = {name: request.GET[name] for name in ("from", "points") if name in request.GET}
        return HttpResponseRedirect(_address(program, today, **asked))
    visit = _visit(request, program, today)
    record = console.address(today) if request.user.has_perm("cards.view_customer") else None
    back = record if in_place.is_from_customer(request) else None
    offered = {name: deeds.form(name, visit) for name in deeds.offered(visit)}
    sent = ""
    if request.method == "POST":
        sent = request.POST.get("deed", "")
        if sent not in offered:
            messages.error(request, INCOMPLETE)
            return HttpResponseRedirect(request.get_full_path())
        form = offered[sent] = deeds.form(sent, visit, request.POST)
        if form.is_valid() and (done := deeds.do(sent, form, visit)) is not None:
            messages.success(request, done.message)
            # To the top, where it says so: a browser keeps the place that the form was sent to.
            return HttpResponseRedirect(f"{done.address or back or request.get_full_path()}#page")
    context = showing.sections(visit, at=timezone.now())
    context |= _services(offered, sent, context["rewards"])
    return _page(
        request,
        "customer",
        context
        | {
            "title": str(today),
            "subtitle": "Till",
            "program": program,
            "customer": today,
            "about": showing.about(today),
            "visit": visit,
            "record": record,
        },
    )


@_for_staff
def code(request: HttpRequest, slug: str, code: str) -> HttpResponse:
    """This will show a code, large, and use it."""
    program = _program(request, slug)
    try:
        redemption = redemptions.find(program=program, reference=code, at=timezone.now())
    except redemptions.RedemptionNotFound as refusal:
        raise Http404 from refusal
    form = OnceForm(request.POST if request.method == "POST" else None, initial={"key": uuid.uuid4()})
    if form.is_valid():
        try:
            key = deeds.key_of("use", dict(form.cleaned_data), code=redemption.code)
            done = deeds.take(program, redemption, key, actor=console.actor(request))
        except errors.Refusal as refusal:
            deeds.tell(form, refusal, redemption.definition.decimal_places)
            redemption = redemptions.find(program=program, reference=code, at=timezone.now())
        else:
            messages.success(request, done.message)
            return HttpResponseRedirect(f"{done.address}#page")
    return _page(request, "code", _told(program, redemption) | {"form": form})


def _programs() -> QuerySet[Program]:
    return Program.objects.order_by("name", "pk")


def _program(request: HttpRequest, slug: str) -> Program:
    program = get_object_or_404(Program, slug=slug)
    if request.session.get(_REMEMBERED) != slug:
        request.session[_REMEMBERED] = slug
    return program


def _address(program: Program, customer: Customer, **query: str) -> str:
    page = reverse("till_customer", args=[program.slug, customer.pk])
    return f"{page}?{urlencode(query)}" if query else page


def _visit(request: HttpRequest, program: Program, customer: Customer) -> Visit:
    card = None
    if number := request.GET.get("card", ""):
        card = finding.card(program, number)
    kinds = list(program.definitions.order_by("-is_default", "number"))
    definition = next((kind for kind in kinds if kind.code == request.GET.get("points")), kinds[0])
    return Visit(
        request=request,
        customer=customer,
        account=AccountRef(program=program, definition=definition, customer_id=customer.pk),
        kinds=kinds,
        card=card if card is not None and card.customer_id == customer.pk else None,
    )


def _services(offered: dict[str, OnceForm], sent: str, rewards: list[dict[str, Any]]) -> dict[str, Any]:
    """This will answer the forms as the page lays them out; what was sent is in one of them."""
    wanted = offered.pop("reward")
    problems = []
    if sent == "reward":
        problems = [text for texts in wanted.errors.values() for text in texts]
        for reward in rewards:
            if reward["id"] == wanted["reward"].value():
                # Sent again it posts once, also where nobody knows whether it was posted.
                reward["key"] = wanted["key"].value()
    shown = [{"name": name, "service": deeds.SERVICES[name], "form": form} for name, form in offered.items()]
    return {"services": shown, "reward_problems": problems}


def _told(program: Program, redemption: Redemption) -> dict[str, Any]:
    state = redemption.state(timezone.now())
    return {
        "title": redemption.code,
        "subtitle": "Till",
        "program": program,
        "redemption": redemption,
        "reward": showing.reward_of(redemption),
        "discount": showing.discount(redemption),
        "state": state.label,
        "colour": _COLOURS[state.value],
        "is_active": state == Redemption.State.ACTIVE,
        "until": console.moment(redemption.expires_at, program) if redemption.expires_at else None,
        "used": console.moment(redemption.used_at, program) if redemption.used_at else None,
        "customer": redemption.customer,
        "customer_address": _address(program, redemption.customer),
    }


def _asking(
    request: HttpRequest,
    program: Program,
    *,
    term: str = "",
    problem: str = "",
    found: Sequence[Customer] = (),
    is_cut: bool = False,
) -> HttpResponse:
    people = [
        {"name": str(person), "about": showing.about(person), "address": _address(program, person)} for person in found
    ]
    context = {
        "title": "Till",
        "program": program,
        "programs": list(_programs()),
        "term": term,
        "problem": problem,
        "people": people,
        "is_cut": is_cut,
    }
    return _page(request, "find", context)


def _page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    request.current_app = admin.site.name
    return TemplateResponse(request, f"admin/till/{name}.html", {**admin.site.each_context(request), **context})
