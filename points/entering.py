"""Entering one posting into the books of its account, or of two."""

import dataclasses
import datetime
import math
import uuid
from decimal import Decimal
from typing import cast

from django.utils.translation import gettext, gettext_noop

from cards.membership import CustomerNotFound
from loyalty import errors
from loyalty.models import Program
from points import expiry, hold_store, store, undoing
from points.book import AlreadyReversed, Book
from points.hold_models import Hold
from points.holding import Held, HoldNotFound, HoldResolved
from points.lots import ZERO
from points.models import EntryType, PointTransaction
from points.page import Other
from points.postings import Posting

# No caller can write both into an entry: what has them paid for a voucher that can still be redeemed. No caller can
# write this source beside a reference either: what has both paid for a code that can be used.
VOUCHER, VOUCHER_NUMBER = "RewardVoucher", "voucher_number"


class TransactionNotFound(errors.Refusal):
    """The account has no such entry."""

    code = "TRANSACTION_NOT_FOUND"
    status = 404
    message = gettext_noop("There is no such transaction.")


class NotReversible(errors.Refusal):
    """The entry is of a type that cannot be reversed."""

    code = "NOT_REVERSIBLE"
    status = 409
    message = gettext_noop("Only awards, redemptions and adjustments can be reversed.")


class TransfersDisabled(errors.Refusal):
    """The programme does not let customers send points to one another."""

    code = "TRANSFERS_DISABLED"
    status = 403
    message = gettext_noop("Customers of this programme cannot send points to one another.")


class TransferLimitExceeded(errors.Refusal):
    """The customer would send more points in a day than the programme allows."""

    code = "TRANSFER_LIMIT_EXCEEDED"
    status = 429
    message = gettext_noop("Too many points sent today. Try again tomorrow.")


class SameCustomer(errors.InvalidParameters):
    """Points are sent to whom they are of."""

    def __init__(self) -> None:
        super().__init__(
            {"to_customer_id": [gettext("Must be another customer than the one who sends.")]}, rule="another"
        )


def enter(book: Book, posting: Posting, at: datetime.datetime) -> PointTransaction | None:
    """This will enter a posting of one account; None where nothing was there to expire.

    Raises:
        What the verb of `Book` or `HoldingPage` raises that does it.
    """
    points = posting.points if posting.points is not None else ZERO
    if posting.points is not None and (points == 0 or (points < 0 and posting.type != EntryType.ADJUST)):
        raise errors.InvalidPoints(points)
    if posting.of_balance is not None:
        points = posting.of_balance(book.account.balance)
    if posting.hold_id is not None:
        return _resolve(book, posting, at)
    match posting.type:
        case EntryType.AWARD:
            return book.award(
                entry_id=posting.entry_id,
                points=points,
                note=posting.note,
                at=at,
                valid_from=posting.valid_from,
                expires_at=posting.expires_at,
            )
        case EntryType.HOLD:
            return book.hold(
                entry_id=posting.entry_id,
                points=points,
                lasts=cast(datetime.timedelta, posting.lasts),
                note=posting.note,
                at=at,
            )
        case EntryType.REDEEM:
            return book.redeem(entry_id=posting.entry_id, points=points, note=posting.note, at=at)
        case EntryType.ADJUST:
            return book.adjust(entry_id=posting.entry_id, points=points, note=posting.note, at=at)
        case EntryType.EXPIRE:
            return _expire(book, posting, at)
        case EntryType.REVERSE:
            return _reverse(book, posting, at)
    raise ValueError(f"nobody posts an entry of type {posting.type}")


def became_a_voucher(entry: PointTransaction) -> bool:
    """This will tell whether an entry's points were turned into a voucher, which is not undone."""
    return entry.source == VOUCHER and VOUCHER_NUMBER in (entry.metadata or {})


def paid_for_a_code(entry: PointTransaction) -> bool:
    """This will tell whether an entry paid for a code, which gives its points back when it is cancelled."""
    return entry.source == VOUCHER and entry.reference is not None


def send(book: Book, receiver: Book, posting: Posting, at: datetime.datetime) -> PointTransaction:
    """This will take points of one account and bring them to another."""
    points = cast(Decimal, posting.points)
    if points <= 0:
        raise errors.InvalidPoints(points)
    if receiver is book:
        raise SameCustomer
    if receiver.account.closed_at is not None:
        raise CustomerNotFound
    name = _sent_today(book, posting.account.program, points, at)
    receiver.check_room(points)
    active_at = book.account.last_activity_at
    there = Other(receiver.account.id, posting.received_id)
    payments = book.send(entry_id=posting.entry_id, points=points, other=there, note=posting.note, at=at)
    book.count_sent(name, points, at=at)
    entry = book.entries[-1]
    receiver.receive(
        entry_id=posting.received_id,
        payments=payments,
        other=Other(book.account.id, posting.entry_id),
        # The card and the caller's id are the sender's.
        note=dataclasses.replace(posting.note, card_id=None, external=None),
        at=at,
        active_at=active_at,
    )
    return entry


def _sent_today(book: Book, program: Program, points: Decimal, at: datetime.datetime) -> str:
    """This will answer the name under which counts what the customer sends today of the programme, if it may be as much
    as that, too."""
    if not program.transfers_enabled:
        raise TransfersDisabled
    today = at.astimezone(book.zone).date()
    name = f"sent/{today:%Y-%m-%d}"
    limit = program.transfer_daily_points
    if limit is not None and book.tallies(name) + points > limit:
        tomorrow = expiry.end_of_day(day=today, zone=book.zone)
        raise TransferLimitExceeded(retry_after=math.ceil((tomorrow - at).total_seconds()))
    return name


def _resolve(book: Book, posting: Posting, at: datetime.datetime) -> PointTransaction:
    """This will capture a hold of the account, or release it."""
    hold = _hold(book, cast(uuid.UUID, posting.hold_id), posting)
    if posting.type == EntryType.RELEASE:
        return book.let_go([hold], Hold.Status.RELEASED, entry_id=posting.entry_id, note=posting.note, at=at)
    return book.capture(entry_id=posting.entry_id, hold=hold, points=posting.points, note=posting.note, at=at)


def _hold(book: Book, hold_id: uuid.UUID, posting: Posting) -> Held:
    """This will answer a hold of the account.

    Raises:
        HoldNotFound: it has none of that id.
        HoldResolved: it was resolved in an account that has been merged into this one.
    """
    hold = book.holds.get(hold_id)
    if hold is None or any(lot_id not in book.lots for lot_id, _ in hold.pins):
        book.load_holds(hold_store.find(book.account.id, hold_id))
    if hold_id not in book.holds:
        # Only those that were active came along.
        if any(hold_store.find(account_id, hold_id) for account_id, _ in posting.came_from):
            raise HoldResolved
        raise HoldNotFound
    return book.holds[hold_id]


def _expire(book: Book, posting: Posting, at: datetime.datetime) -> PointTransaction | None:
    if posting.expires_before is not None:
        _write_settlement(book)
        book.lots.load(store.lots_ending(book.account.id, before=posting.expires_before))
    return book.expire(
        entry_id=posting.entry_id, points=posting.points, before=posting.expires_before, note=posting.note, at=at
    )


def _reverse(book: Book, posting: Posting, at: datetime.datetime) -> PointTransaction:
    _write_settlement(book)
    account = book.account
    found = undoing.target(account, cast(uuid.UUID, posting.reverses_id))
    if found is None:
        raise TransactionNotFound
    target = found.entry
    if became_a_voucher(target):
        raise NotReversible(gettext("These points were turned into a voucher."))
    if paid_for_a_code(target) and not posting.ends_code:
        raise NotReversible(gettext("These points paid for a code. Cancel the code."))
    undone = undoing.reversed_points(found)
    line = posting.note.line_item_id or target.line_item_id
    note = dataclasses.replace(posting.note, card_id=target.card_id, line_item_id=line)
    if target.type in (EntryType.AWARD, EntryType.ADJUST) and target.points > 0:
        points = _to_reverse(posting, target.points - undone - undoing.expired_points(found))
        [brought] = store.lots_by_id(target.account_id, [target.id])
        book.lots.load(store.lots_of_origin(account.id, target.id))
        book.lots.load(store.lots([store.Needed(account, at, points)])[account.id])
        return book.take_back(
            entry_id=posting.entry_id, target=target, points=points, clawback=brought.clawback, note=note, at=at
        )
    if target.type in (EntryType.REDEEM, EntryType.ADJUST):
        points = _to_reverse(posting, -target.points - undone)
        spent = undoing.spent(found, undone=undone, owed=book.debt())
        if not found.is_elsewhere:
            book.lots.load(lot for lot, _ in spent.by_lot)
        book.lots.load(lot for lot, _ in spent.debt_payers)
        return book.give_back(entry_id=posting.entry_id, target=target, points=points, spent=spent, note=note, at=at)
    raise NotReversible


def _to_reverse(posting: Posting, left: Decimal) -> Decimal:
    points = left if posting.points is None else posting.points
    if points > left or left <= 0:
        raise AlreadyReversed(reversible_points=max(left, ZERO))
    return points


def _write_settlement(book: Book) -> None:
    """This will write what the book has so far, so that what is read next is the state after it."""
    if book.is_changed:
        store.write([book])
        book.turn()
