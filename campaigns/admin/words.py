"""Conditions, numbers of customers and points in plain words."""

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from campaigns.conditions import Conditions
from campaigns.models import CardState, CustomerList
from cards.models import Customer
from loyalty import console
from loyalty.models import Program
from points.models import PointDefinition
from reports import periods

_RANGES = {"balance": "Balance", "earned": "Points earned", "spent": "Spent"}
_DAYS = {"active": "Last active", "joined": "Joined", "spent": "Bought"}


def customers(count: int) -> str:
    """This will write so many customers."""
    return f"{count:,} customer{'' if count == 1 else 's'}"


def points(value: Decimal, definition: PointDefinition) -> str:
    """This will write so many points of a definition."""
    return console.amount(value, places=definition.decimal_places)


def cost(value: Decimal, definition: PointDefinition, program: Program) -> str:
    """This will write so many points, and what they are worth where the definition says what one is."""
    worth = periods.money(value, definition)
    return points(value, definition) + ("" if worth is None else f" (worth {worth:,.2f} {program.currency})")


def offer(field: Any, program: Program | None) -> None:
    """This will have a field offer what a programme has, or what each has while none is chosen, under names that tell
    them apart: most programmes call their points alike."""
    rows = field.queryset.select_related("program").order_by("program__name", "program", "name", "pk")
    field.queryset = rows if program is None else rows.filter(program=program)
    if program is None:
        field.label_from_instance = lambda row: f"{row} · {row.program}"


def conditions(asked: Conditions, program: Program) -> str:
    """This will write what is asked for, in one line."""
    return "; ".join(_parts(asked, program)) or "All customers"


def table(found: list[Customer], *, is_linked: bool) -> dict[str, Any]:
    """This will tell customers as the rows of a table."""
    rows = [
        [
            console.link(customer) if is_linked else str(customer),
            customer.email or console.NOTHING,
            console.moment(customer.created_at, customer.program),
        ]
        for customer in found
    ]
    return {"headers": ["Customer", "E-mail", "Since"], "rows": rows}


def _parts(asked: Conditions, program: Program) -> Iterator[str]:
    if asked.tiers:
        names = dict(program.tiers.values_list("code", "name"))
        yield f"Tier {' or '.join(names.get(code, code) for code in asked.tiers)}"
    for name, words in _RANGES.items():
        least, most = getattr(asked, f"{name}_least"), getattr(asked, f"{name}_most")
        if least is not None or most is not None:
            yield f"{words} {_range(least, most)}"
    for name, words in _DAYS.items():
        first, end = getattr(asked, f"{name}_from_on"), getattr(asked, f"{name}_until_on")
        if first is not None or end is not None:
            yield f"{words} {_period(first, end)}"
    if asked.cards:
        yield " or ".join(CardState(state).label.lower() for state in asked.cards).capitalize()
    if asked.listing_id is not None:
        yield f"On the list {CustomerList.objects.get(pk=asked.listing_id)}"


def _range(least: Decimal | None, most: Decimal | None) -> str:
    if most is None or least is None:
        return f"{_number(least)} or more" if most is None else f"{_number(most)} or less"
    return f"from {_number(least)} to {_number(most)}"


def _number(value: Decimal | None) -> str:
    return "" if value is None else f"{value.normalize():,f}"


def _period(first: datetime.date | None, end: datetime.date | None) -> str:
    if end is None:
        return f"on {first} or later"
    return f"before {end}" if first is None else f"from {first} to before {end}"
