"""Whom the till's search field means: a customer of the programme, or a code that points were redeemed for."""

import contextlib
import datetime

from cards import membership, search
from cards.models import Card, Customer
from loyalty import ids
from loyalty.models import Program
from rewards import redemptions
from rewards.models import Redemption

MOST = 20


def code(program: Program, term: str, *, at: datetime.datetime) -> Redemption | None:
    """This will answer the redemption whose code a term is, in any case, or None."""
    if ids.parse("red", term) is None and not term.strip().upper().startswith("REDEEM-"):
        return None
    with contextlib.suppress(redemptions.RedemptionNotFound):
        return redemptions.find(program=program, reference=term, at=at)
    return None


def card(program: Program, term: str) -> Card | None:
    """This will answer the card whose number or id a term is, or None, also where its customer was erased."""
    named = term.strip()
    number = named.replace(" ", "").upper()
    with contextlib.suppress(membership.CardNotFound):
        found = membership.find(program=program, reference=number if number.startswith("LC") else named)
        return found if found.customer.erased_at is None else None
    return None


def customers(program: Program, term: str) -> tuple[list[Customer], bool]:
    """This will answer the first of the programme's customers that a term may mean, and whether there are more: those
    who were merged into others as these, without those who were erased. The shop's own id of somebody means that one
    alone."""
    named = program.customers.filter(external_id=term.strip())
    found = named if named.exists() else search.customers(term).filter(program=program)
    # Not all whom a common word may mean are put into order.
    some = found.filter(erased_at=None).order_by().values("pk")[: search.MOST]
    rows = list(Customer.objects.filter(pk__in=some).select_related("merged_into").order_by("name", "pk")[: MOST + 1])
    return list(dict.fromkeys(row.merged_into or row for row in rows[:MOST])), len(rows) > MOST
