"""What becomes of a customer with all that is the customer's: merged into another who is the same person, or erased.

Verbs of the highest app that customers have something in. They run in the caller's transaction, which locks the
accounts first, so that nothing posts meanwhile.
"""

import datetime
import uuid
from collections.abc import Sequence

from django.contrib.admin.models import LogEntry
from django.db import transaction

from cards.membership import of_today
from cards.models import Card, Customer
from events import outbox
from events.models import EventType
from loyalty import errors, idempotency, ids
from points import accounts, moves
from points.models import ERASED, PointAccount
from rewards import redemptions

# How often others may merge one of the two first.
_MOST_TRIES = 5

# What is taken over from the other where the survivor has none, and what it is there.
_BLANKS = {"email": None, "name": "", "phone": "", "locale": ""}


class MergedIntoItself(errors.InvalidParameters):
    """Both names are of one customer."""

    def __init__(self) -> None:
        super().__init__({"into": ["Must be another customer than the one who is merged."]}, rule="another")


def merge(*, customer: Customer, into: Customer, actor: str, at: datetime.datetime) -> Customer:
    """This will bring all that a customer has to another one, who is the same person, and answer that one: cards,
    points, holds, codes. From then on every name of the one means the other; vouchers of the one are the other's.

    What the survivor does not say is taken over: e-mail address, name, phone, language. Repeated, it answers the same.

    Raises:
        MergedIntoItself: both are one customer.
        cards.membership.CustomerNotFound: one of them was erased.
        errors.InvalidPoints: both together have more points than an account can hold.
        errors.Unavailable: others merge them all the time.
    """
    for _ in range(_MOST_TRIES):
        new = of_today(into)
        if customer.merged_into_id == new.pk:
            return new
        old = of_today(customer)
        if old == new:
            raise MergedIntoItself
        try:
            with transaction.atomic():
                return _merge(old, new, actor=actor, at=at)
        except moves.AccountsOver:
            customer, into = _read(customer), _read(into)
    raise errors.Unavailable


def erase(*, customer: Customer, actor: str, at: datetime.datetime) -> None:
    """This will erase a person: name, addresses, metadata, and what people wrote into the ledger's entries, also of
    those who were merged into the customer. The ledger stays, with the points forfeited by an entry; cards are stopped.

    Raises:
        cards.membership.CustomerNotFound: the customer was erased before.
        errors.Unavailable: others merge the customer all the time.
    """
    for _ in range(_MOST_TRIES):
        customer = of_today(customer)
        try:
            with transaction.atomic():
                return _erase(customer, actor=actor, at=at)
        except moves.AccountsOver:
            customer = _read(customer)
    raise errors.Unavailable


def _merge(old: Customer, new: Customer, *, actor: str, at: datetime.datetime) -> Customer:
    program = old.program
    leaving = accounts.all_of(program, old.pk)
    moves.merge(old=leaving, new=accounts.all_of(program, new.pk), actor=actor, at=at)
    redemptions.move(account_ids=[account.id for account in leaving])
    rows = Customer.objects.filter(pk__in=[old.pk, new.pk]).order_by("pk").select_for_update(no_key=True).in_bulk()
    old, new = rows[old.pk], rows[new.pk]
    # Whoever was merged into the one is one of the other's now: every name is one step away.
    old.merged.update(merged_into=new)
    taken = {name: getattr(old, name) for name, blank in _BLANKS.items() if getattr(new, name) == blank}
    old.merged_into, old.merged_at = new, at
    if "email" in taken:
        old.email = None
    old.save(update_fields=["merged_into", "merged_at", "email"])
    # What the one did not want to hear of, the person does not.
    taken["unsubscribed_from"] = sorted({*old.unsubscribed_from, *new.unsubscribed_from})
    for name, value in taken.items():
        setattr(new, name, value)
    new.save(update_fields=taken)
    Card.objects.filter(customer=old).update(customer=new, updated_at=at)
    told = {"merged_customer_id": ids.public("cus", old.pk)}
    outbox.record(EventType.CUSTOMER_MERGED, [new], program=program, told=told)
    return new


def _erase(customer: Customer, *, actor: str, at: datetime.datetime) -> None:
    moves.forfeit(accounts=accounts.all_of(customer.program, customer.pk), actor=actor, at=at)
    rows = Customer.objects.filter(pk=customer.pk) | customer.merged.all()
    people = list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
    Customer.objects.filter(pk__in=people).update(
        email=None,
        external_id=None,
        name="",
        phone="",
        locale="",
        metadata={},
        unsubscribed_from=[],
        erased_at=at,
    )
    Card.objects.filter(customer__in=people, status=Card.Status.ACTIVE).update(status=Card.Status.INACTIVE)
    Card.objects.filter(customer__in=people).update(status_reason="", internal_note="", metadata={}, updated_at=at)
    kinds = list(customer.program.definitions.values_list("pk", flat=True))
    named = [PointAccount.id_for(person, kind) for person in people for kind in kinds]
    existing = PointAccount.objects.filter(pk__in=named).values_list("pk", flat=True)
    moves.erase_words(account_ids=list(existing), at=at)
    _erase_log(people)
    # Rows of the accounts face that were refused were answered as they came, with what was written in them.
    names = [name for pk in people for name in (ids.public("cus", pk), str(pk))]
    idempotency.erase(owner_ids=[customer.program_id], mentioning=names)
    outbox.erase(owner_ids=[*people, *existing])
    told = {"id": ids.public("cus", customer.pk), "object": "customer", "erased": True}
    outbox.record_data(EventType.CUSTOMER_ERASED, [(customer.pk, customer.pk, told)], program=customer.program)


def _erase_log(people: Sequence[uuid.UUID]) -> None:
    """This will take out of the admin's log what customers were called, and what people wrote about their cards."""
    cards = Card.objects.filter(customer__in=people).values_list("pk", flat=True)
    log = LogEntry.objects.filter(content_type__app_label="cards")
    log.filter(content_type__model="customer", object_id__in=[str(pk) for pk in people]).update(object_repr=ERASED)
    log.filter(content_type__model="card", object_id__in=[str(pk) for pk in cards]).update(change_message=ERASED)


def _read(customer: Customer) -> Customer:
    return Customer.objects.select_related("merged_into", "program").get(pk=customer.pk)
