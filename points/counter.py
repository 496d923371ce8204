"""Postings served one after another under the locks of their accounts: settle, replay, refuse, post."""

import dataclasses
import datetime
import math
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext_noop

from cards.membership import CustomerNotFound
from cards.models import Card
from loyalty import errors, idempotency, ids
from points import earning, entering, hold_store, rules, store
from points.book import Book
from points.lots import ZERO, Snapshot
from points.models import AccountRef, EntryType, PointTransaction
from points.postings import Outcome, Posting, Render, progress
from tiers.ladder import Rung

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


class Desk:
    """The locked rows of some accounts and what was read of their lots; opens books on copies of them."""

    def __init__(
        self,
        rows: dict[uuid.UUID, Snapshot],
        refs: dict[uuid.UUID, AccountRef],
        *,
        clocks: dict[uuid.UUID, datetime.datetime],
        needs: dict[uuid.UUID, Decimal] | None = None,
        holding: Iterable[uuid.UUID] = (),
    ) -> None:
        """Take the accounts of which points are to be held, too: all their holds are read, to know how many there are.
        Of those that lapse by the clock, the lots are read, too."""
        self.rows = rows
        self.refs = refs
        # The account's clock, which never goes back: by an `at` from before the wait for the lock, a lot that another
        # posting made or activated meanwhile would not have started yet.
        self.clocks = {row.id: row.clock(clocks[row.id]) for row in rows.values()}
        self.lots = store.lots(
            [store.Needed(row, self.clocks[row.id], (needs or {}).get(row.id, ZERO)) for row in rows.values()]
        )
        with_holds = {row.id for row in rows.values() if row.held and store.is_due(row, self.clocks[row.id])}
        with_holds |= {account_id for account_id in holding if rows[account_id].held}
        self.holds = hold_store.active(with_holds, lapsing_by=self.clocks) if with_holds else {}

    def open(self) -> dict[uuid.UUID, Book]:
        """This will open a book on each account, with nothing done in it yet."""
        written_at = timezone.now()
        programs = {ref.program.pk: ref.program for ref in self.refs.values()}
        zones = {key: ZoneInfo(program.timezone) for key, program in programs.items()}
        ladders = {key: rules.Ladders(program) for key, program in programs.items()}
        books = {
            account_id: Book(
                account=row.copy(),
                definition=self.refs[account_id].definition,
                zone=zones[row.program_id],
                written_at=written_at,
                lots=[dataclasses.replace(lot) for lot in self.lots[account_id]],
                ladders=ladders[row.program_id],
            )
            for account_id, row in self.rows.items()
        }
        for account_id, pinned in self.holds.items():
            books[account_id].load_holds(
                (dataclasses.replace(hold), [dataclasses.replace(lot) for lot in lots]) for hold, lots in pinned
            )
        return books

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
        books = [self.books[account.id] for account in posting.accounts]
        # One moment, where there are two.
        at = max(other.clock(posting.at) for other in books)
        for other in books:
            other.settle(at)
            other.stand_on_the_newest()
        outcome.earlier = next((self.named[name] for name in posting.names if name in self.named), None)
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
        # Holds of an account that is closed are resolved, and say so.
        if book.account.closed_at is not None and posting.hold_id is None:
            raise CustomerNotFound
        if self.is_counted:
            _check_limit(book.account, posting.account.program.transaction_limit, at)
        if posting.deed is not None:
            entry: PointTransaction | None = self._earn(book, posting, at)
        elif posting.receiver is not None:
            entry = entering.send(book, self.books[posting.receiver.id], posting, at)
        else:
            entry = entering.enter(book, posting, at)
        if entry is not None:
            entry.serial = cast(int, facts.serial)  # None: as it is written.
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
            fingerprint, answer = record.key.fingerprint, cast(idempotency.Answer | None, record.answer)
        elif facts.fingerprint is not None and facts.status is not None:
            fingerprint = facts.fingerprint
            answer = None if facts.body is None else idempotency.Answer(facts.status, facts.body.encode())
        else:
            return None
        if fingerprint != key.fingerprint:
            # It may have been used by two customers who are one by now.
            answer = store.answer_before_merges(posting.account.id, key)
            if answer is None:
                raise errors.IdempotencyKeyReused
        if answer is None:
            raise errors.Erased
        return dataclasses.replace(answer, replayed=True)

    def _remember(self, posting: Posting, answer: idempotency.Answer) -> None:
        if posting.key is not None:
            record = store.Record(owner_id=posting.account.id, key=posting.key, answer=answer)
            self.answered[posting.account.id, posting.key.key] = record
            self.records.append(record)


def _rung(book: Book, account: AccountRef, at: datetime.datetime) -> Rung | None:
    if account.definition.counts_for_tiers:
        return book.rung(at)
    held = progress(book, account, at)
    return held.rung if held else None


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
