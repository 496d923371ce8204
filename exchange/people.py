"""Whom rows name: by the shop's own id, by an e-mail address or by a card."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce, Lower

from cards.models import Customer
from exchange.columns import Column, card_number, email, matching, text
from loyalty import ids
from loyalty.models import Program

# How a row may name a customer, in the order in which they are taken.
NAMED_BY = ("external_id", "email", "card_number", "customer_id")
COLUMNS = (
    Column(
        name="external_id",
        headings=("customer", "customer_external_id"),
        read=text(100),
        help="The shop's own id of the customer.",
        example="customer-77",
    ),
    Column(name="email", headings=("e_mail", "customer_email"), read=email, help="The customer's e-mail address."),
    Column(name="card_number", headings=("card",), read=card_number, help="The number of a card of the customer."),
    Column(
        name="customer_id",
        read=matching("cus_[0-9a-f]{32}", "It is not an id of this service."),
        help="The id that this service gave the customer, as exports have it.",
    ),
)
NOBODY = [("external_id", "The row names no customer: by external_id, email, card_number or customer_id.")]


def name(said: Mapping[str, Any]) -> str:
    """This will answer how a row names its customer, as one text; nothing where it names none."""
    for column in NAMED_BY:
        if said.get(column):
            value = said[column].lower() if column == "email" else said[column]
            return f"{column}:{value}"
    return ""


class People:
    """The customers whom some rows name."""

    def __init__(self, program: Program, rows: Sequence[Mapping[str, Any]]) -> None:
        self.found: dict[str, dict[str, uuid.UUID]] = {
            "customer_id": _by_our_id(program, {row["customer_id"] for row in rows if row["customer_id"]}),
            "external_id": _by_external_id(program, {row["external_id"] for row in rows if row["external_id"]}),
            "email": _by_email(program, {row["email"] for row in rows if row["email"]}),
            "card_number": _by_card(program, {row["card_number"] for row in rows if row["card_number"]}),
        }

    def of(self, said: Mapping[str, Any]) -> tuple[uuid.UUID | None, list[tuple[str, str]]]:
        """This will answer the customer whom a row names, as who that is today; or why there is none, by column."""
        faults = []
        named = set()
        columns = [column for column in NAMED_BY if said.get(column)]
        # Our own id is of no use where the file comes from another programme; then something else names the customer.
        for column in [column for column in columns if column != "customer_id"] or columns:
            value = said[column].lower() if column == "email" else said[column]
            customer_id = self.found[column].get(value)
            if customer_id is None:
                faults.append((column, "There is no such customer in the programme."))
            else:
                named.add(customer_id)
        if len(named) > 1:
            faults.append(("external_id", "The columns name different customers."))
        if faults or not named:
            return None, faults or NOBODY
        return named.pop(), []


# Who was merged into another is that one.
_TODAY = Coalesce("merged_into", "pk")


def _present(program: Program) -> QuerySet[Customer]:
    return program.customers.filter(erased_at=None)


def _by_our_id(program: Program, references: Iterable[str]) -> dict[str, uuid.UUID]:
    keys = [key for reference in references if (key := ids.parse("cus", reference))]
    rows = _present(program).filter(pk__in=keys).values_list("pk", _TODAY) if keys else ()
    return {ids.public("cus", pk): today for pk, today in rows}


def _by_external_id(program: Program, external_ids: set[str]) -> dict[str, uuid.UUID]:
    rows = _present(program).filter(external_id__in=external_ids).values_list("external_id", _TODAY)
    return {str(external_id): today for external_id, today in rows}


def _by_email(program: Program, emails: set[str]) -> dict[str, uuid.UUID]:
    # The database makes both small: Python does it otherwise for some letters.
    lowered = [Lower(Value(email)) for email in emails]
    rows = _present(program).alias(lowered=Lower("email")).filter(lowered__in=lowered)
    return {email.lower(): today for email, today in rows.values_list("email", _TODAY)}


def _by_card(program: Program, numbers: set[str]) -> dict[str, uuid.UUID]:
    cards = program.cards.filter(number__in=numbers, customer__erased_at=None)
    return dict(cards.values_list("number", Coalesce("customer__merged_into", "customer_id")))
