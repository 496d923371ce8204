"""Postings served one after another under the locks of their accounts: settle, replay, refuse, post."""

import dataclasses
import datetime
import math
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from cards.models import Card
from loyalty import errors, idempotency, ids
from points import earning, rules, statements, store
from points.book import AlreadyReversed, Book
from points.lots import ZERO, Snapshot
from points.models import AccountRef, EntryType, PointTransaction
from points.page import Note
from points.terms import Deed
from tiers.ladder import Progress, Rung

# No caller can write both into an entry: what has them paid for a voucher that can still be redeemed.
VOUCHER, VOUCHER_NUMBER = "RewardVoucher", "voucher_number"

LIMIT_WINDOW = datetime.timedelta(seconds=60)


class CardBlocked(errors.Refusal):
    """The card is blocked: it neither earns nor redeems."""

    code = "CARD_BLOCKED"
    status = 403
    message = gettext_noop("The card is blocked.")


class CardInactive(errors.Refusal):
    """The card is not active, or was replaced: it neither earns nor redeems."""

    code = "CARD_INACTIVE"
    status = 403
    message = gettext_noop("The card is not active.")


class CardExpired(errors.Refusal):
    """The card's date has passed: it neither earns nor redeems."""

    code = "CARD_EXPIRED"
    status = 403
    message = gettext_noop("The card has expired.")


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


class TransactionIdConflict(errors.Refusal):
    """The account has another transaction of that id."""

    code = "TRANSACTION_ID_CONFLICT"
    status = 409
    message = gettext_noop("This transaction id was used before for another transaction.")


class TransactionLimitExceeded(errors.Refusal):
    """The account has had as many single postings within a minute as the programme allows."""

    code = "TRANSACTION_LIMIT_EXCEEDED"
    status = 429
    message = gettext_noop("Too many transactions on this account. Try again later.")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """What is to be posted. Its entry's id is made here, before the first try, so that a retry can look for it.

    `points` are positive, signed for an adjustment; None: all that is left (reverse), no limit (expire), what the
    `deed` earns (award), what is worked out `of_balance` under the lock, which may refuse. `is_named`: the caller
    worked the id out from what the entry stands for, and where the account has that entry, this is a replay.
    `may_be_nothing`: a deed that earns nothing is no refusal.
    """

    type: EntryType
    account: AccountRef
    points: Decimal | None
    at: datetime.datetime
    note: Note
    valid_from: datetime.datetime | None = None
    expires_at: datetime.datetime | None = None
    expires_before: datetime.datetime | None = None
    reverses_id: uuid.UUID | None = None
    deed: Deed | None = None
    of_balance: Callable[[Decimal], Decimal] | None = None
    may_be_nothing: bool = False
    key: idempotency.Key | None = None
    entry_id: uuid.UUID = dataclasses.field(default_factory=ids.new_id)
    is_named: bool = False

    @property
    def is_worked_out(self) -> bool:
        """Whether the rules say how many points it is."""
        return self.deed is not None and self.deed.points is None


@dataclasses.dataclass(slots=True)
class Outcome:
    """What became of a posting: an entry (None where nothing was due to expire), or a refusal; and the answer to the
    caller, `replayed` where the key was known. `earlier` is the entry that a named posting made before."""

    posting: Posting
    entry: PointTransaction | None = None
    earlier: PointTransaction | None = None
    refusal: errors.Refusal | None = None
    answer: idempotency.Answer | None = None
    balance: Decimal = ZERO
    # The books as they are while the answer is rendered.
    book: Book | None = None

    @property
    def progress(self) -> Progress | None:
        """How far the customer is after it. Worked out when it is asked for: most answers do not tell it."""
        return None if self.book is None else _progress(self.book, self.posting.account, self.posting.at)

    @property
    def is_upgraded(self) -> bool:
        """Whether the entry lifted the tier."""
        if self.book is None or self.entry is None:
            return False
        caused = [change for change in self.book.tier_changes if change.entry_id == self.entry.id]
        return any(
            change.after is not None and (change.before is None or change.before.threshold < change.after.threshold)
            for change in caused
        )


Render = Callable[[Outcome], idempotency.Answer]


def most_lots_pay(posting: Posting, *, most: Decimal) -> Decimal:
    """This will answer how many points of lots a posting may need, where the account has `most` of them; what a
    reversal needs is read when it is known."""
    if posting.of_balance is not None:
        try:
            points = posting.of_balance(most)
        except errors.Refusal:
            return ZERO
        posting = dataclasses.replace(posting, points=points, of_balance=None)
    match posting.type:
        case EntryType.REDEEM:
            return posting.points or ZERO
        case EntryType.ADJUST:
            return max(-(posting.points or ZERO), ZERO)
        case EntryType.EXPIRE if posting.expires_before is None:
            return posting.points or ZERO
    return ZERO


class Desk:
    """The locked rows of some accounts and what was read of their lots; opens books on copies of them."""

    def __init__(
        self,
        rows: dict[uuid.UUID, Snapshot],
        refs: dict[uuid.UUID, AccountRef],
        *,
        clocks: dict[uuid.UUID, datetime.datetime],
        needs: dict[uuid.UUID, Decimal] | None = None,
    ) -> None:
        self.rows = rows
        self.refs = refs
        # The account's clock, which never goes back: by an `at` from before the wait for the lock, a lot that another
        # posting made or activated meanwhile would not have started yet.
        self.clocks = {row.id: row.clock(clocks[row.id]) for row in rows.values()}
        self.lots = store.lots(
            [store.Needed(row, self.clocks[row.id], (needs or {}).get(row.id, ZERO)) for row in rows.values()]
        )

    def open(self) -> dict[uuid.UUID, Book]:
        """This will open a book on each account, with nothing done in it yet."""
        written_at = timezone.now()
        return {
            account_id: Book(
                account=dataclasses.replace(row),
                definition=self.refs[account_id].definition,
                zone=ZoneInfo(self.refs[account_id].program.timezone),
                written_at=written_at,
                lots=[dataclasses.replace(lot) for lot in self.lots[account_id]],
                ladders=rules.Ladders(self.refs[account_id].program),
            )
            for account_id, row in self.rows.items()
        }

    def settled(self) -> list[Book]:
        """This will open the books and do nothing in them but settle."""
        books = self.open()
        for account_id, book in books.items():
            book.settle(self.clocks[account_id])
        return list(books.values())


class Counter:
    """Serves postings one after another: settle, replay, refuse, post."""

    def __init__(
        self,
        books: dict[uuid.UUID, Book],
        *,
        named: dict[tuple[uuid.UUID, uuid.UUID], PointTransaction],
        render: Render | None,
        is_counted: bool,
        given: dict[str, Decimal] | None = None,
    ) -> None:
        self.books = books
        # What campaigns with a limit in all have given, their rows locked; and what they give now.
        self.given = given or {}
        self.giving: dict[str, Decimal] = {}
        self.named = named
        self.render = render
        self.is_counted = is_counted
        self.records: list[store.Record] = []
        self.answered: dict[tuple[uuid.UUID, str], store.Record] = {}

    def serve(self, posting: Posting, facts: store.Facts) -> Outcome:
        """This will do one posting in the books, or note why not."""
        book = self.books[posting.account.id]
        outcome = Outcome(posting=posting)
        at = book.settle(posting.at)
        book.stand_on_the_newest()
        outcome.earlier = self.named.get((posting.account.id, posting.entry_id))
        if outcome.earlier is not None:
            external = posting.note.external
            if external is not None and external.fingerprint != outcome.earlier.fingerprint:
                outcome.refusal = TransactionIdConflict()
            return outcome
        try:
            outcome.answer = self._replay(posting, facts)
            if outcome.answer is not None:
                return outcome
            outcome.entry = self._enter(book, posting, facts, at)
        except errors.Refusal as refusal:
            if not (posting.may_be_nothing and posting.is_worked_out and isinstance(refusal, earning.NOTHING)):
                outcome.refusal = refusal
                return outcome
        if posting.is_named and outcome.entry is not None:
            self.named[posting.account.id, posting.entry_id] = outcome.entry
        outcome.balance = book.account.balance
        outcome.book = book
        if self.render is not None:
            outcome.answer = self.render(outcome)
            self._remember(posting, outcome.answer)
        return outcome

    def _enter(
        self, book: Book, posting: Posting, facts: store.Facts, at: datetime.datetime
    ) -> PointTransaction | None:
        if posting.type in (EntryType.AWARD, EntryType.REDEEM) and posting.note.card_id is not None:
            _check_card(posting.note.card_id, facts, at)
        if self.is_counted:
            _check_limit(book.account, posting.account.program.transaction_limit, at)
        entry = self._earn(book, posting, at) if posting.deed else _enter(book, posting, at)
        if entry is not None:
            entry.serial = cast(int, facts.serial)
            if self.is_counted:
                _count(book.account, at)
        return entry

    def _earn(self, book: Book, posting: Posting, at: datetime.datetime) -> PointTransaction:
        """This will award what the deed earns by the programme's rules."""
        assert posting.deed is not None
        calculation = book.work_out(
            rules.of(posting.account.program).earning,
            posting.deed,
            given=self.given,
            rung=_rung(book, posting.account, at),
        )
        entry = book.earn_by_rules(
            calculation, entry_id=posting.entry_id, note=posting.note, at=at, expires_at=posting.expires_at
        )
        for campaign_id, points in calculation.budgets.items():
            self.given[campaign_id] = self.given.get(campaign_id, ZERO) + points
            self.giving[campaign_id] = self.giving.get(campaign_id, ZERO) + points
        return entry

    def _replay(self, posting: Posting, facts: store.Facts) -> idempotency.Answer | None:
        key = posting.key
        if key is None:
            return None
        record = self.answered.get((posting.account.id, key.key))
        if record is not None:
            fingerprint, answer = record.key.fingerprint, record.answer
        elif facts.fingerprint is not None and facts.status is not None and facts.body is not None:
            fingerprint, answer = facts.fingerprint, idempotency.Answer(facts.status, facts.body.encode())
        else:
            return None
        if fingerprint != key.fingerprint:
            raise errors.IdempotencyKeyReused
        return dataclasses.replace(answer, replayed=True)

    def _remember(self, posting: Posting, answer: idempotency.Answer) -> None:
        if posting.key is not None:
            record = store.Record(owner_id=posting.account.id, key=posting.key, answer=answer)
            self.answered[posting.account.id, posting.key.key] = record
            self.records.append(record)


def _rung(book: Book, account: AccountRef, at: datetime.datetime) -> Rung | None:
    if account.definition.counts_for_tiers:
        return book.rung(at)
    progress = _progress(book, account, at)
    return progress.rung if progress else None


def _progress(book: Book, account: AccountRef, at: datetime.datetime) -> Progress | None:
    """This will answer how far the account's customer is by the clock: as this book says, or where other points count
    for tiers, as is written of those."""
    clock = book.clock(at)
    if account.definition.counts_for_tiers:
        return book.progress(clock)
    if clock not in book.elsewhere:
        # Once, under the lock: what is posted here does not move that tier.
        book.elsewhere[clock] = statements.progress(account=account, known=statements.Statement(), at=clock)
    return book.elsewhere[clock]


def _check_card(card_id: uuid.UUID, facts: store.Facts, at: datetime.datetime) -> None:
    public_id = ids.public("card", card_id)
    if facts.card_status == Card.Status.BLOCKED:
        raise CardBlocked(card_id=public_id)
    if facts.card_status != Card.Status.ACTIVE:
        raise CardInactive(card_id=public_id)
    if facts.card_expires_at is not None and facts.card_expires_at <= at:
        raise CardExpired(card_id=public_id)


def _check_limit(account: Snapshot, limit: int | None, at: datetime.datetime) -> None:
    if limit is not None and _is_window_open(account, at) and account.window_count >= limit:
        left = cast(datetime.datetime, account.window_started_at) + LIMIT_WINDOW - at
        raise TransactionLimitExceeded(retry_after=math.ceil(left.total_seconds()))


def _count(account: Snapshot, at: datetime.datetime) -> None:
    if not _is_window_open(account, at):
        account.window_started_at, account.window_count = at, 0
    account.window_count += 1


def _is_window_open(account: Snapshot, at: datetime.datetime) -> bool:
    return account.window_started_at is not None and at < account.window_started_at + LIMIT_WINDOW


def _enter(book: Book, posting: Posting, at: datetime.datetime) -> PointTransaction | None:
    points = posting.points if posting.points is not None else ZERO
    if posting.points is not None and (points == 0 or (points < 0 and posting.type != EntryType.ADJUST)):
        raise errors.InvalidPoints(points)
    if posting.of_balance is not None:
        points = posting.of_balance(book.account.balance)
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
        case EntryType.REDEEM:
            return book.redeem(entry_id=posting.entry_id, points=points, note=posting.note, at=at)
        case EntryType.ADJUST:
            return book.adjust(entry_id=posting.entry_id, points=points, note=posting.note, at=at)
        case EntryType.EXPIRE:
            return _expire(book, posting, at)
        case EntryType.REVERSE:
            return _reverse(book, posting, at)
    raise ValueError(f"nobody posts an entry of type {posting.type}")


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
    target = store.entry(account.id, cast(uuid.UUID, posting.reverses_id))
    if target is None:
        raise TransactionNotFound
    if target.source == VOUCHER and VOUCHER_NUMBER in (target.metadata or {}):
        raise NotReversible(gettext("These points were turned into a voucher."))
    undone = store.reversed_points(target)
    line = posting.note.line_item_id or target.line_item_id
    note = dataclasses.replace(posting.note, card_id=target.card_id, line_item_id=line)
    if target.type in (EntryType.AWARD, EntryType.ADJUST) and target.points > 0:
        points = _to_reverse(posting, target.points - undone - store.expired_points(target))
        book.lots.load(store.lots_by_id(account.id, [target.id]))
        book.lots.load(store.lots([store.Needed(account, at, points)])[account.id])
        return book.take_back(entry_id=posting.entry_id, target=target, points=points, note=note, at=at)
    if target.type in (EntryType.REDEEM, EntryType.ADJUST):
        points = _to_reverse(posting, -target.points - undone)
        spent = store.spent(target, undone=undone)
        book.lots.load(store.lots_by_id(account.id, [lot_id for lot_id, _ in [*spent.by_lot, *spent.debt_payers]]))
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
