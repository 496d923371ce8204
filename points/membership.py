"""Cards and the points behind them: enrolling with points, and the states that stop a card from posting.

Whatever stops a card first waits for the postings that run on its customer's accounts, so nothing posts on a card
after the answer that it is blocked or replaced.
"""

import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop

from cards import membership
from cards.models import Card, Customer
from events import outbox
from events.models import EventType
from loyalty import errors, ids
from points import accounts, ledger, reasons
from points.models import EntryType


class CardReplaced(errors.Refusal):
    """The card was replaced by another and stays inactive."""

    code = "CARD_REPLACED"
    status = 409
    message = gettext_noop("The card was replaced by another one.")

    def __init__(self, card: Card) -> None:
        assert card.replaced_by_id is not None
        super().__init__(card_id=ids.public("card", card.pk), replaced_by=ids.public("card", card.replaced_by_id))


def create_card(
    *,
    customer: Customer,
    at: datetime.datetime,
    actor: str,
    design: str = "default",
    expires_at: datetime.datetime | None = None,
    metadata: dict[str, Any] | None = None,
    initial_points: Decimal | None = None,
    is_active: bool = True,
) -> Card:
    """This will issue a card and put points of the default definition on it, in the caller's transaction.

    Raises:
        errors.InvalidPoints: the amount is finer than the definition's.
        membership.CustomerNotFound: the customer has been erased meanwhile.
    """
    # Nobody merges or erases the customer from here on.
    ledger.lock(accounts.all_of(customer.program, customer.pk))
    customer = membership.of_today(Customer.objects.select_related("merged_into").get(pk=customer.pk))
    card = membership.issue(customer=customer, design=design, expires_at=expires_at, metadata=metadata)
    if initial_points:
        named = accounts.find(program=customer.program, card=card.number)
        note = ledger.Note(reason=reasons.INITIAL, actor=actor, card_id=card.pk)
        posting = ledger.Posting(type=EntryType.AWARD, account=named.account, points=initial_points, at=at, note=note)
        ledger.post(posting, is_counted=False)
    # Last, because a card that is not active earns nothing.
    if not is_active:
        _change(card, status=Card.Status.INACTIVE)
    outbox.record(EventType.CARD_CREATED, [card], program=card.program)
    return card


def block(*, card: Card, reason: str, note: str, at: datetime.datetime) -> Card:
    """This will stop a card from earning and redeeming, in the caller's transaction.

    Raises:
        CardReplaced: it was replaced, so it is stopped already.
    """
    card = _stopped(card)
    before = card.status_before_block if card.status == Card.Status.BLOCKED else card.status
    _change(
        card,
        status=Card.Status.BLOCKED,
        status_before_block=before,
        status_reason=reason,
        internal_note=note,
        blocked_at=at,
    )
    outbox.record(EventType.CARD_BLOCKED, [card], program=card.program)
    return card


def unblock(*, card: Card, reason: str, note: str) -> Card:
    """This will put a blocked card into the state that it was blocked in; one that is not blocked stays as it is. In
    the caller's transaction.

    Raises:
        CardReplaced: it was replaced.
    """
    card = _stopped(card)
    if card.status != Card.Status.BLOCKED:
        return card
    _change(card, status=card.status_before_block, status_reason=reason, internal_note=note, blocked_at=None)
    outbox.record(EventType.CARD_UNBLOCKED, [card], program=card.program)
    return card


def activate(*, card: Card) -> Card:
    """This will make an inactive card active, in the caller's transaction.

    Raises:
        ledger.CardBlocked: it is blocked; unblocking it says why.
        CardReplaced: it was replaced.
    """
    card = _stopped(card)
    if card.status == Card.Status.BLOCKED:
        raise ledger.CardBlocked(card_id=ids.public("card", card.pk))
    return _change(card, status=Card.Status.ACTIVE)


def replace(*, card: Card, reason: str, at: datetime.datetime) -> Card:
    """This will issue a new card for a lost one, which becomes inactive for good, in the caller's transaction.

    Raises:
        CardReplaced: it was replaced before.
    """
    lost = _stopped(card)
    is_still_valid = lost.expires_at is None or lost.expires_at > at
    new = membership.issue(
        customer=lost.customer,
        design=lost.design,
        expires_at=lost.expires_at if is_still_valid else None,
        metadata=lost.metadata,
    )
    _change(lost, status=Card.Status.INACTIVE, status_reason=reason, replaced_by=new)
    outbox.record(EventType.CARD_REPLACED, [lost], program=lost.program)
    outbox.record(EventType.CARD_CREATED, [new], program=lost.program)
    return new


def _stopped(card: Card) -> Card:
    """This will answer the card as it is once no posting runs on any account of its customer."""
    ledger.lock(accounts.all_of(card.program, card.customer_id))
    # Read only now: a posting, or another change of the card, may have been waited for.
    card = Card.objects.select_related("customer").get(pk=card.pk)
    if card.customer.erased_at is not None:
        raise membership.CardNotFound(ids.public("card", card.pk))
    if card.replaced_by_id is not None:
        raise CardReplaced(card)
    return card


def _change(card: Card, **changes: Any) -> Card:
    changes["updated_at"] = timezone.now()
    for name, value in changes.items():
        setattr(card, name, value)
    card.save(update_fields=changes)
    return card
