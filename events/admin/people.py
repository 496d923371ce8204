"""Whose events and deliveries they are."""

import uuid
from collections.abc import Iterable
from typing import Any

from cards import search
from cards.models import Customer
from loyalty import console
from points.admin import accounts

# A customer, and the programme.
Person = tuple[uuid.UUID, uuid.UUID]


class PeopleList(console.CappedList):
    """A list whose rows know their customer."""

    def get_results(self, request: Any) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        known = Customer.objects.in_bulk({row.customer_id for row in self.result_list if row.customer_id})
        for row in self.result_list:
            row.customer = known.get(row.customer_id)


def link(row: Any) -> str:
    """This will write a link to the customer of an event or a delivery."""
    # On a page of its own no list has looked for the customer.
    found = row.customer if hasattr(row, "customer") else Customer.objects.filter(pk=row.customer_id).first()
    return console.NOTHING if found is None else console.link(found)


def meant_by(term: str) -> list[Person]:
    """This will answer the customers that a search means, and who were merged into those."""
    found = list(search.customers(term).values_list("pk", "program_id")[: accounts.MOST_CUSTOMERS])
    merged = Customer.objects.filter(merged_into__in=[customer for customer, _ in found])
    return [*found, *merged.values_list("pk", "program_id")]


def owner_ids(persons: Iterable[Person]) -> list[uuid.UUID]:
    """This will answer under which accounts events of customers are: theirs, and the customer for person and cards."""
    known = list(persons)
    return [*(customer for customer, _ in known), *accounts.ids_of(known)]
