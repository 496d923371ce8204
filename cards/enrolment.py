"""Enrolling many customers at once, with a card each."""

import dataclasses
import functools
import uuid
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Case, QuerySet, Value, When
from django.db.models.functions import Coalesce

from cards import membership
from cards.models import Card, Customer, looks_like_ours
from events import outbox
from events.models import EventType
from loyalty import errors, retry
from loyalty.models import Program

BATCH = 1_000

# The customer, or whom that one was merged into.
_OWNER = Coalesce("merged_into", "pk")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Whom to enrol, by the shop's own id."""

    external_id: str
    email: str | None = None
    name: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A customer and one of the customer's cards: an active one, where there is one. Who was merged into another is
    told under the own id, with a card of the other."""

    customer_id: uuid.UUID
    card_id: uuid.UUID
    is_new: bool = False


def enrol(*, program: Program, people: Sequence[Person]) -> dict[str, Member]:
    """This will make those of the people customers who are not, give a card to those who have none, and answer all of
    them by the shop's own id, except those whose e-mail address another customer has, or whose id looks like one of
    ours. Who is there stays as they are.

    Raises:
        errors.Unavailable: the database does not answer; what was done so far stays.
    """
    members: dict[str, Member] = {}
    # Sorted, so that two that run at once meet in one order.
    everybody = sorted(people, key=lambda person: person.external_id)
    for start in range(0, len(everybody), BATCH):
        batch = everybody[start : start + BATCH]
        members |= _find(program, batch)
        missing = [p for p in batch if p.external_id not in members and not looks_like_ours(p.external_id)]
        if missing:
            drawn = retry.run(functools.partial(_make, program, missing))
            members |= _find(program, missing, drawn)
    return members


def _find(program: Program, people: Sequence[Person], drawn: frozenset[uuid.UUID] = frozenset()) -> dict[str, Member]:
    active_first = Case(When(status=Card.Status.ACTIVE, then=Value(0)), default=Value(1))
    named = list(_named(program, people).values_list("external_id", "pk", _OWNER))
    cards = (
        program.cards.filter(customer_id__in={owner_id for _, _, owner_id in named})
        .order_by("customer_id", active_first, "created_at", "pk")
        .distinct("customer_id")
    )
    usual = dict(cards.values_list("customer_id", "pk"))
    return {
        str(external_id): Member(customer_id=customer_id, card_id=usual[owner_id], is_new=customer_id in drawn)
        for external_id, customer_id, owner_id in named
        if owner_id in usual
    }


def _named(program: Program, people: Sequence[Person]) -> QuerySet[Customer]:
    """This will answer the customers whom the shop's own ids name."""
    return program.customers.filter(external_id__in=[person.external_id for person in people])


@transaction.atomic
def _make(program: Program, people: Sequence[Person]) -> frozenset[uuid.UUID]:
    """This will make customers and cards, and answer the ids that were tried for the customers."""
    customers = [
        Customer(program=program, external_id=person.external_id, email=person.email, name=person.name)
        for person in people
    ]
    Customer.objects.bulk_create(customers, ignore_conflicts=True)
    owners = _named(program, people).order_by("pk")
    # Of two that run at once, the second sees the cards of the first.
    owner_ids = list(dict.fromkeys(owners.select_for_update(no_key=True).values_list(_OWNER, flat=True)))
    drawn: list[uuid.UUID] = []
    for _ in range(membership.MOST_DRAWS):
        with_card = set(program.cards.filter(customer_id__in=owner_ids).values_list("customer_id", flat=True))
        owner_ids = [pk for pk in owner_ids if pk not in with_card]
        if not owner_ids:
            tried = frozenset(customer.pk for customer in customers)
            made = program.customers.filter(pk__in=tried).order_by("pk")
            outbox.record(EventType.CUSTOMER_CREATED, made, program=program)
            issued = program.cards.filter(pk__in=drawn).order_by("pk")
            outbox.record(EventType.CARD_CREATED, issued, program=program)
            return tried
        cards = [Card(program=program, customer_id=pk, number=membership.draw_number()) for pk in owner_ids]
        Card.objects.bulk_create(cards, ignore_conflicts=True)
        drawn += [card.pk for card in cards]
    raise errors.Unavailable
