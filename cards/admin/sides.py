"""Who a customer is and what the customer has, in a few lines, before something is done that cannot be undone."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from cards.models import Customer
from loyalty import console
from points import accounts, statements


def facts(request: HttpRequest, customer: Customer) -> list[tuple[str, Any]]:
    """This will tell the person, and of cards and points what the member of staff may see."""
    told: list[tuple[str, Any]] = [
        ("Customer", console.link(customer)),
        ("E-mail", customer.email or console.NOTHING),
        ("Phone", customer.phone or console.NOTHING),
        ("The shop's id", customer.external_id or console.NOTHING),
        ("Since", console.moment(customer.created_at, customer.program)),
    ]
    if request.user.has_perm("cards.view_card"):
        numbers = customer.cards.order_by("created_at", "pk").values_list("number", flat=True)
        told.append(("Cards", ", ".join(numbers) or console.NOTHING))
    if request.user.has_perm("points.view_pointaccount"):
        told += _points(customer)
    return told


def _points(customer: Customer) -> list[tuple[str, Any]]:
    refs = accounts.all_of(customer.program, customer.pk)
    known = statements.balances(accounts=refs, at=timezone.now())
    return [
        (
            "Balance" if len(refs) == 1 else f"Balance: {ref.definition}",
            _told(known[ref.id], ref.definition.decimal_places),
        )
        for ref in refs
    ]


def _told(known: statements.Statement, places: int) -> str:
    parts = [console.amount(known.balance, places=places)]
    parts += [
        f"{console.amount(points, places=places)} {name}"
        for name, points in (("pending", known.pending), ("held", known.held))
        if points
    ]
    return ", ".join(parts)
