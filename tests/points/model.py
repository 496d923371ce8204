"""The ledger in plain Python: one account as a list of lots, worked out anew at every step.

What the rules say and nothing else: no database, no snapshot that is carried along, no thought of speed. Balances are
sums over the lots; an entry's points are the difference that it made. The calendar is the service's own, which has
tests of its own.
"""

import contextlib
import copy
import datetime
from collections.abc import Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo

from points import expiry
from tests.points.model_rows import NEVER, ZERO, Entry, Lot, Refused, Standing
from tests.points.model_tiers import Tiers


class Account:
    def __init__(
        self,
        *,
        policy: expiry.Policy,
        zone: ZoneInfo,
        places: int,
        may_go_negative: bool,
        clawback: str,
        tiers: Tiers,
    ) -> None:
        self.tiers = tiers
        self.policy = policy
        self.zone = zone
        self.places = places
        self.may_go_negative = may_go_negative
        self.clawback = clawback
        self.lots: list[Lot] = []
        self.entries: list[Entry] = []
        self.debt = ZERO
        self.debt_payments: list[tuple[Lot, Decimal]] = []
        self.last_activity_at: datetime.datetime | None = None
        self.earned = self.redeemed = self.expired = ZERO
        self.past: list[tuple[datetime.datetime, Standing]] = []

    # What there is

    @property
    def free(self) -> Decimal:
        return sum((lot.left for lot in self.lots if lot.is_active), ZERO)

    @property
    def balance(self) -> Decimal:
        return self.free - self.debt

    @property
    def pending(self) -> Decimal:
        return sum((lot.left for lot in self.lots if not lot.is_active), ZERO)

    @property
    def held(self) -> Decimal:
        return ZERO

    def end(self, lot: Lot) -> datetime.datetime:
        if lot.months is None:
            return lot.ends_at or NEVER
        since = max(moment for moment in (lot.starts_at, self.last_activity_at) if moment)
        return expiry.add_months(moment=since, months=lot.months, zone=self.zone)

    def spending_order(self) -> list[Lot]:
        lots = [lot for lot in self.lots if lot.is_active and lot.left]
        return sorted(lots, key=lambda lot: (self.end(lot), lot.months is not None, lot.version))

    def first_moment(self) -> datetime.datetime:
        """When the next lot starts or ends."""
        return min((self.end(lot) if lot.is_active else lot.starts_at for lot in self.lots if lot.left), default=NEVER)

    def standing(self) -> Standing:
        ends = sorted((self.end(lot), lot.left) for lot in self.lots if lot.is_active and lot.left)
        sums = (self.balance, self.pending, self.earned, self.redeemed, self.expired)
        return Standing(*sums, ends, self.tiers.held, self.held)

    def as_of(self, moment: datetime.datetime) -> Standing:
        if not self.entries or moment >= self.clock(moment):
            account = copy.deepcopy(self)
            account.settle(moment)
            return account.standing()
        earlier = [standing for at, standing in self.past if at <= moment]
        nothing = self.tiers.scheme.reached(ZERO)
        return earlier[-1] if earlier else Standing(ZERO, ZERO, ZERO, ZERO, ZERO, [], nothing)

    def clock(self, at: datetime.datetime) -> datetime.datetime:
        """The account's time, which never goes back."""
        return max([at, *[entry.at for entry in self.entries[-1:]], *[change.at for change in self.tiers.changes[-1:]]])

    # What time does

    def settle(self, at: datetime.datetime) -> datetime.datetime:
        """Everything that was due, in time order; answers the account's clock."""
        clock = self.clock(at)
        while (moment := min(self.first_moment(), self.tiers.next_review())) <= clock:
            if moment == self.tiers.next_review():
                if self.tiers.review():
                    self._remember(moment)
                continue
            self._pass(moment)
        return clock

    def _pass(self, moment: datetime.datetime) -> None:
        """What happens first of all that happens at a moment."""
        starting = [lot for lot in self.lots if lot.left and not lot.is_active and lot.starts_at == moment]
        if starting:
            with self._entry("activate", moment) as entry:
                started = sum((lot.left for lot in starting), ZERO)
                self.earned += started
                self.tiers.earn(started, at=moment, version=entry.version)
                for lot in starting:
                    lot.is_active = True
                    self._pay_debt(entry, lot)
        else:
            ending = [lot for lot in self.lots if lot.left and lot.is_active and self.end(lot) == moment]
            self._end(ending, moment)

    def _end(self, lots: list[Lot], at: datetime.datetime) -> None:
        with self._entry("expire", at) as entry:
            for lot in lots:
                self._expire(entry, lot, lot.left)

    # What people do

    def award(
        self,
        *,
        points: Decimal,
        at: datetime.datetime,
        valid_from: datetime.datetime | None = None,
        expires_at: datetime.datetime | None = None,
    ) -> Entry:
        at = self.settle(at)
        self._check_decimals(points)
        starts_at = max(at, valid_from or at)
        if expires_at is not None and expires_at <= starts_at:
            raise Refused("INVALID_PARAMETERS")
        self.last_activity_at = at
        return self._bring("award", points, at=at, starts_at=starts_at, expires_at=expires_at)

    def redeem(self, *, points: Decimal, at: datetime.datetime) -> Entry:
        at = self.settle(at)
        self._check_decimals(points)
        if points > self.balance:
            raise Refused("INSUFFICIENT_POINTS")
        with self._entry("redeem", at) as entry:
            self._spend(entry, points)
        self.redeemed += points
        self.last_activity_at = at
        self._remember(entry.at)
        return entry

    def adjust(self, *, points: Decimal, at: datetime.datetime) -> Entry:
        at = self.settle(at)
        self._check_decimals(points)
        if points > 0:
            return self._bring("adjust", points, at=at, starts_at=at, expires_at=None)
        if -points > self.free and not self.may_go_negative:
            raise Refused("INSUFFICIENT_POINTS")
        with self._entry("adjust", at) as entry:
            missing = self._spend(entry, -points)
            self._owe(entry, missing)
        return entry

    def expire(
        self, *, points: Decimal | None, before: datetime.datetime | None, at: datetime.datetime
    ) -> Entry | None:
        at = self.settle(at)
        if points is not None:
            self._check_decimals(points)
        lots = [lot for lot in self.spending_order() if before is None or self.end(lot) < before]
        wanted = self.free if points is None else points
        if before is None and wanted > self.free:
            raise Refused("INSUFFICIENT_POINTS")
        if not lots:
            return None
        with self._entry("expire", at) as entry:
            for lot in lots:
                expiring = min(lot.left, wanted)
                wanted -= expiring
                self._expire(entry, lot, expiring)
        return entry

    def reverse(self, *, version: int, points: Decimal | None, at: datetime.datetime) -> Entry:
        at = self.settle(at)
        target = self.entries[version - 1]
        if target.type not in ("award", "redeem", "adjust"):
            raise Refused("NOT_REVERSIBLE")
        root = next((lot for lot in self.lots if lot.version == version), None)
        own = [lot for lot in self.lots if root and lot.root == root.root]
        left = abs(target.points) - target.undone - sum((lot.expired for lot in own), ZERO)
        points = left if points is None else points
        if left <= 0 or points > left:
            raise Refused("ALREADY_REVERSED")
        self._check_decimals(points)
        return self._take_back(target, own, points, at) if own else self._give_back(target, points, at)

    def _take_back(self, target: Entry, own: list[Lot], points: Decimal, at: datetime.datetime) -> Entry:
        """Of its lot, and of what came back of it; the older first."""
        root, of_own = own[0], sum((lot.left for lot in own), ZERO)
        from_own = min(of_own, points)
        missing = max(ZERO, points - from_own - (self.free - of_own if root.is_active else self.free))
        may_owe = root.clawback == "negative" and self.may_go_negative
        if missing and not may_owe and root.clawback != "to_zero":
            raise Refused("INSUFFICIENT_POINTS")
        was_active = root.is_active
        with self._entry("reverse", at, reverses=target.version) as entry:
            for lot in own:
                taken = min(lot.left, from_own)
                from_own -= taken
                self._take(entry, lot, taken)
            self._spend(entry, points - min(of_own, points))
            if may_owe:
                self._owe(entry, missing)
            else:
                entry.shortfall = missing
        target.undone += points
        if target.type == "award" and was_active:
            self.earned -= points
            self.tiers.earn(-points, at=at, version=entry.version, earned_at=root.starts_at)
        self._remember(entry.at)
        return entry

    def _give_back(self, target: Entry, points: Decimal, at: datetime.datetime) -> Entry:
        returned: list[Lot] = []
        with self._entry("reverse", at, reverses=target.version) as entry:
            of_debt = min(points, target.debt)
            target.debt -= of_debt
            still_owed = min(of_debt, self.debt)
            self._owe(entry, -still_owed)
            self.debt_payments = self._return(entry, self.debt_payments, of_debt - still_owed, returned)
            target.paid = self._return(entry, target.paid, points - of_debt, returned)
            ended = self._settle_returned(entry, returned)
        target.undone += points
        if target.type == "redeem":
            self.redeemed -= points
        self._remember(entry.at)
        if ended:
            self._end(ended, at)
        return entry

    def _settle_returned(self, entry: Entry, returned: list[Lot]) -> list[Lot]:
        """Lots that got points back pay a debt; answers those that have ended, which do not."""
        ended = [lot for lot in returned if self.end(lot) <= entry.at]
        for lot in returned:
            if lot not in ended:
                self._pay_debt(entry, lot)
        return ended

    # How it is done

    @contextlib.contextmanager
    def _entry(self, kind: str, at: datetime.datetime, reverses: int | None = None) -> Iterator[Entry]:
        owned = self.balance + self.pending + self.held
        entry = Entry(version=len(self.entries) + 1, type=kind, at=at, before=self.balance, reverses=reverses)
        yield entry
        entry.after, entry.pending, entry.held = self.balance, self.pending, self.held
        entry.points = entry.after + entry.pending + entry.held - owned
        self.entries.append(entry)
        self._remember(entry.at)

    def _remember(self, moment: datetime.datetime) -> None:
        """The last word on a moment is what holds when all that happens in it is done."""
        self.past = [(at, standing) for at, standing in self.past if at < moment]
        self.past.append((moment, self.standing()))

    def _bring(
        self,
        kind: str,
        points: Decimal,
        *,
        at: datetime.datetime,
        starts_at: datetime.datetime,
        expires_at: datetime.datetime | None,
    ) -> Entry:
        months = None
        if expires_at is None:
            expires_at = expiry.end(policy=self.policy, starts_at=starts_at, zone=self.zone)
            months = self.policy.count if self.policy.kind == "inactivity" else None
        lot = Lot(
            version=len(self.entries) + 1,
            points=points,
            left=points,
            starts_at=starts_at,
            ends_at=expires_at,
            months=months,
            clawback=self.clawback,
            is_active=starts_at <= at,
        )
        with self._entry(kind, at) as entry:
            self.lots.append(lot)
            if lot.is_active:
                self._pay_debt(entry, lot)
        if kind == "award" and lot.is_active:
            self.earned += points
            self.tiers.earn(points, at=at, version=entry.version)
        self._remember(entry.at)
        return entry

    def _check_decimals(self, points: Decimal) -> None:
        if points * 10**self.places % 1:
            raise Refused("INVALID_POINTS")

    def _take(self, entry: Entry, lot: Lot, points: Decimal) -> None:
        lot.left -= points
        entry.uses[lot.version] += points

    def _spend(self, entry: Entry, points: Decimal) -> Decimal:
        """Take what is there, those that end first first; answers what is missing."""
        for lot in self.spending_order():
            paid = min(lot.left, points)
            points -= paid
            self._take(entry, lot, paid)
            entry.paid.append((lot, paid))
        return points

    def _expire(self, entry: Entry, lot: Lot, points: Decimal) -> None:
        self._take(entry, lot, points)
        lot.expired += points
        self.expired += points

    def _owe(self, entry: Entry, points: Decimal) -> None:
        self.debt += points
        entry.debt += points
        entry.uses[None] += points

    def _pay_debt(self, entry: Entry, lot: Lot) -> None:
        paid = min(self.debt, lot.left)
        if paid:
            self._take(entry, lot, paid)
            self.debt -= paid
            entry.uses[None] -= paid
            # A lot that pays again stands where it paid last.
            before = sum((points for other, points in self.debt_payments if other is lot), ZERO)
            self.debt_payments = [(other, points) for other, points in self.debt_payments if other is not lot]
            self.debt_payments.append((lot, before + paid))

    def _return(
        self, entry: Entry, payments: list[tuple[Lot, Decimal]], points: Decimal, returned: list[Lot]
    ) -> list[tuple[Lot, Decimal]]:
        """Give points back to the lots that paid, the newest payment first; answers the payments that remain."""
        remaining = []
        for lot, paid in reversed(payments):
            back = min(paid, points)
            points -= back
            self._take(entry, lot, -back)
            if back and lot not in returned:
                returned.append(lot)
            remaining.append((lot, paid - back))
        return remaining[::-1]
