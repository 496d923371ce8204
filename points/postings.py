"""What is to be posted, and what became of it."""

import dataclasses
import datetime
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal

from loyalty import errors, idempotency, ids
from points import statements
from points.book import Book
from points.holding import Held
from points.lots import ZERO
from points.models import AccountRef, EntryType, PointTransaction
from points.page import Note, named_entry_id
from points.terms import Deed
from tiers.ladder import Progress


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """What is to be posted. Its entry's id is made here, before the first try, so that a retry can look for it.

    `points` are positive, signed for an adjustment; None: all that is left (reverse), no limit (expire), what the
    `deed` earns (award), what is worked out `of_balance` under the lock, which may refuse. `is_named`: the caller
    worked the id out from what the entry stands for, and where the account has that entry, this is a replay.
    `may_be_nothing`: a deed that earns nothing is no refusal. `lasts`: for how long points are held; `hold_id`: which
    hold is captured or released. `receiver`: to whom points are sent, `received_id`: by which entry there. `came_from`:
    the accounts that were named, and the entry's id in each, where those were merged into this one. `ends_code`: the
    code that the reversed points paid for can be used no more.
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
    lasts: datetime.timedelta | None = None
    hold_id: uuid.UUID | None = None
    receiver: AccountRef | None = None
    received_id: uuid.UUID = dataclasses.field(default_factory=ids.new_id)
    came_from: tuple[tuple[uuid.UUID, uuid.UUID], ...] = ()
    ends_code: bool = False
    key: idempotency.Key | None = None
    entry_id: uuid.UUID = dataclasses.field(default_factory=ids.new_id)
    is_named: bool = False

    @property
    def is_worked_out(self) -> bool:
        """Whether the rules say how many points it is."""
        return self.deed is not None and self.deed.points is None

    @property
    def names(self) -> tuple[tuple[uuid.UUID, uuid.UUID], ...]:
        """Where an entry may be that it made before, each (account id, entry id)."""
        return ((self.account.id, self.entry_id), *self.came_from)

    @property
    def accounts(self) -> tuple[AccountRef, ...]:
        """The accounts that it changes."""
        return (self.account,) if self.receiver is None else (self.account, self.receiver)

    def moved(self, heirs: Mapping[uuid.UUID, uuid.UUID]) -> "Posting":
        """This will answer the same posting on the accounts that these became, each by the customer whose it is."""
        moved = self
        if self.receiver is not None and self.receiver.id in heirs:
            moved = dataclasses.replace(moved, receiver=self.receiver.of(heirs[self.receiver.id]))
        if self.account.id in heirs:
            heir = self.account.of(heirs[self.account.id])
            external = self.note.external if self.is_named else None
            entry_id = self.entry_id if external is None else named_entry_id(heir.id, external.id)
            moved = dataclasses.replace(moved, account=heir, entry_id=entry_id, came_from=self.names)
        return moved


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
    def hold(self) -> Held | None:
        """The hold that was made, or what became of it."""
        return None if self.book is None else self.book.holds.get(self.posting.hold_id or self.posting.entry_id)

    @property
    def progress(self) -> Progress | None:
        """How far the customer is after it. Worked out when it is asked for: most answers do not tell it."""
        return None if self.book is None else progress(self.book, self.posting.account, self.posting.at)

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
        case EntryType.REDEEM | EntryType.HOLD | EntryType.TRANSFER if posting.hold_id is None:
            return posting.points or ZERO
        case EntryType.ADJUST:
            return max(-(posting.points or ZERO), ZERO)
        case EntryType.EXPIRE if posting.expires_before is None:
            return posting.points or ZERO
    return ZERO


def progress(book: Book, account: AccountRef, at: datetime.datetime) -> Progress | None:
    """This will answer how far the account's customer is by the clock: as this book says, or where other points count
    for tiers, as is written of those."""
    clock = book.clock(at)
    if account.definition.counts_for_tiers:
        return book.progress(clock)
    if clock not in book.elsewhere:
        # Once, under the lock: what is posted here does not move that tier.
        book.elsewhere[clock] = statements.progress(account=account, known=statements.Statement(), at=clock)
    return book.elsewhere[clock]
