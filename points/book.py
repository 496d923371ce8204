"""One account's books while its row is locked: what falls due, and what each posting does to lots and balance.

Plain arithmetic on rows that `points/store.py` read under the lock and writes afterwards; no SQL here. Every method
checks all that can be refused before it changes anything, so a refusal leaves the books as they were.
"""

import bisect
import dataclasses
import datetime
import itertools
import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

from loyalty import errors, ids
from points import expiry
from points.models import MAX_DIGITS, Clawback, EntryType, PointAccount, PointDefinition, PointTransaction

ZERO = Decimal(0)
NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
THE_CLOCK = "clock"  # The actor of entries that time alone makes.


class InsufficientPoints(errors.Refusal):
    """The available points do not cover what was asked."""

    code = "INSUFFICIENT_POINTS"
    status = 400
    message = "There are not enough points."

    def __init__(self, *, current_balance: Decimal, requested_points: Decimal) -> None:
        super().__init__(current_balance=current_balance, requested_points=requested_points)


class AlreadyReversed(errors.Refusal):
    """More is to be reversed than is left to reverse."""

    code = "ALREADY_REVERSED"
    status = 409
    message = "There are fewer points left to reverse."

    def __init__(self, *, reversible_points: Decimal) -> None:
        super().__init__(reversible_points=reversible_points)


@dataclasses.dataclass(slots=True)
class Lot:
    """A lot as the books work on it. Points of one entry; `remaining` is the only thing that changes."""

    id: uuid.UUID
    version: int
    points: Decimal
    remaining: Decimal
    active_from: datetime.datetime | None
    expires_at: datetime.datetime | None
    inactivity_months: int | None
    clawback: str


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """How much an entry took of a lot (below zero: gave back); without a lot, a debt."""

    entry_id: uuid.UUID
    position: int
    lot_id: uuid.UUID | None
    points: Decimal
    pays_debt: bool


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


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What a redemption or a negative adjustment took, less what reversals gave back since: (lot, points) in the
    order taken, and of its debt. `debt_payers` are the lots that have paid debts of the account, oldest first."""

    by_lot: list[tuple[uuid.UUID, Decimal]]
    debt: Decimal
    debt_payers: list[tuple[uuid.UUID, Decimal]]


class Book:
    """This account's books: `settle` first, then post."""

    def __init__(
        self,
        *,
        account: PointAccount,
        definition: PointDefinition,
        zone: ZoneInfo,
        written_at: datetime.datetime,
        lots: Iterable[Lot] = (),
    ) -> None:
        self.account = account
        self.definition = definition
        self.zone = zone
        self.written_at = written_at
        self.lots: dict[uuid.UUID, Lot] = {}
        self.entries: list[PointTransaction] = []
        self.uses: list[Use] = []
        self.made: list[Lot] = []
        self.touched: dict[uuid.UUID, Lot] = {}
        self.is_changed = False
        self._pending: dict[uuid.UUID, Lot] = {}
        self._dated: list[Lot] = []
        self._by_inactivity: list[Lot] = []
        self._positions: itertools.count[int] = itertools.count()
        self.load(lots)

    def load(self, lots: Iterable[Lot]) -> None:
        """This will add lots that were read under the lock; one that is there already is left alone."""
        for lot in lots:
            if lot.id not in self.lots:
                self.lots[lot.id] = lot
                self._shelve(lot)

    def close_page(self) -> None:
        """This will forget what has been written, and go on from there."""
        self.entries, self.uses, self.made, self.touched = [], [], [], {}
        self.is_changed = False

    def settle(self, at: datetime.datetime) -> datetime.datetime:
        """This will post what fell due by `at`, in time order, and answer the clock of the account.

        At one moment starts come before ends. The clock never goes back: it is the later of `at` and the newest entry.
        """
        clock = self.clock(at)
        if self.account.next_due_at is None or self.account.next_due_at > clock:
            return clock
        for (moment, is_end), due in itertools.groupby(self._due(clock), key=lambda event: event[:2]):
            lots = [event[2] for event in due]
            if is_end:
                self._expire_lots(lots, at=moment, note=Note(reason="Points expired", actor=THE_CLOCK))
            else:
                self._activate_lots(lots, at=moment)
        self.account.next_due_at = min((self._next_moment(lot) for lot in self._open()), default=None)
        if self.account.next_due_at == NEVER:
            self.account.next_due_at = None
        self.is_changed = True
        return clock

    def clock(self, at: datetime.datetime) -> datetime.datetime:
        """This will answer the later of `at` and the moment the newest entry took effect."""
        return max(at, self.account.effective_at) if self.account.effective_at else at

    def award(
        self,
        *,
        entry_id: uuid.UUID,
        points: Decimal,
        note: Note,
        at: datetime.datetime,
        valid_from: datetime.datetime | None = None,
        expires_at: datetime.datetime | None = None,
    ) -> PointTransaction:
        """This will add points: at once, or from `valid_from`; until `expires_at`, or as the definition's policy says.

        Raises:
            errors.InvalidParameters: the points would end before they start, or beyond what a calendar holds.
            errors.InvalidPoints: the amount is finer than the definition's, or the account would pass 15 digits.
        """
        self._check_amount(points)
        active_from = valid_from if valid_from is not None and valid_from > at else None
        lot = self._new_lot(entry_id, points, at=at, active_from=active_from, expires_at=expires_at)
        entry = self._append(
            entry_id,
            EntryType.AWARD,
            at=at,
            note=note,
            available=ZERO if active_from else points,
            pending=points if active_from else ZERO,
            valid_from=active_from,
            expires_at=lot.expires_at,
        )
        self.account.last_activity_at = at
        if not active_from:
            self.account.lifetime_earned += points
        self._add(lot, entry)
        return entry

    def redeem(self, *, entry_id: uuid.UUID, points: Decimal, note: Note, at: datetime.datetime) -> PointTransaction:
        """This will spend points, those that end first first.

        Raises:
            InsufficientPoints: the balance does not cover them; a redemption never makes a debt.
            errors.InvalidPoints: the amount is finer than the definition's.
        """
        self._check_decimals(points)
        if points > self.account.balance:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=points)
        # In spending order as it was until now: this activity moves the ends of the lots it pays with.
        payments = self._payments(points)
        entry = self._append(entry_id, EntryType.REDEEM, at=at, note=note, available=-points)
        self._pay(entry, payments)
        self.account.lifetime_redeemed += points
        self.account.last_activity_at = at
        return entry

    def adjust(self, *, entry_id: uuid.UUID, points: Decimal, note: Note, at: datetime.datetime) -> PointTransaction:
        """This will correct the balance by signed points. Below zero only where the account may.

        Raises:
            InsufficientPoints: it would go below zero and may not.
            errors.InvalidPoints: the amount is finer than the definition's, or the account would pass 15 digits.
        """
        self._check_amount(points)
        if points > 0:
            lot = self._new_lot(entry_id, points, at=at)
            entry = self._append(
                entry_id, EntryType.ADJUST, at=at, note=note, available=points, expires_at=lot.expires_at
            )
            self._add(lot, entry)
            return entry
        free = max(self.account.balance, ZERO)
        if -points > free and not self.account.may_go_negative:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=-points)
        payments = self._payments(min(-points, free))
        entry = self._append(entry_id, EntryType.ADJUST, at=at, note=note, available=points)
        self._pay(entry, payments)
        self._owe(entry, -points - min(-points, free))
        return entry

    def expire(
        self,
        *,
        entry_id: uuid.UUID,
        points: Decimal | None,
        before: datetime.datetime | None,
        note: Note,
        at: datetime.datetime,
    ) -> PointTransaction | None:
        """This will expire active points by hand: of the lots that end `before`, at most `points`; or that many in
        spending order. None where nothing is to expire.

        Raises:
            InsufficientPoints: `points` alone are more than the balance.
            errors.InvalidPoints: the amount is finer than the definition's.
        """
        if points is not None:
            self._check_decimals(points)
        free = max(self.account.balance, ZERO)
        if points is not None and before is None and points > free:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=points)
        lots = [lot for lot in self._in_spending_order() if before is None or self.end(lot) < before]
        payments = self._payments(free if points is None else points, lots=lots, is_partial=before is not None)
        total = sum((taken for _, taken in payments), ZERO)
        if not total:
            return None
        entry = self._append(entry_id, EntryType.EXPIRE, at=at, note=note, available=-total)
        self._pay(entry, payments)
        self.account.lifetime_expired += total
        return entry

    def take_back(
        self,
        *,
        entry_id: uuid.UUID,
        target: PointTransaction,
        points: Decimal,
        note: Note,
        at: datetime.datetime,
    ) -> PointTransaction:
        """This will reverse so much of an award or a positive adjustment: from its own lot, then from other free
        points in spending order; where those are short, as the lot's `clawback` says.

        Raises:
            InsufficientPoints: they are short and the policy refuses, or the account may not go below zero.
        """
        self._check_decimals(points)
        own = self.lots[target.id]
        was_pending = own.id in self._pending
        from_own = min(own.remaining, points)
        free = max(self.account.balance, ZERO) - (ZERO if was_pending else own.remaining)
        from_others = min(points - from_own, free)
        missing = points - from_own - from_others
        debt = missing if own.clawback == Clawback.NEGATIVE and self.account.may_go_negative else ZERO
        if missing and not debt and own.clawback != Clawback.TO_ZERO:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=points)

        others = [lot for lot in self._in_spending_order() if lot is not own]
        payments = [(own, from_own)] * bool(from_own) + self._payments(from_others, lots=others)
        entry = self._append(
            entry_id,
            EntryType.REVERSE,
            at=at,
            note=note,
            available=-(ZERO if was_pending else from_own) - from_others - debt,
            pending=-from_own if was_pending else ZERO,
            shortfall=missing - debt,
            reverses_id=target.id,
        )
        self._pay(entry, payments)
        self._owe(entry, debt)
        if target.type == EntryType.AWARD and not was_pending:
            self.account.lifetime_earned -= points
        return entry

    def give_back(
        self,
        *,
        entry_id: uuid.UUID,
        target: PointTransaction,
        points: Decimal,
        spent: Spent,
        note: Note,
        at: datetime.datetime,
    ) -> PointTransaction:
        """This will reverse so much of a redemption or a negative adjustment: back to the lots that paid, newest use
        first, with their end. What a lot takes back after its end expires at once, by an entry that says so.
        """
        self._check_amount(points)
        entry = self._append(entry_id, EntryType.REVERSE, at=at, note=note, available=points, reverses_id=target.id)
        if target.type == EntryType.REDEEM:
            self.account.lifetime_redeemed -= points
        returned: list[Lot] = []
        of_debt = min(points, spent.debt)
        owed = min(of_debt, self.debt(entry))
        if owed:
            self._use(entry, None, -owed)
        self._return(entry, of_debt - owed, spent.debt_payers, returned, pays_debt=True)
        self._return(entry, points - of_debt, spent.by_lot, returned)
        ended = [lot for lot in returned if self.end(lot) <= at]
        for lot in returned:
            if self.end(lot) > at:
                self._pay_debt_from(lot, entry)
                self._note_due(lot)
        self._expire_lots(
            ended,
            at=at,
            note=dataclasses.replace(note, reason="Expired: the points given back had ended", reference=None),
        )
        return entry

    def debt(self, entry: PointTransaction | None = None) -> Decimal:
        """This will answer what is owed: before the newest `entry`, where it is named, its points not counted."""
        balance = entry.balance_before if entry else self.account.balance
        return max(-balance, ZERO)

    def end(self, lot: Lot) -> datetime.datetime:
        """This will answer when a lot ends, far in the future for never."""
        if lot.inactivity_months is None:
            return lot.expires_at or NEVER
        return expiry.inactivity_end(
            last_activity_at=self.account.last_activity_at,
            starts_at=cast(datetime.datetime, lot.active_from),
            months=lot.inactivity_months,
            zone=self.zone,
        )

    # What follows changes the books without checking; in order of invocation.

    def _shelve(self, lot: Lot) -> None:
        clock = self.account.effective_at
        if lot.active_from is not None and (clock is None or lot.active_from > clock):
            self._pending[lot.id] = lot
        elif lot.inactivity_months is not None:
            self._by_inactivity.append(lot)
        else:
            bisect.insort(self._dated, lot, key=lambda other: (other.expires_at or NEVER, other.version))

    def _due(self, clock: datetime.datetime) -> list[tuple[datetime.datetime, bool, Lot]]:
        starts = [(start, False, lot) for lot in self._pending.values() if (start := self._next_moment(lot)) <= clock]
        ends = [(end, True, lot) for lot in self._open() if (end := self.end(lot)) <= clock]
        return sorted(starts + ends, key=lambda event: (event[0], event[1], event[2].version))

    def _open(self) -> Iterator[Lot]:
        return (lot for lot in self.lots.values() if lot.remaining)

    def _next_moment(self, lot: Lot) -> datetime.datetime:
        if lot.id in self._pending and lot.active_from is not None:
            return lot.active_from
        return self.end(lot)

    def _activate_lots(self, lots: list[Lot], *, at: datetime.datetime) -> None:
        lots = [lot for lot in lots if lot.remaining]
        total = sum((lot.remaining for lot in lots), ZERO)
        if not total:
            return
        note = Note(reason="Points became active", actor=THE_CLOCK)
        entry = self._append(
            ids.new_id(), EntryType.ACTIVATE, at=self.clock(at), note=note, available=total, pending=-total
        )
        self.account.lifetime_earned += total
        for lot in lots:
            del self._pending[lot.id]
            self._shelve(lot)
            self._use(entry, lot, ZERO)
            self._pay_debt_from(lot, entry)

    def _expire_lots(self, lots: list[Lot], *, at: datetime.datetime, note: Note) -> None:
        total = sum((lot.remaining for lot in lots), ZERO)
        if not total:
            return
        entry = self._append(ids.new_id(), EntryType.EXPIRE, at=self.clock(at), note=note, available=-total)
        self._pay(entry, [(lot, lot.remaining) for lot in lots if lot.remaining])
        self.account.lifetime_expired += total

    def _check_amount(self, points: Decimal) -> None:
        self._check_decimals(points)
        bound = Decimal(10) ** (MAX_DIGITS - self.definition.decimal_places)
        owned = self.account.balance + self.account.pending + points
        if not -bound < owned < bound or self.account.lifetime_earned + max(points, ZERO) >= bound:
            raise errors.InvalidPoints(points, f"The account would need more than {MAX_DIGITS} digits.")

    def _check_decimals(self, points: Decimal) -> None:
        places = self.definition.decimal_places
        if points != round(points, places):
            raise errors.InvalidPoints(points, f"These points have at most {places} decimal places.")

    def _new_lot(
        self,
        entry_id: uuid.UUID,
        points: Decimal,
        *,
        at: datetime.datetime,
        active_from: datetime.datetime | None = None,
        expires_at: datetime.datetime | None = None,
    ) -> Lot:
        starts_at = active_from or at
        months = None
        try:
            if expires_at is None:
                policy = self.definition.policy
                expires_at = expiry.end(policy=policy, starts_at=starts_at, zone=self.zone)
                if policy.kind == expiry.ExpiryPolicy.INACTIVITY:
                    months = policy.count
                    expiry.inactivity_end(last_activity_at=at, starts_at=starts_at, months=months, zone=self.zone)
            elif expires_at <= starts_at:
                raise errors.InvalidParameters(
                    {"expires_at": ["Points must expire after now and after they become valid."]}, rule="in_future"
                )
        except expiry.OutOfRange as error:
            raise errors.InvalidParameters({"valid_from": [str(error)]}, rule="out_of_range") from error
        return Lot(
            id=entry_id,
            version=self.account.version + 1,
            points=points,
            remaining=points,
            # The end of a lot that ends by inactivity is counted from its start where nothing happened since.
            active_from=starts_at if months else active_from,
            expires_at=expires_at,
            inactivity_months=months,
            clawback=self.definition.clawback,
        )

    def _append(
        self,
        entry_id: uuid.UUID,
        kind: EntryType,
        *,
        at: datetime.datetime,
        note: Note,
        available: Decimal,
        pending: Decimal = ZERO,
        **facts,
    ) -> PointTransaction:
        account = self.account
        entry = PointTransaction(
            id=entry_id,
            account_id=account.id,
            program_id=account.program_id,
            version=account.version + 1,
            type=kind.value,
            points=available + pending,
            balance_before=account.balance,
            balance_after=account.balance + available,
            pending_after=account.pending + pending,
            effective_at=at,
            created_at=self.written_at,
            reason=note.reason,
            reference=note.reference,
            staff_member=note.staff_member,
            metadata=note.metadata,
            actor=note.actor,
            card_id=note.card_id,
            transaction_date=note.transaction_date,
            **facts,
        )
        account.version = entry.version
        account.balance = entry.balance_after
        account.pending = entry.pending_after
        account.effective_at = at
        self._positions = itertools.count()
        self.entries.append(entry)
        self.is_changed = True
        return entry

    def _add(self, lot: Lot, entry: PointTransaction) -> None:
        self.lots[lot.id] = lot
        self.made.append(lot)
        self._shelve(lot)
        if lot.id not in self._pending:
            self._pay_debt_from(lot, entry)
        self._note_due(lot)

    def _note_due(self, lot: Lot) -> None:
        moment = self._next_moment(lot)
        if moment < (self.account.next_due_at or NEVER):
            self.account.next_due_at = moment

    def _pay_debt_from(self, lot: Lot, entry: PointTransaction) -> None:
        paid = min(self._unpaid(entry), lot.remaining)
        if paid:
            self._use(entry, lot, paid, pays_debt=True)
            self._use(entry, None, -paid)

    def _unpaid(self, entry: PointTransaction) -> Decimal:
        """This will answer what the account owed before the entry, less what the entry has paid of it so far."""
        paid = sum((-use.points for use in self._uses_of(entry) if use.lot_id is None), ZERO)
        return self.debt(entry) - paid

    def _uses_of(self, entry: PointTransaction) -> Iterator[Use]:
        return itertools.takewhile(lambda use: use.entry_id == entry.id, reversed(self.uses))

    def _in_spending_order(self) -> list[Lot]:
        if not self._by_inactivity:
            return self._dated
        return sorted(
            self._dated + self._by_inactivity,
            key=lambda lot: (self.end(lot), lot.inactivity_months is not None, lot.version),
        )

    def _payments(
        self, points: Decimal, *, lots: list[Lot] | None = None, is_partial: bool = False
    ) -> list[tuple[Lot, Decimal]]:
        payments = []
        for lot in self._in_spending_order() if lots is None else lots:
            if points <= 0:
                break
            if lot.remaining:
                taken = min(lot.remaining, points)
                payments.append((lot, taken))
                points -= taken
        if points > 0 and not is_partial:
            raise RuntimeError(f"account {self.account.id} has a larger balance than its lots")
        return payments

    def _pay(self, entry: PointTransaction, payments: list[tuple[Lot, Decimal]]) -> None:
        for lot, taken in payments:
            self._use(entry, lot, taken)

    def _owe(self, entry: PointTransaction, points: Decimal) -> None:
        if points:
            self._use(entry, None, points)

    def _return(
        self,
        entry: PointTransaction,
        points: Decimal,
        payers: list[tuple[uuid.UUID, Decimal]],
        returned: list[Lot],
        *,
        pays_debt: bool = False,
    ) -> None:
        for lot_id, paid in reversed(payers):
            back = min(paid, points)
            if back > 0:
                lot = self.lots[lot_id]
                self._use(entry, lot, -back, pays_debt=pays_debt)
                if lot not in returned:
                    returned.append(lot)
                points -= back

    def _use(self, entry: PointTransaction, lot: Lot | None, points: Decimal, *, pays_debt: bool = False) -> None:
        self.uses.append(Use(entry.id, next(self._positions), lot.id if lot else None, points, pays_debt))
        if lot is not None and points:
            lot.remaining -= points
            self.touched[lot.id] = lot
