"""The ledger: the only writer of accounts, entries, lots and uses.

Every verb is one transaction and follows one order: lock the account, settle what fell due by the clock, replay if
the key is known, refuse, post. A refusal keeps the settlement before it. Points are `Decimal`; `at` is the clock.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.db import transaction

from loyalty import errors, idempotency, retry
from points import rules, running, store
from points.book import AlreadyReversed
from points.counter import (
    CardBlocked,
    CardExpired,
    CardInactive,
    Desk,
    TransactionIdConflict,
    TransactionLimitExceeded,
)
from points.entering import (
    NotReversible,
    SameCustomer,
    TransactionNotFound,
    TransferLimitExceeded,
    TransfersDisabled,
)
from points.holding import HoldNotFound, HoldResolved, InsufficientPoints, TooManyHolds
from points.models import AccountRef, EntryType
from points.page import External, Note
from points.postings import Outcome, Posting, Render
from points.terms import Deed

__all__ = [
    "AccountRef",
    "AlreadyReversed",
    "CardBlocked",
    "CardExpired",
    "CardInactive",
    "External",
    "HoldNotFound",
    "HoldResolved",
    "InsufficientPoints",
    "NotReversible",
    "Note",
    "Outcome",
    "Posting",
    "Render",
    "SameCustomer",
    "Settled",
    "TooManyHolds",
    "TransactionIdConflict",
    "TransactionLimitExceeded",
    "TransactionNotFound",
    "TransferLimitExceeded",
    "TransfersDisabled",
    "adjust",
    "award",
    "capture",
    "earn",
    "expire",
    "hold",
    "lock",
    "open_account",
    "post",
    "post_many",
    "redeem",
    "release",
    "reverse",
    "settle",
    "transfer",
]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What was written because it had fallen due."""

    entries: int = 0
    tier_changes: int = 0


def award(
    *,
    account: AccountRef,
    points: Decimal,
    note: Note,
    at: datetime.datetime,
    valid_from: datetime.datetime | None = None,
    expires_at: datetime.datetime | None = None,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will add points to an account.

    Raises:
        errors.InvalidPoints, errors.InvalidParameters: the amount or the dates are wrong.
        CardBlocked, CardInactive, CardExpired: the card in the note does not earn.
        TransactionLimitExceeded, errors.IdempotencyKeyReused, errors.Unavailable.
    """
    posting = Posting(
        type=EntryType.AWARD,
        account=account,
        points=points,
        at=at,
        note=note,
        valid_from=valid_from,
        expires_at=expires_at,
        key=key,
    )
    return post(posting, render=render)


def earn(
    *,
    account: AccountRef,
    deed: Deed,
    note: Note,
    at: datetime.datetime,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will award what a deed earns by the programme's rules, and keep the calculation in the entry's metadata.

    Raises:
        earning.NotWorkedOut, earning.NothingEarned, earning.CapExceeded; and what `award` raises.
    """
    posting = Posting(type=EntryType.AWARD, account=account, points=None, at=at, note=note, deed=deed, key=key)
    return post(posting, render=render)


def redeem(
    *,
    account: AccountRef,
    points: Decimal,
    note: Note,
    at: datetime.datetime,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will spend points of an account, those that expire first first.

    Raises:
        InsufficientPoints: the balance does not cover them; and what `award` raises.
    """
    return post(
        Posting(type=EntryType.REDEEM, account=account, points=points, at=at, note=note, key=key), render=render
    )


def adjust(
    *,
    account: AccountRef,
    points: Decimal,
    note: Note,
    at: datetime.datetime,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will correct a balance by signed points, whatever the state of the card.

    Raises:
        InsufficientPoints: it would go below zero and the account may not; and what `award` raises.
    """
    return post(
        Posting(type=EntryType.ADJUST, account=account, points=points, at=at, note=note, key=key), render=render
    )


def reverse(
    *,
    account: AccountRef,
    transaction_id: uuid.UUID,
    note: Note,
    at: datetime.datetime,
    points: Decimal | None = None,
    ends_code: bool = False,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will undo an entry, or `points` of it: by default all that is left to undo. `ends_code`: where it paid for a
    code, that can be used no more.

    Raises:
        TransactionNotFound, NotReversible: the entry is not there, or not of a type that can be undone.
        AlreadyReversed: less is left to undo.
        InsufficientPoints: the points are spent, and the definition refused that when they were awarded.
    """
    posting = Posting(
        type=EntryType.REVERSE,
        account=account,
        points=points,
        at=at,
        note=note,
        reverses_id=transaction_id,
        ends_code=ends_code,
        key=key,
    )
    return post(posting, render=render)


def expire(
    *,
    account: AccountRef,
    note: Note,
    at: datetime.datetime,
    points: Decimal | None = None,
    before: datetime.datetime | None = None,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will expire points by hand: of the lots that end `before`, at most `points`, or `points` in spending order.

    The entry of the outcome is None where nothing was there to expire.

    Raises:
        InsufficientPoints: `points` alone are more than the balance.
    """
    if points is None and before is None:
        raise errors.InvalidParameters({"points": ["Send points, expires_before or both."]}, rule="required")
    posting = Posting(
        type=EntryType.EXPIRE, account=account, points=points, at=at, note=note, expires_before=before, key=key
    )
    return post(posting, render=render)


def hold(
    *,
    account: AccountRef,
    points: Decimal,
    lasts: datetime.timedelta,
    note: Note,
    at: datetime.datetime,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will set points of an account aside for so long; the outcome has the hold.

    Raises:
        InsufficientPoints: the balance does not cover them.
        TooManyHolds: the account has as many as it may; and what `award` raises.
    """
    posting = Posting(type=EntryType.HOLD, account=account, points=points, at=at, note=note, lasts=lasts, key=key)
    return post(posting, render=render)


def capture(
    *,
    account: AccountRef,
    hold_id: uuid.UUID,
    note: Note,
    at: datetime.datetime,
    points: Decimal | None = None,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will redeem the points of a hold, or so many of them; the rest is available again. It does not count
    towards the account's limit: the hold did.

    Raises:
        HoldNotFound, HoldResolved: the account has no such hold; it was resolved before.
        InsufficientPoints: it has fewer.
    """
    posting = Posting(type=EntryType.REDEEM, account=account, points=points, at=at, note=note, hold_id=hold_id, key=key)
    return post(posting, render=render, is_counted=False)


def release(
    *,
    account: AccountRef,
    hold_id: uuid.UUID,
    note: Note,
    at: datetime.datetime,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will make the points of a hold available again. It does not count towards the account's limit.

    Raises:
        HoldNotFound, HoldResolved: the account has no such hold; it was resolved before.
    """
    posting = Posting(type=EntryType.RELEASE, account=account, points=None, at=at, note=note, hold_id=hold_id, key=key)
    return post(posting, render=render, is_counted=False)


def transfer(
    *,
    sender: AccountRef,
    receiver: AccountRef,
    points: Decimal,
    note: Note,
    at: datetime.datetime,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> Outcome:
    """This will send points from one customer's account to another's of the same definition: they keep their expiry.

    The outcome's entry is the sender's; it names the receiver's. The key belongs to the sender's account.

    Raises:
        TransfersDisabled, TransferLimitExceeded: the programme does not allow it, or not so many in a day.
        SameCustomer: both are one.
        InsufficientPoints: the balance does not cover them; and what `award` raises.
    """
    posting = Posting(
        type=EntryType.TRANSFER, account=sender, receiver=receiver, points=points, at=at, note=note, key=key
    )
    return post(posting, render=render)


def post(posting: Posting, *, render: Render | None = None, is_counted: bool = True) -> Outcome:
    """This will do one posting that counts towards the account's limit, and raise its refusal if it is refused."""
    [outcome] = running.run([posting], render=render, is_counted=is_counted)
    if outcome.refusal is not None:
        raise outcome.refusal
    return outcome


def post_many(
    postings: Sequence[Posting], *, render: Render | None = None, is_atomic: bool = False, is_trial: bool = False
) -> list[Outcome]:
    """This will do postings one after another in the order given, in one transaction, and answer what became of each.

    A refused one is left out; with `is_atomic` one refusal leaves out all of them (what was due is still settled, and
    the others answer neither entry nor refusal). A trial writes nothing. They do not count towards the limit.

    Raises:
        errors.Unavailable: the database did not answer in time; nothing is posted, or a key of the caller tells.
        ValueError: reversals or expiries in an atomic batch; they write what is before them, to read on from there.
    """
    if is_atomic and any(posting.type in (EntryType.REVERSE, EntryType.EXPIRE) for posting in postings):
        raise ValueError("an atomic batch awards, redeems and adjusts")
    return running.run(postings, render=render, is_atomic=is_atomic, is_trial=is_trial) if postings else []


def settle(accounts: Iterable[AccountRef], *, at: datetime.datetime) -> Settled:
    """This will write what fell due by `at` in those of the accounts that exist: lots that start or end, and tiers."""
    refs = {account.id: account for account in accounts}
    for account in refs.values():
        # Before anything is locked: whoever comes first under new rules reads them.
        rules.of(account.program)

    def once() -> Settled:
        with transaction.atomic():
            rows = store.lock(refs)
            books = Desk(rows, refs, clocks=dict.fromkeys(rows, at)).settled()
            written = Settled(
                entries=sum(len(book.entries) for book in books),
                tier_changes=sum(len(book.tier_changes) for book in books),
            )
            store.write(books)
            return written

    return retry.run(once) if refs else Settled()


def open_account(account: AccountRef) -> bool:
    """This will make an account that does not exist yet, and answer whether it did. None needs it: the first posting
    makes its account.

    Raises:
        errors.Unavailable: the database did not answer in time.
    """
    return retry.run(lambda: store.create([account])) == 1


def lock(accounts: Iterable[AccountRef]) -> None:
    """This will lock accounts until the caller's transaction ends, so that no posting runs on them.

    Those that do not exist are made: otherwise a first posting could be on its way, with nothing there to wait for.
    """
    refs = {account.id: account for account in accounts}
    if refs:
        store.create(refs.values())
        store.lock(refs)
