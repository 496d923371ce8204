"""Taking in many customers and cards at once, as another system had them."""

import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q, Value
from django.db.models.functions import Lower

from cards import customers, membership
from cards.models import Card, Customer, looks_like_ours
from events import outbox
from events.models import EventType
from loyalty import errors
from loyalty.models import Program


class TakenIn(errors.InvalidParameters):
    """A customer or a card cannot be taken in: another has what would be this one's."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Newcomer:
    """A customer as another system says: known by the shop's own id, or where there is none by the e-mail address."""

    external_id: str | None
    email: str | None
    said: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class NewCard:
    """A card as another system says. Without a number it is one for whoever has none."""

    customer_id: uuid.UUID
    number: str | None
    status: str
    design: str
    expires_at: datetime.datetime | None
    metadata: Mapping[str, Any]


@dataclasses.dataclass(slots=True)
class Taken:
    """What became of one of those who were to be taken in: made, changed, or as it was; or a refusal."""

    is_new: bool = False
    is_changed: bool = False
    refusal: errors.Refusal | None = None


def take_in(*, program: Program, people: Sequence[Newcomer], is_changing: bool) -> list[Taken]:
    """This will make those of the people customers who are not, in the caller's transaction, and answer what became of
    each. Who is there stays as they are, or is changed to what is said, where that is wanted.

    Raises:
        errors.Unavailable: others were made with the same ids at the same time.
    """
    by_id, by_email = _known(program, people)
    taken = [Taken() for _ in people]
    made: list[Customer] = []
    for person, fate in zip(people, taken, strict=True):
        found = by_id.get(person.external_id) if person.external_id else by_email.get((person.email or "").lower())
        owner = by_email.get((person.email or "").lower())
        if person.external_id and looks_like_ours(person.external_id):
            fate.refusal = TakenIn({"external_id": ["It looks like an id of this service."]})
        elif owner is not None and owner != found:
            fate.refusal = TakenIn({"email": ["Another customer has this e-mail address."]})
        elif found is None:
            fate.is_new = True
            new = Customer(program=program, external_id=person.external_id, email=person.email, **person.said)
            made.append(new)
            _note(new, by_id, by_email)
        elif is_changing:
            _change(found, person, fate)
    Customer.objects.bulk_create(made, ignore_conflicts=True)
    rows = program.customers.filter(pk__in=[customer.pk for customer in made]).order_by("pk")
    if rows.count() < len(made):
        # The INSERT has waited for whoever made them; the next try finds them.
        raise errors.Unavailable
    outbox.record(EventType.CUSTOMER_CREATED, rows, program=program)
    return taken


def issue(*, program: Program, cards: Sequence[NewCard], at: datetime.datetime) -> list[Taken]:
    """This will make the cards that are not there, in the caller's transaction, and answer what became of each.

    Raises:
        errors.Unavailable: others were made with the same numbers at the same time.
    """
    # Whoever erases or merges them waits for this, or has been waited for.
    owners = Customer.objects.select_for_update(no_key=True).filter(pk__in={card.customer_id for card in cards})
    present = {customer.pk for customer in owners.order_by("pk") if not (customer.merged_into_id or customer.erased_at)}
    known = dict(
        program.cards.filter(number__in=[card.number for card in cards if card.number]).values_list(
            "number", "customer_id"
        )
    )
    with_card = set(program.cards.filter(customer_id__in=present).values_list("customer_id", flat=True))
    taken = [Taken() for _ in cards]
    made: list[Card] = []
    for card, fate in zip(cards, taken, strict=True):
        if card.customer_id not in present:
            fate.refusal = TakenIn({"customer": ["There is no such customer any more."]})
        elif card.number is None and card.customer_id in with_card:
            continue
        elif card.number in known:
            if known[card.number] != card.customer_id:
                fate.refusal = TakenIn({"number": ["Another customer has the card of this number."]})
        else:
            fate.is_new = True
            made.append(_card(program, card, at))
            known[made[-1].number] = card.customer_id
            with_card.add(card.customer_id)
    Card.objects.bulk_create(made, ignore_conflicts=True)
    rows = program.cards.filter(pk__in=[card.pk for card in made]).order_by("pk")
    if rows.count() < len(made):
        raise errors.Unavailable
    outbox.record(EventType.CARD_CREATED, rows, program=program)
    return taken


Known = dict[str | None, Customer]


def _known(program: Program, people: Iterable[Newcomer]) -> tuple[Known, Known]:
    """This will answer the customers who have the ids, and those who have the e-mail addresses."""
    external_ids = [person.external_id for person in people if person.external_id]
    # The database makes them small, as it does with what it has: Python does it otherwise for some letters.
    emails = [Lower(Value(person.email)) for person in people if person.email]
    by_id: Known = {}
    by_email: Known = {}
    found = program.customers.alias(lowered=Lower("email"))
    # Two statements: an index answers each.
    for condition in (Q(external_id__in=external_ids), Q(lowered__in=emails)):
        for customer in found.filter(condition):
            _note(customer, by_id, by_email)
    return by_id, by_email


def _note(customer: Customer, by_id: Known, by_email: Known) -> None:
    if customer.external_id:
        by_id[customer.external_id] = customer
    if customer.email:
        by_email[customer.email.lower()] = customer


def _change(customer: Customer, person: Newcomer, fate: Taken) -> None:
    """This will change what is said of a customer who is there, and leave what the file leaves empty."""
    said = {"email": person.email, **person.said}
    changes = {name: value for name, value in said.items() if value and value != getattr(customer, name)}
    if customer.merged_into_id is not None or not changes:
        return
    try:
        customers.change(customer=customer, changes=changes)
    except errors.Refusal as refusal:
        fate.refusal = refusal
    else:
        fate.is_changed = True


def _card(program: Program, card: NewCard, at: datetime.datetime) -> Card:
    is_blocked = card.status == Card.Status.BLOCKED
    return Card(
        program=program,
        customer_id=card.customer_id,
        number=card.number or membership.draw_number(),
        design=card.design,
        status=card.status,
        blocked_at=at if is_blocked else None,
        status_reason="Imported" if is_blocked else "",
        expires_at=card.expires_at,
        metadata=dict(card.metadata),
    )
