"""Customers and their cards: finding, enrolling, issuing. What stops a card from posting is in `points.membership`."""

import datetime
import secrets
import uuid
from typing import Any

from django.db import transaction
from django.db.models import Case, Q, QuerySet, Value, When
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cards.models import CARD_NUMBER, Card, Customer
from events import outbox
from events.models import EventType
from loyalty import errors, ids
from loyalty.models import Program

_DIGITS = 12
# Of a million million numbers a programme uses so few that a second draw is rare.
MOST_DRAWS = 10


class CardNotFound(errors.Refusal):
    """There is no such card in the programme."""

    code = "CARD_NOT_FOUND"
    status = 404
    message = gettext_noop("There is no such card.")

    def __init__(self, card_id: str) -> None:
        super().__init__(card_id=card_id[: errors.LONGEST_ECHO])


class CustomerNotFound(errors.NotFound):
    """There is no such customer in the programme."""

    message = gettext_noop("There is no such customer.")


class AnotherCustomer(errors.InvalidParameters):
    """The e-mail address is of another customer than the number."""

    def __init__(self) -> None:
        super().__init__({"user_email": [_("The address of another customer than user_id.")]}, rule="another")


class DuplicateCustomer(errors.Refusal):
    """The programme has a customer of that e-mail address, or of that id of the shop's own."""

    code = "DUPLICATE_CUSTOMER"
    status = 409
    message = gettext_noop("There is a customer with this e-mail address.")

    def __init__(self, existing_card_id: str | None = None, *, field: str = "email") -> None:
        """Take the field that is the other customer's, and a card of that one, where it is of use to the caller."""
        told = None if field == "email" else "There is a customer with this external id."
        super().__init__(told, existing_card_id=existing_card_id)
        self.faults = {field: [self.message]}


def parse(reference: str) -> uuid.UUID | str | None:
    """This will read how a card is named: by its id, by its printed number, or not at all."""
    if CARD_NUMBER.fullmatch(reference):
        return reference
    return ids.parse("card", reference)


def find(*, program: Program, reference: str) -> Card:
    """This will answer the programme's card of that id or number, its customer read with it.

    Raises:
        CardNotFound: there is none.
    """
    named = parse(reference)
    if named is not None:
        condition = {"number": named} if isinstance(named, str) else {"pk": named}
        card = program.cards.select_related("customer", "replaces").filter(**condition).first()
        if card is not None:
            return card
    raise CardNotFound(reference)


def find_by_serial(*, program: Program, serial: int) -> Card:
    """This will answer the programme's card of that number in the shop's API, its customer read with it.

    Raises:
        CardNotFound: there is none.
    """
    card = program.cards.select_related("customer").filter(serial=serial).first()
    if card is None:
        raise CardNotFound(str(serial))
    return card


def find_customer(*, program: Program, reference: str) -> Customer:
    """This will answer the programme's customer of that id, or whom that one was merged into.

    Raises:
        CustomerNotFound: there is none, or the customer was erased.
    """
    key = ids.parse("cus", reference)
    return of_today(program.customers.select_related("merged_into").filter(pk=key).first() if key else None)


def of_today(customer: Customer | None) -> Customer:
    """This will answer a customer who was found, `merged_into` with it, or whom that one was merged into.

    Raises:
        CustomerNotFound: none was found, or who it is by now was erased.
    """
    if customer is not None and customer.merged_into is not None:
        customer = customer.merged_into
    if customer is None or customer.erased_at is not None:
        raise CustomerNotFound
    return customer


def ids_of(customer_id: uuid.UUID) -> list[uuid.UUID]:
    """This will answer a customer's id, and those of all who were merged into the customer."""
    return [customer_id, *Customer.objects.filter(merged_into=customer_id).values_list("pk", flat=True)]


def find_shopper(*, program: Program, serial: int | None, email: str | None) -> Customer:
    """This will answer the programme's customer of that number in the shop's API, or else of that e-mail address.

    An address that nobody has goes with every number: the shop may know a newer one.

    Raises:
        CustomerNotFound: there is none.
        AnotherCustomer: the number is one customer's, the address another's.
    """
    known = program.customers.select_related("merged_into")
    by_email = None
    if email is not None:
        by_email = known.alias(lowered=Lower("email")).filter(lowered=Lower(Value(email))).first()
    customer = of_today(by_email if serial is None else known.filter(serial=serial).first())
    if by_email is not None and of_today(by_email) != customer:
        raise AnotherCustomer
    return customer


def usual_card(cards: QuerySet[Card]) -> Card | None:
    """This will answer the card of somebody who names none: the oldest one that is active now, or else the oldest."""
    is_active = Q(status=Card.Status.ACTIVE) & (Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    active_first = Case(When(is_active, then=Value(0)), default=Value(1))
    return cards.order_by(active_first, "created_at", "pk").first()


def enrol(*, program: Program, email: str, name: str, phone: str = "") -> Customer:
    """This will make a customer.

    Raises:
        DuplicateCustomer: the programme has one of that address, in whatever case.
    """
    customer = Customer(program=program, email=email, name=name, phone=phone)
    with transaction.atomic():
        Customer.objects.bulk_create([customer], ignore_conflicts=True)
        # Skipped where another has the address, or is being made with it: the INSERT has waited for that one.
        same = program.customers.alias(lowered=Lower("email")).get(lowered=Lower(Value(email)))
        if same.pk == customer.pk:
            outbox.record(EventType.CUSTOMER_CREATED, [same], program=program)
    if same.pk != customer.pk:
        # A replaced one would be of no use to the caller.
        card = usual_card(same.cards.all())
        raise DuplicateCustomer(existing_card_id=ids.public("card", card.pk) if card else None)
    return customer


def issue(
    *,
    customer: Customer,
    design: str = "default",
    expires_at: datetime.datetime | None = None,
    metadata: dict[str, Any] | None = None,
) -> Card:
    """This will give the customer an active card with a number that no other card of the programme has.

    Raises:
        errors.Unavailable: every number drawn was taken.
    """
    for _draw in range(MOST_DRAWS):
        card = Card(
            program_id=customer.program_id,
            customer=customer,
            number=draw_number(),
            design=design,
            expires_at=expires_at,
            metadata=metadata or {},
        )
        Card.objects.bulk_create([card], ignore_conflicts=True)
        issued = Card.objects.select_related("customer").filter(pk=card.pk).first()
        if issued is not None:
            return issued
    raise errors.Unavailable


def draw_number() -> str:
    """This will answer a number for a card, which another card may have."""
    return f"LC{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"


def change(
    *,
    card: Card,
    name: str | None = None,
    phone: str | None = None,
    design: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Card:
    """This will change what is given of a card and its customer; None: leave it.

    Raises:
        CardNotFound: the customer was erased, and says nothing any more.
    """
    with transaction.atomic():
        # Whoever erases the customer waits for this, or has been waited for.
        people = Customer.objects.select_for_update(no_key=True).filter(pk=card.customer_id, erased_at=None)
        customer = people.first()
        if customer is None:
            raise CardNotFound(ids.public("card", card.pk))
        card.customer = customer
        _save(card, design=design, metadata=metadata)
        if _save(customer, name=name, phone=phone):
            outbox.record(EventType.CUSTOMER_UPDATED, [customer], program=card.program)
    return card


def _save(row: Card | Customer, **changes: Any) -> bool:
    """This will write what is given, and answer whether anything is."""
    given = {name: value for name, value in changes.items() if value is not None}
    for name, value in given.items():
        setattr(row, name, value)
    if given and isinstance(row, Card):
        given["updated_at"] = row.updated_at = timezone.now()
    if given:
        row.save(update_fields=given)
    return bool(given)


def state(card: Card, *, at: datetime.datetime) -> str:
    """This will answer the card's status by the clock: what was set, or `expired` for an active one that has ended."""
    if card.status == Card.Status.ACTIVE and card.expires_at is not None and card.expires_at <= at:
        return "expired"
    return str(card.status)
