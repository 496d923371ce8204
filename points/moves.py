"""All points of an account at once: to the account of another customer, who is the same person, or away for good.

Verbs of the ledger, as those in `points/ledger.py`: whole accounts are locked, settled, and emptied by an entry. They
run in the caller's transaction.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Mapping, Sequence

from django.db import connection

from cards.membership import CustomerNotFound
from loyalty import idempotency, ids
from points import hold_store, ledger, reasons, rules, store
from points.book import Book
from points.counter import Desk
from points.hold_models import Hold
from points.holding import Held
from points.lots import ZERO, Lot
from points.models import AccountRef, EntryType, PointTransaction
from points.page import Note, Other


class AccountsOver(CustomerNotFound):
    """Accounts were merged or closed before they were locked."""


def merge(*, old: Sequence[AccountRef], new: Sequence[AccountRef], actor: str, at: datetime.datetime) -> None:
    """This will bring all that one customer's accounts have to another's of the same definitions, pair by pair: lots
    anew with their start, end and origin, holds under their ids, lifetimes added up, the higher tier until its end.

    One entry empties the old account and one fills the other, each naming its opposite; from then on the old account
    stands for the new one. All accounts are locked together, and made where they do not exist.

    Raises:
        AccountsOver: one of them has been merged into another or closed.
        errors.InvalidPoints: both together have more than an account can hold.
    """
    books = _opened([*old, *new], at=at)
    clock = max(book.clock(at) for book in books.values())
    note = Note(reason=reasons.MERGED, actor=actor)
    for source, target in zip(old, new, strict=True):
        if books[source.id].account.version:
            _merge(books[source.id], books[target.id], note=note, at=clock)
    _allow_debts([book for book in books.values() if book.account.balance < 0])
    store.write(books.values())
    _end(old, new)


def forfeit(*, accounts: Sequence[AccountRef], actor: str, at: datetime.datetime) -> None:
    """This will take all points of a customer's accounts, the pending and the held ones too, by an entry that says so,
    write off what they owe, and close them: nothing is posted to them any more.

    Raises:
        AccountsOver: one of them has been merged into another or closed.
    """
    books = _opened(accounts, at=at)
    for book in books.values():
        if book.account.version:
            _forfeit(book, note=Note(reason=reasons.FORFEITED, actor=actor), at=book.clock(at))
    store.write(books.values())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE points_pointaccount SET closed_at = %s WHERE id = ANY(%s::uuid[])", [at, list(books)])


def erase_words(*, account_ids: Sequence[uuid.UUID], at: datetime.datetime) -> None:
    """This will erase what people wrote into the entries and holds of closed accounts, and what was answered about
    them. The points stay told."""
    with connection.cursor() as cursor:
        for account_id in account_ids:
            cursor.execute("SELECT points_erase_words(%s, %s)", [account_id, at])
    idempotency.erase(owner_ids=account_ids)


def _opened(accounts: Sequence[AccountRef], *, at: datetime.datetime) -> dict[uuid.UUID, Book]:
    """This will lock accounts and settle them, with all their lots and holds read."""
    refs = {account.id: account for account in accounts}
    for account in accounts:
        rules.of(account.program)
    ledger.lock(accounts)
    rows = store.lock(refs)
    if any(row.is_over for row in rows.values()):
        raise AccountsOver
    clock = max(row.clock(at) for row in rows.values())
    books = Desk(rows, refs, clocks=dict.fromkeys(rows, clock)).open()
    holds = hold_store.active([row.id for row in rows.values() if row.held])
    for account_id, book in books.items():
        book.lots.load(store.open_lots(account_id))
        book.load_holds(holds.get(account_id, []))
        book.settle(clock)
        book.stand_on_the_newest()
    return books


def _merge(old: Book, new: Book, *, note: Note, at: datetime.datetime) -> None:
    was = old.account
    new.check_room(was.balance + was.pending + was.held)
    out_id, in_id = ids.new_id(), ids.new_id()
    tier = old.standing.held(at) if old.standing is not None else None
    before = new.standing.earned() if new.standing is not None else None
    balance, pending, held = was.balance, was.pending, was.held
    holds = [hold for hold in old.holds.values() if hold.is_active]
    left = {lot.id: lot.remaining for lot in sorted(old.lots.open(), key=lambda lot: lot.version)}
    leaving = _empty(old, holds, entry_id=out_id, other=Other(new.account.id, in_id), note=note, at=at)

    free = max(new.account.balance, ZERO)
    coming = new.append(
        in_id,
        EntryType.MERGE,
        at=at,
        note=note,
        available=balance,
        pending=pending,
        held=held,
        other=Other(was.id, out_id),
    )
    # First of all the last activity: it moves the ends of lots.
    _add_up(old, new)
    pinned = [pin for hold in holds for pin in hold.pins]
    for lot_id, points in pinned:
        left[lot_id] = left.get(lot_id, ZERO) + points
    brought = {lot_id: new.bring(coming, old.lots[lot_id], points) for lot_id, points in left.items()}
    for hold in holds:
        _move_hold(hold, new, coming, brought)
        hold.resolve(Hold.Status.MOVED, leaving)
    old.resolved += holds
    owed = max(-balance, ZERO)
    new.owe(coming, owed)
    anew = {lot.id for lot in new.made}
    order = new.lots.in_spending_order()
    mine = [lot for lot in order if lot.id not in anew]
    for lot, paid in new.lots.payments(min(owed, free), lots=mine):
        new.use(coming, lot, paid, pays_debt=True)
        new.use(coming, None, -paid)
    for lot in order:
        if lot.id in anew:
            new.pay_debt_from(lot, coming)
    for lot in brought.values():
        new.note_due(lot)
    if new.standing is not None and before is not None:
        new.standing.start(at)
        new.standing.move(before, at=at, entry_id=in_id)
        if tier is not None:
            new.standing.take_over(tier, at=at, entry_id=in_id)


def _empty(
    book: Book, holds: Sequence[Held], *, entry_id: uuid.UUID, other: Other, note: Note, at: datetime.datetime
) -> PointTransaction:
    """This will take everything out of an account, by one entry."""
    account, free = book.account, list(book.lots.open())
    entry = book.append(
        entry_id,
        EntryType.MERGE,
        at=at,
        note=note,
        available=-account.balance,
        pending=-account.pending,
        held=-account.held,
        other=other,
    )
    book.pay(entry, [(lot, lot.remaining) for lot in free])
    for hold in holds:
        for lot_id, points in hold.pins:
            book.use(entry, book.lots[lot_id], -points, is_held=True)
            book.use(entry, book.lots[lot_id], points)
    book.owe(entry, -book.debt(entry))
    account.next_due_at = None
    return entry


def _move_hold(hold: Held, new: Book, coming: PointTransaction, brought: Mapping[uuid.UUID, Lot]) -> None:
    moved = dataclasses.replace(hold, pins=[(brought[lot_id].id, points) for lot_id, points in hold.pins])
    for lot_id, points in moved.pins:
        new.use(coming, new.lots[lot_id], points, is_held=True)
    new.holds[moved.id] = moved
    new.held_anew.append(moved)
    new.note_moment(moved.expires_at)


def _add_up(old: Book, new: Book) -> None:
    """This will add to an account what another one remembers of the customer."""
    account, other = new.account, old.account
    account.lifetime_earned += other.lifetime_earned
    account.lifetime_redeemed += other.lifetime_redeemed
    account.lifetime_expired += other.lifetime_expired
    active = [moment for moment in (account.last_activity_at, other.last_activity_at) if moment is not None]
    account.last_activity_at = max(active, default=None)
    new.tallies.take_over(old.tallies)


def _forfeit(book: Book, *, note: Note, at: datetime.datetime) -> None:
    holds = [hold for hold in book.holds.values() if hold.is_active]
    if holds:
        book.let_go(holds, Hold.Status.RELEASED, entry_id=ids.new_id(), note=note, at=at)
    account, left = book.account, list(book.lots.open())
    total = sum((lot.remaining for lot in left), ZERO)
    if total:
        free = total - account.pending
        entry = book.append(ids.new_id(), EntryType.EXPIRE, at=at, note=note, available=-free, pending=-account.pending)
        book.pay(entry, [(lot, lot.remaining) for lot in left])
        account.lifetime_expired += total
    if account.balance < 0:
        book.adjust(entry_id=ids.new_id(), points=-account.balance, note=note, at=at)
    account.next_due_at = None


def _allow_debts(books: Sequence[Book]) -> None:
    """This will let accounts owe what came to them as a debt."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE points_pointaccount SET may_go_negative = TRUE WHERE id = ANY(%s::uuid[]) AND NOT may_go_negative",
            [[book.account.id for book in books]],
        )


def _end(old: Sequence[AccountRef], new: Sequence[AccountRef]) -> None:
    """This will let accounts stand for others, and answers that were kept for the one be kept for the other, too: the
    customer's cards name that one now."""
    pairs = [[account.id for account in old], [account.id for account in new]]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE points_pointaccount a SET merged_into_id = m.new"
            " FROM unnest(%s::uuid[], %s::uuid[]) AS m (old, new) WHERE a.id = m.old",
            pairs,
        )
        cursor.execute(
            "INSERT INTO loyalty_idempotencyrecord (owner_id, key, fingerprint, status, body, created_at)"
            " SELECT m.new, r.key, r.fingerprint, r.status, r.body, r.created_at"
            " FROM unnest(%s::uuid[], %s::uuid[]) AS m (old, new)"
            " JOIN loyalty_idempotencyrecord r ON r.owner_id = m.old ON CONFLICT DO NOTHING",
            pairs,
        )
