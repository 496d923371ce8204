"""The ledger in plain Python, with points that are set aside and points that go to another account."""

import datetime
from decimal import Decimal
from typing import Any

from tests.points import model
from tests.points.model_rows import NEVER, ZERO, Entry, Hold, Lot, Refused


class Account(model.Account):
    def __init__(self, **rules: Any) -> None:
        super().__init__(**rules)
        self.holds: list[Hold] = []

    @property
    def active_holds(self) -> list[Hold]:
        return [hold for hold in self.holds if hold.status == "active"]

    @property
    def held(self) -> Decimal:
        return sum((hold.points for hold in self.active_holds), ZERO)

    def first_moment(self) -> datetime.datetime:
        return min([super().first_moment(), *(hold.expires_at for hold in self.active_holds)])

    def _pass(self, moment: datetime.datetime) -> None:
        """Holds lapse before anything starts, and that before anything ends."""
        lapsing = [hold for hold in self.active_holds if hold.expires_at == moment]
        if lapsing:
            self._let_go(lapsing, "lapsed", moment)
        else:
            super()._pass(moment)

    # What people do

    def hold(self, *, points: Decimal, lasts: datetime.timedelta, at: datetime.datetime) -> Entry:
        at = self.settle(at)
        self._check_decimals(points)
        if points > self.balance:
            raise Refused("INSUFFICIENT_POINTS")
        with self._entry("hold", at) as entry:
            self._spend(entry, points)
            pins, entry.paid = entry.paid, []
            self.holds.append(Hold(version=entry.version, points=points, expires_at=at + lasts, pins=pins))
        return entry

    def capture(self, *, version: int, points: Decimal | None, at: datetime.datetime) -> Entry:
        at = self.settle(at)
        hold = self._named(version)
        points = hold.points if points is None else points
        self._check_decimals(points)
        if hold.status != "active":
            raise Refused("HOLD_RESOLVED")
        if points > hold.points:
            raise Refused("INSUFFICIENT_POINTS")
        with self._entry("redeem", at) as entry:
            left = points
            for lot, pinned in hold.pins:
                entry.paid.append((lot, min(pinned, left)))
                left -= min(pinned, left)
            rest = [(lot, pinned - paid) for (lot, pinned), (_, paid) in zip(hold.pins, entry.paid, strict=True)]
            self._resolve(hold, "captured", entry)
            hold.captured = points
            going_back = Hold(hold.version, hold.points - points, NEVER, rest)
            self.holds.append(going_back)
        self.redeemed += points
        if going_back.points:
            self._let_go([going_back], "released", at)
        self.holds.remove(going_back)
        # What is due is due by the activity before this one.
        self.last_activity_at = at
        self._remember(at)
        return entry

    def release(self, *, version: int, at: datetime.datetime) -> Entry:
        at = self.settle(at)
        hold = self._named(version)
        if hold.status != "active":
            raise Refused("HOLD_RESOLVED")
        return self._let_go([hold], "released", at)

    # How it is done

    def _named(self, version: int) -> Hold:
        return next(hold for hold in self.holds if hold.version == version)

    def _let_go(self, holds: list[Hold], status: str, at: datetime.datetime) -> Entry:
        returned: list[Lot] = []
        with self._entry("release", at) as entry:
            for hold in holds:
                self._resolve(hold, status, entry)
                for lot, points in hold.pins:
                    self._take(entry, lot, -points)
                    if points and lot not in returned:
                        returned.append(lot)
            ended = self._settle_returned(entry, returned)
        if ended:
            self._end(ended, at)
        return entry

    def _resolve(self, hold: Hold, status: str, entry: Entry) -> None:
        hold.status, hold.resolved_at, hold.resolved_by = status, entry.at, entry.version


def transfer(sender: Account, receiver: Account, *, points: Decimal, at: datetime.datetime) -> Entry:
    """Both are settled at one moment; each lot that pays is a lot of the other's anew, with its start and its end."""
    at = max(sender.clock(at), receiver.clock(at))
    for account in (sender, receiver):
        account.settle(at)
    sender._check_decimals(points)
    if points > sender.balance:
        raise Refused("INSUFFICIENT_POINTS")
    with sender._entry("transfer", at) as entry:
        sender._spend(entry, points)
        paid, entry.paid = [(lot, taken) for lot, taken in entry.paid if taken], []
    with receiver._entry("transfer", at) as received:
        for lot, taken in paid:
            new = Lot(
                version=received.version,
                points=taken,
                left=taken,
                starts_at=lot.starts_at,
                ends_at=lot.ends_at,
                months=lot.months,
                clawback=lot.clawback,
                is_active=True,
                root=lot.root,
            )
            if new.months and sender.last_activity_at:
                # It does not end earlier than where it came from.
                new.starts_at = max(new.starts_at, sender.last_activity_at)
            receiver.lots.append(new)
            receiver._pay_debt(received, new)
    return entry
