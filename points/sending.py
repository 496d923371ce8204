"""Points of one account that go to another one, or come from there: each lot's with its start, end and origin."""

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from decimal import Decimal

from loyalty import ids
from points.holding import HoldingPage, InsufficientPoints
from points.lots import ZERO, Lot
from points.models import EntryType, PointTransaction
from points.page import Note, Other, Payment


class SendingPage(HoldingPage):
    """A page on which points go to other accounts, or come from them."""

    def send(
        self, *, entry_id: uuid.UUID, points: Decimal, other: Other, note: Note, at: datetime.datetime
    ) -> list[Payment]:
        """This will take points, those that end first first, for another account, and answer of which lots they are.

        Raises:
            InsufficientPoints: the balance does not cover them.
            errors.InvalidPoints: the amount is finer than the definition's.
        """
        self._check_decimals(points)
        if points > self.account.balance:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=points)
        payments = self._payments(points)
        entry = self.append(entry_id, EntryType.TRANSFER, at=at, note=note, available=-points, other=other)
        self.pay(entry, payments)
        return payments

    def receive(
        self,
        *,
        entry_id: uuid.UUID,
        payments: Sequence[Payment],
        other: Other,
        note: Note,
        at: datetime.datetime,
        active_at: datetime.datetime | None,
    ) -> PointTransaction:
        """This will add points that another account sent, of these lots of it: they keep their end. `active_at`: the
        last activity there. Whether there is room for them has been checked."""
        points = sum((taken for _, taken in payments), ZERO)
        entry = self.append(entry_id, EntryType.TRANSFER, at=at, note=note, available=points, other=other)
        for lot, taken in payments:
            new = self.bring(entry, lot, taken, active_at=active_at)
            self.pay_debt_from(new, entry)
            self.note_due(new)
        return entry

    def bring(
        self, entry: PointTransaction, lot: Lot, points: Decimal, *, active_at: datetime.datetime | None = None
    ) -> Lot:
        """This will make a lot of this account, by the entry, of points of another account's lot. `active_at`: the last
        activity there."""
        active_from = lot.active_from
        if lot.inactivity_months is not None and active_from is not None and active_at is not None:
            # It ends no earlier than it would have where it was.
            active_from = max(active_from, active_at)
        new = dataclasses.replace(
            lot,
            id=ids.new_id(),
            version=entry.version,
            points=points,
            remaining=points,
            active_from=active_from,
            entry_id=entry.id,
            origin_id=lot.origin_id or lot.id,
        )
        self.lots.load([new])
        self.made.append(new)
        return new
