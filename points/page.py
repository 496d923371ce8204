"""A page of one account's books while its row is locked: entries, uses and lots that are still to be written.

Plain arithmetic on rows that `points/store.py` read under the lock and writes afterwards; no SQL here, but for a ladder
of former days, where something fell due in its time.
"""

import dataclasses
import datetime
import itertools
import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo

from loyalty import ids
from points import reasons
from points.lots import NEVER, ZERO, Lot, Lots, Snapshot
from points.models import UNLISTED, EntryType, PointDefinition, PointTransaction
from points.rules import Ladders
from points.standing import Change, Standing
from points.tallies import Tallies
from tiers.ladder import Ladder, Progress, Rung, month_of

THE_CLOCK = "clock"  # The actor of entries that time alone makes.

Payment = tuple[Lot, Decimal]


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """How much an entry took of a lot (below zero: gave back); without a lot, a debt."""

    entry_id: uuid.UUID
    position: int
    lot_id: uuid.UUID | None
    points: Decimal
    pays_debt: bool
    is_expiry: bool
    is_held: bool


@dataclasses.dataclass(frozen=True, slots=True)
class External:
    """The caller's own id of an entry, and the fingerprint of what was sent under it."""

    id: uuid.UUID
    fingerprint: str


def named_entry_id(account_id: uuid.UUID, transaction_id: uuid.UUID) -> uuid.UUID:
    """This will answer the id of the entry that stands for a caller's transaction in an account."""
    return uuid.uuid5(account_id, f"transaction:{transaction_id}")


@dataclasses.dataclass(frozen=True, slots=True)
class Other:
    """The other account that an entry has to do with, and its entry there."""

    account_id: uuid.UUID
    entry_id: uuid.UUID | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What an entry remembers and nothing is worked out from."""

    reason: str
    actor: str
    reference: str | None = None
    staff_member: str | None = None
    metadata: dict | None = None
    card_id: uuid.UUID | None = None
    transaction_date: datetime.datetime | None = None
    external: External | None = None
    source: str | None = None
    line_item_id: str | None = None


class Page:
    """What every change of an account does: append an entry, note its uses, move the snapshot along."""

    def __init__(
        self,
        *,
        account: Snapshot,
        definition: PointDefinition,
        zone: ZoneInfo,
        written_at: datetime.datetime,
        lots: Iterable[Lot] = (),
        ladders: Ladders | None = None,
    ) -> None:
        self.account = account
        self.definition = definition
        self.zone = zone
        self.written_at = written_at
        self.lots = Lots(account, zone, lots)
        self.tallies = Tallies(account.tallies)
        self.ladders = ladders if definition.counts_for_tiers else None
        self.standing: Standing | None = None
        # How far the customer is by the clock, where other points count for tiers.
        self.elsewhere: dict[datetime.datetime, Progress | None] = {}
        self.tier_changes: list[Change] = []  # The steps between tiers that are still to be written.
        self._stand_on(self.ladders.at(written_at).ladder if self.ladders else None)
        self.turn()

    def turn(self) -> None:
        """This will begin a new page, once this one is written."""
        self.entries: list[PointTransaction] = []
        self.uses: list[Use] = []
        self.made: list[Lot] = []
        self.touched: dict[uuid.UUID, Lot] = {}
        self.tier_changes.clear()
        self.is_changed = False

    def settle(self, at: datetime.datetime) -> datetime.datetime:
        """This will post what fell due by `at`, in time order, and answer the clock of the account.

        At one moment starts come before ends. The clock never goes back: it is never before the newest entry or tier.
        """
        clock = self.clock(at)
        if self.account.next_due_at is not None and self.account.next_due_at <= clock:
            self.settle_due(clock)
            moment = min(self.next_moments(), default=NEVER)
            self.account.next_due_at = None if moment == NEVER else moment
            self.is_changed = True
        self.review(clock)
        return clock

    def settle_due(self, clock: datetime.datetime) -> None:
        """This will post what starts and what ends by the clock."""
        self.settle_lots(self.lots.due(clock))

    def next_moments(self) -> Iterator[datetime.datetime]:
        """This will answer when something happens next to what was read."""
        return (self.lots.next_moment(lot) for lot in self.lots.open())

    def settle_lots(self, events: Iterable[tuple[datetime.datetime, bool, Lot]]) -> None:
        """This will post what starts and what ends, in time order."""
        for (moment, is_end), due in itertools.groupby(events, key=lambda event: event[:2]):
            lots = [event[2] for event in due]
            # A tier that ended by this moment does not hold in it.
            self.review(moment)
            if is_end:
                self.expire_lots(lots, at=moment, note=Note(reason=reasons.EXPIRED, actor=THE_CLOCK))
            else:
                self.activate_lots(lots, at=moment)

    def review(self, at: datetime.datetime) -> None:
        """This will look at the tier up to a moment, with each ladder in its own time: what staff change of it holds
        from then on, and not for what was."""
        account = self.account
        if self.ladders is None or account.is_over:
            return
        last = account.clock(account.effective_at) if account.effective_at else account.tier_since
        for epoch in self.ladders.between(last, at):
            self._stand_on(epoch.ladder)
            if self.standing is not None and (
                self.standing.fall(epoch.until) if epoch.is_over else self.standing.review(epoch.until)
            ):
                self.is_changed = True

    def _stand_on(self, ladder: Ladder | None) -> None:
        if ladder is not (self.standing and self.standing.ladder):
            self.standing = Standing(self.account, self.tallies, ladder, self.tier_changes) if ladder else None

    def stand_on_the_newest(self) -> None:
        """This will go by the newest ladder from here on, as the rules of what is posted do, whenever it is dated."""
        if self.ladders is not None:
            self._stand_on(self.ladders.newest)

    def earn(
        self,
        points: Decimal,
        *,
        entry: PointTransaction,
        earned_at: datetime.datetime | None = None,
    ) -> None:
        """This will count points of an entry as earned, or below zero as not earned at `earned_at` after all."""
        account, at = self.account, entry.effective_at
        if self.standing is not None:
            self.standing.start(at)
            before = self.standing.earned()
        account.lifetime_earned += points
        self.tallies.earn(month_of(earned_at or at, self.zone), points)
        self.tallies.forget(at.astimezone(self.zone).date(), month_of(at, self.zone))
        if self.standing is not None:
            self.standing.move(before, at=at, entry_id=entry.id)

    def count_sent(self, name: str, points: Decimal, *, at: datetime.datetime) -> None:
        """This will count points that are sent under a name, and let go of what was counted before."""
        self.tallies.forget(at.astimezone(self.zone).date(), month_of(at, self.zone))
        self.tallies.add(name, points)

    def rung(self, at: datetime.datetime) -> Rung | None:
        """This will answer the tier that is held, where these points count for tiers."""
        return self.standing.held(at).rung if self.standing is not None else None

    def progress(self, at: datetime.datetime) -> Progress | None:
        """This will answer how far the customer is, where these points count for tiers."""
        return self.standing.progress(at) if self.standing is not None else None

    def clock(self, at: datetime.datetime) -> datetime.datetime:
        """This will answer the latest of `at`, the moment the newest entry took effect, and that of the newest tier."""
        return self.account.clock(at)

    def debt(self, entry: PointTransaction | None = None) -> Decimal:
        """This will answer what is owed: before the newest `entry`, where it is named, its points not counted."""
        balance = entry.balance_before if entry else self.account.balance
        return max(-balance, ZERO)

    def activate_lots(self, lots: list[Lot], *, at: datetime.datetime) -> None:
        """This will move the points of these lots from pending to available, by one entry."""
        lots = [lot for lot in lots if lot.remaining]
        total = sum((lot.remaining for lot in lots), ZERO)
        if not total:
            return
        note = Note(reason=reasons.ACTIVATED, actor=THE_CLOCK)
        entry = self.append(
            ids.new_id(), EntryType.ACTIVATE, at=self.clock(at), note=note, available=total, pending=-total
        )
        self.earn(total, entry=entry)
        for lot in lots:
            self.lots.activate(lot)
            self.use(entry, lot, ZERO)
            self.pay_debt_from(lot, entry)

    def expire_lots(self, lots: list[Lot], *, at: datetime.datetime, note: Note) -> None:
        """This will expire what is left of these lots, by one entry."""
        total = sum((lot.remaining for lot in lots), ZERO)
        if not total:
            return
        entry = self.append(ids.new_id(), EntryType.EXPIRE, at=self.clock(at), note=note, available=-total)
        self.pay(entry, [(lot, lot.remaining) for lot in lots if lot.remaining])
        self.account.lifetime_expired += total

    def append(
        self,
        entry_id: uuid.UUID,
        kind: EntryType,
        *,
        at: datetime.datetime,
        note: Note,
        available: Decimal,
        pending: Decimal = ZERO,
        held: Decimal = ZERO,
        shortfall: Decimal = ZERO,
        valid_from: datetime.datetime | None = None,
        expires_at: datetime.datetime | None = None,
        reverses_id: uuid.UUID | None = None,
        other: Other | None = None,
    ) -> PointTransaction:
        """This will add an entry that changes the available, pending and held points, and the snapshot with it."""
        account = self.account
        entry = PointTransaction.of(
            id=entry_id,
            account_id=account.id,
            program_id=account.program_id,
            version=account.version + 1,
            type=kind.value,
            points=available + pending + held,
            balance_before=account.balance,
            balance_after=account.balance + available,
            pending_after=account.pending + pending,
            held_after=account.held + held,
            shortfall=shortfall,
            valid_from=valid_from,
            expires_at=expires_at,
            reason=note.reason,
            reference=note.reference,
            staff_member=note.staff_member,
            metadata=note.metadata,
            actor=note.actor,
            card_id=note.card_id,
            reverses_id=reverses_id,
            transaction_date=note.transaction_date,
            external_id=note.external and note.external.id,
            fingerprint=note.external and note.external.fingerprint,
            source=note.source,
            line_item_id=note.line_item_id,
            other_account_id=other and other.account_id,
            other_entry_id=other and other.entry_id,
            effective_at=at,
            created_at=self.written_at,
            erased_at=None,
            serial=None,
        )
        account.version = entry.version
        account.listed += kind not in UNLISTED
        account.balance = entry.balance_after
        account.pending = entry.pending_after
        account.held = entry.held_after
        account.effective_at = at
        self._positions = itertools.count()
        self.entries.append(entry)
        self.is_changed = True
        return entry

    def add(self, lot: Lot, entry: PointTransaction) -> None:
        """This will put a new lot on the shelf; what it brings pays a debt first."""
        self.lots.load([lot])
        self.made.append(lot)
        if not self.lots.is_pending(lot):
            self.pay_debt_from(lot, entry)
        self.note_due(lot)

    def note_due(self, lot: Lot) -> None:
        """This will see to it that the account is settled when the lot starts or ends."""
        self.note_moment(self.lots.next_moment(lot))

    def note_moment(self, moment: datetime.datetime) -> None:
        """This will see to it that the account is settled at a moment."""
        if moment < (self.account.next_due_at or NEVER):
            self.account.next_due_at = moment

    def pay_debt_from(self, lot: Lot, entry: PointTransaction) -> None:
        """This will pay from a lot what the account owed before the entry and the entry has not paid yet."""
        paid = min(self._unpaid(entry), lot.remaining)
        if paid:
            self.use(entry, lot, paid, pays_debt=True)
            self.use(entry, None, -paid)

    def _unpaid(self, entry: PointTransaction) -> Decimal:
        """This will answer what the account owed before the entry, less what the entry has paid of it so far."""
        if not self.debt(entry):
            return ZERO
        paid = sum((-use.points for use in self._uses_of(entry) if use.lot_id is None), ZERO)
        return self.debt(entry) - paid

    def _uses_of(self, entry: PointTransaction) -> Iterator[Use]:
        return itertools.takewhile(lambda use: use.entry_id == entry.id, reversed(self.uses))

    def pay(self, entry: PointTransaction, payments: list[tuple[Lot, Decimal]]) -> None:
        """This will note which lots the entry takes its points from."""
        for lot, taken in payments:
            self.use(entry, lot, taken)

    def owe(self, entry: PointTransaction, points: Decimal) -> None:
        """This will note the points that the entry takes and no lot has."""
        if points:
            self.use(entry, None, points)

    def use(
        self,
        entry: PointTransaction,
        lot: Lot | None,
        points: Decimal,
        *,
        pays_debt: bool = False,
        is_held: bool = False,
    ) -> None:
        """This will note one use of the entry, and take it off the lot."""
        is_expiry = entry.type == EntryType.EXPIRE.value
        position = next(self._positions)
        self.uses.append(Use(entry.id, position, lot.id if lot else None, points, pays_debt, is_expiry, is_held))
        if lot is not None and points:
            lot.remaining -= points
            self.touched[lot.id] = lot
