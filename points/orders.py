"""Orders of a shop: what one spends and earns is posted together, and undone by the rules of that day.

Of an order of total T that was refunded by r in all, the customer keeps `floor(earned * (T - r) / T)` and gets
`floor(spent * r / T)` back, the points given back before the points are taken.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from loyalty import errors, ids, retry, wording
from points import ledger, statements
from points.earning import floor
from points.lots import ZERO
from points.models import AccountRef, EntryType, PointTransaction
from points.order_models import Order
from points.terms import Deed


class OrderExists(errors.Refusal):
    """There is an order of that number."""

    code = "RESOURCE_ALREADY_EXISTS"
    status = 409
    message = gettext_noop("There is an order of this number already.")


class OrderNotFound(errors.NotFound):
    """The programme has no order of that number."""

    message = gettext_noop("There is no such order.")


class RefundTooLarge(errors.InvalidParameters):
    """More is to be refunded than is left of the order."""

    def __init__(self, left: Decimal) -> None:
        text = _("More than is left of this order to refund: %(left)s.") % {"left": wording.number(left)}
        super().__init__({"order_total": [text]}, rule="refund")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Purchase:
    """An order as the shop tells it. `redeemed` are the points that paid a part of it."""

    number: str
    currency: str
    deed: Deed
    redeemed: Decimal | None = None
    order_id: uuid.UUID = dataclasses.field(default_factory=ids.new_id)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What was posted: the number of its entry, the points (below zero: taken back), the balance after it."""

    serial: int | None
    points: Decimal
    balance: Decimal
    # Of the order; a refund may name less.
    card_id: uuid.UUID | None
    amount: Decimal | None
    currency: str


def place(*, account: AccountRef, purchase: Purchase, note: ledger.Note, at: datetime.datetime) -> Done:
    """This will redeem what paid for an order and award what it earns, or neither. It may earn nothing.

    Raises:
        OrderExists: there is one of that number.
        ledger.InsufficientPoints; and what `ledger.earn` raises, but for earning.NothingEarned.
    """
    award = ledger.Posting(
        type=EntryType.AWARD, account=account, points=None, at=at, note=note, deed=purchase.deed, may_be_nothing=True
    )
    postings = [award]
    if purchase.redeemed is not None:
        postings.insert(
            0, ledger.Posting(type=EntryType.REDEEM, account=account, points=purchase.redeemed, at=at, note=note)
        )

    def work() -> Done:
        _record(purchase, account, note)
        outcomes = ledger.post_many(postings, is_atomic=True)
        _raise_first_refusal(outcomes)
        entries = {outcome.entry.type: outcome.entry for outcome in outcomes if outcome.entry is not None}
        earned, spent = entries.get(EntryType.AWARD), entries.get(EntryType.REDEEM)
        Order.objects.filter(pk=purchase.order_id).update(
            award_id=earned.pk if earned else None,
            redemption_id=spent.pk if spent else None,
            earned=earned.points if earned else ZERO,
            spent=-spent.points if spent else ZERO,
        )
        last = earned or spent
        return Done(
            serial=last.serial if last else None,
            points=earned.points if earned else ZERO,
            balance=outcomes[-1].balance,
            card_id=note.card_id,
            amount=purchase.deed.amount,
            currency=purchase.currency,
        )

    def was_committed(_: Done) -> bool:
        return Order.objects.filter(pk=purchase.order_id).exists()

    return _settled_when_refused(work, was_committed, account, at)


def refund(
    *,
    account: AccountRef,
    number: str,
    amount: Decimal | None,
    note: ledger.Note,
    at: datetime.datetime,
    currency: str | None = None,
) -> Done:
    """This will undo an order of the account's customer: so much of its total, or all that is left of it.

    Raises:
        OrderNotFound: there is none of that number, or it is another customer's.
        RefundTooLarge: less is left of it.
        ledger.InsufficientPoints: what it earned is spent, and the kind of points refuses that.
    """

    def work() -> Done:
        order = Order.objects.select_for_update(no_key=True).filter(program=account.program, number=number).first()
        if order is None or order.account_id != account.id:
            raise OrderNotFound
        if currency not in (None, order.currency):
            raise errors.InvalidParameters({"currency": [_("The order has another currency.")]}, rule="currency")
        undo = _undoing(order, amount, account.definition.decimal_places)
        outcomes = []
        if undo.back:
            outcomes += _undo(account, order.redemption_id, undo.back, note, at)
        if undo.take:
            outcomes += _undo(account, order.award_id, undo.take, note, at)
        _raise_first_refusal(outcomes)
        Order.objects.filter(pk=order.pk).update(
            refunded=undo.refunded,
            taken=order.taken + undo.take,
            returned=order.returned + undo.back,
            is_closed=undo.is_closed,
        )
        entries = [outcome.entry for outcome in outcomes if outcome.entry is not None]
        taken = [entry.points for entry in entries if entry.reverses_id == order.award_id]
        return Done(
            serial=entries[-1].serial if entries else None,
            points=sum(taken, ZERO),
            balance=outcomes[-1].balance if outcomes else statements.balance(account=account, at=at).balance,
            card_id=order.card_id,
            amount=None if order.total is None else undo.refunded - order.refunded,
            currency=order.currency,
        )

    def was_committed(done: Done) -> bool:
        if done.serial is None:
            # It left nothing to recognise it by: another may have refunded as much.
            raise errors.Unavailable
        return PointTransaction.objects.filter(account_id=account.id, serial=done.serial).exists()

    return _settled_when_refused(work, was_committed, account, at)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Undoing:
    """What a refund makes of an order."""

    refunded: Decimal
    take: Decimal
    back: Decimal
    is_closed: bool


def _undoing(order: Order, amount: Decimal | None, decimal_places: int) -> _Undoing:
    total = order.total or ZERO
    left = total - order.refunded
    if order.is_closed or (amount is not None and not ZERO < amount <= left):
        raise RefundTooLarge(left)
    refunded = total if amount is None else order.refunded + amount
    if refunded == total:
        kept, given = ZERO, order.spent
    else:
        kept = floor(order.earned * (total - refunded) / total, decimal_places)
        given = floor(order.spent * refunded / total, decimal_places)
    return _Undoing(
        refunded=refunded,
        take=order.earned - order.taken - kept,
        back=given - order.returned,
        is_closed=refunded == total,
    )


def _record(purchase: Purchase, account: AccountRef, note: ledger.Note) -> None:
    order = Order(
        id=purchase.order_id,
        program=account.program,
        number=purchase.number,
        account_id=account.id,
        card_id=note.card_id,
        total=purchase.deed.amount,
        currency=purchase.currency,
    )
    # Skipped where another has the number, or is being placed under it: the INSERT has waited for that one.
    Order.objects.bulk_create([order], ignore_conflicts=True)
    if not Order.objects.filter(pk=order.pk).exists():
        raise OrderExists


def _undo(
    account: AccountRef, entry_id: uuid.UUID | None, points: Decimal, note: ledger.Note, at: datetime.datetime
) -> list[ledger.Outcome]:
    """This will reverse so much of an entry of the order, or what is left of that: some of it may have expired, or been
    reversed by hand."""
    outcome = _reverse(account, entry_id, points, note, at)
    if isinstance(outcome.refusal, ledger.AlreadyReversed):
        left = outcome.refusal.facts["reversible_points"]
        return [_reverse(account, entry_id, left, note, at)] if left else []
    return [outcome]


def _reverse(
    account: AccountRef, entry_id: uuid.UUID | None, points: Decimal, note: ledger.Note, at: datetime.datetime
) -> ledger.Outcome:
    posting = ledger.Posting(
        type=EntryType.REVERSE, account=account, points=points, at=at, note=note, reverses_id=entry_id
    )
    [outcome] = ledger.post_many([posting])
    return outcome


def _raise_first_refusal(outcomes: list[ledger.Outcome]) -> None:
    for outcome in outcomes:
        if outcome.refusal is not None:
            raise outcome.refusal


def _settled_when_refused(
    work: Callable[[], Done], was_committed: Callable[[Done], bool], account: AccountRef, at: datetime.datetime
) -> Done:
    """This will do the work once; what had fallen due before a refusal stays written."""
    try:
        return retry.run_once(work, was_committed=was_committed)
    except errors.Refusal:
        ledger.settle([account], at=at)
        raise
