"""Orders of a shop: what one spends and earns is posted together, and undone by the rules of that day.

Of an order of total T that was refunded by r in all, the customer keeps `floor(earned * (T - r) / T)` and gets
`floor(spent * r / T)` back, the points given back before the points are taken.
"""

import dataclasses
import datetime
import decimal
import functools
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from loyalty import errors, ids, retry, wording
from loyalty.models import Program
from points import heirs, ledger, statements
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
        earning.CapExceeded: points were sent, and are more than a cap allows.
        ledger.InsufficientPoints, errors.InvalidPoints, ledger.CardBlocked, ledger.CardInactive, ledger.CardExpired.
        errors.Unavailable: the database did not answer in time.
    """
    award = ledger.Posting(
        type=EntryType.AWARD, account=account, points=None, at=at, note=note, deed=purchase.deed, may_be_nothing=True
    )
    postings = [award]
    if purchase.redeemed is not None:
        postings.insert(
            0, ledger.Posting(type=EntryType.REDEEM, account=account, points=purchase.redeemed, at=at, note=note)
        )
    tried: list[Done] = []

    def once() -> Done:
        with transaction.atomic():
            if not _record(purchase, account, note):
                # The INSERT has waited for whoever has the number: ourselves, where word of the COMMIT did not arrive.
                if tried and Order.objects.filter(pk=purchase.order_id).exists():
                    return tried[-1]
                raise OrderExists
            tried.append(_place(purchase, note, ledger.post_many(postings, is_atomic=True)))
            return tried[-1]

    return _settled_when_refused(once, account, at)


def _place(purchase: Purchase, note: ledger.Note, outcomes: list[ledger.Outcome]) -> Done:
    """This will note with the order what was posted of it."""
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


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Refund:
    """What is to be undone of an order: `amount` of its total, or all that is left. The ids of the entries are made
    here, before the first try, so that a retry can look for them."""

    number: str
    amount: Decimal | None
    currency: str | None = None
    note: ledger.Note
    return_id: uuid.UUID = dataclasses.field(default_factory=ids.new_id)
    take_id: uuid.UUID = dataclasses.field(default_factory=ids.new_id)


def refund(*, program: Program, customer_id: uuid.UUID, asked: Refund, at: datetime.datetime) -> Done:
    """This will undo an order of a customer, on the account that it was placed on.

    Raises:
        OrderNotFound: there is none of that number, or it is another customer's.
        RefundTooLarge: less is left of it.
        errors.InvalidParameters: it has another currency, or nothing is to be refunded of it.
        ledger.InsufficientPoints: what it earned is spent, and the kind of points refuses that.
        errors.Unavailable: the database did not answer in time.
    """
    account = _account_of(program, customer_id, asked.number)
    tried: list[Done] = []

    def once() -> Done:
        with transaction.atomic():
            order = Order.objects.select_for_update(no_key=True).get(program=program, number=asked.number)
            if tried and _was_committed(account, asked, tried[-1]):
                return tried[-1]
            tried.append(_refund(order, account, asked, at))
            return tried[-1]

    return _settled_when_refused(once, account, at)


def _account_of(program: Program, customer_id: uuid.UUID, number: str) -> AccountRef:
    order = Order.objects.filter(program=program, number=number).first()
    if order is not None:
        # Whatever the programme's default points are by now.
        heir = heirs.paths([order.account_id])[order.account_id][-1]
        for kind in program.definitions.all():
            account = AccountRef(program=program, definition=kind, customer_id=customer_id)
            if account.id == heir:
                return account
    raise OrderNotFound


def _was_committed(account: AccountRef, asked: Refund, tried: Done) -> bool:
    """This will say, the order being locked, whether a try was committed of which nobody heard that it was."""
    if tried.serial is None:
        # It left nothing to recognise it by: another may have refunded as much.
        raise errors.Unavailable
    made = [asked.return_id, asked.take_id]
    return PointTransaction.objects.filter(account_id=account.id, id__in=made).exists()


def _refund(order: Order, account: AccountRef, asked: Refund, at: datetime.datetime) -> Done:
    if asked.currency not in (None, order.currency):
        raise errors.InvalidParameters({"currency": [_("The order has another currency.")]}, rule="currency")
    undo = _undoing(order, asked.amount, account.definition.decimal_places)
    reversal = functools.partial(
        ledger.Posting, type=EntryType.REVERSE, account=account, points=None, at=at, note=asked.note
    )
    outcomes = []
    if undo.back:
        outcomes += _undo(reversal(reverses_id=order.redemption_id, entry_id=asked.return_id), undo.back)
    if undo.take:
        outcomes += _undo(reversal(reverses_id=order.award_id, entry_id=asked.take_id), undo.take)
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
    if order.is_closed and amount is None:
        raise errors.InvalidParameters({"order_id": [_("This order is refunded already.")]}, rule="refund")
    if order.is_closed or (amount is not None and amount > left):
        raise RefundTooLarge(left)
    if amount is not None and amount <= 0 < left:
        raise errors.InvalidParameters({"order_total": [_("Must be above zero.")]}, rule="min_value")
    refunded = total if amount is None else order.refunded + amount
    if refunded == total:
        kept, given = ZERO, order.spent
    else:
        # Two amounts of 17 digits: their product is exact, and what a quotient that is no whole lacks to one is more
        # than its error.
        with decimal.localcontext(prec=50):
            kept = floor(order.earned * (total - refunded) / total, decimal_places)
            given = floor(order.spent * refunded / total, decimal_places)
    return _Undoing(
        refunded=refunded,
        take=order.earned - order.taken - kept,
        back=given - order.returned,
        is_closed=refunded == total,
    )


def _record(purchase: Purchase, account: AccountRef, note: ledger.Note) -> bool:
    """This will record the order, and answer whether nobody has its number, or is placing an order under it."""
    columns: dict[str, Any] = {
        "id": purchase.order_id,
        "program_id": account.program.pk,
        "number": purchase.number,
        "account_id": account.id,
        "card_id": note.card_id,
        "total": purchase.deed.amount,
        "currency": purchase.currency,
    }
    with connection.cursor() as cursor:
        # By hand: of bulk_create nobody learns what was skipped.
        cursor.execute(
            f"INSERT INTO points_order ({', '.join(columns)}, earned, spent, refunded, taken, returned, is_closed)"
            f" VALUES ({', '.join(['%s'] * len(columns))}, 0, 0, 0, 0, 0, FALSE) ON CONFLICT DO NOTHING",
            list(columns.values()),
        )
        return cursor.rowcount == 1


def _undo(reversal: ledger.Posting, points: Decimal) -> list[ledger.Outcome]:
    """This will reverse so much of an entry of the order, or what is left of that: some of it may have expired, or been
    reversed by hand."""
    [outcome] = ledger.post_many([dataclasses.replace(reversal, points=points)])
    if isinstance(outcome.refusal, ledger.AlreadyReversed):
        left = outcome.refusal.facts["reversible_points"]
        return ledger.post_many([dataclasses.replace(reversal, points=left)]) if left else []
    return [outcome]


def _raise_first_refusal(outcomes: list[ledger.Outcome]) -> None:
    for outcome in outcomes:
        refusal = outcome.refusal
        if isinstance(refusal, errors.InvalidPoints) and outcome.posting.type == EntryType.REDEEM:
            # Callers send them under another name than what they award.
            raise errors.InvalidPoints(
                outcome.posting.points, refusal.message, faults={"points_redeemed": [refusal.message]}
            )
        if refusal is not None:
            raise refusal


def _settled_when_refused(once: Callable[[], Done], account: AccountRef, at: datetime.datetime) -> Done:
    """This will post in one transaction; what had fallen due before a refusal stays written."""
    try:
        return retry.run(once)
    except errors.Unavailable:
        raise
    except errors.Refusal:
        ledger.settle([account], at=at)
        raise
