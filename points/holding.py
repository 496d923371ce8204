"""Points of one account that are set aside: pinned to the lots that they are of, until they are captured, released or
the hold lapses.

While they are held they are neither spendable nor expirable: their lots do not have them. What goes back to a lot that
has ended by then expires at once.
"""

import dataclasses
import datetime
import functools
import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from loyalty import errors, ids
from points import reasons
from points.hold_models import Hold
from points.lots import ZERO, Lot
from points.models import MAX_DIGITS, EntryType, PointTransaction
from points.page import THE_CLOCK, Note, Page, Payment

MOST_HOLDS = 100  # Of one account at once: all of them are looked at when one falls due.

Pin = tuple[uuid.UUID, Decimal]


class InsufficientPoints(errors.Refusal):
    """The available points do not cover what was asked."""

    code = "INSUFFICIENT_POINTS"
    status = 400
    message = gettext_noop("There are not enough points.")

    def __init__(self, *, current_balance: Decimal, requested_points: Decimal) -> None:
        super().__init__(current_balance=current_balance, requested_points=requested_points)


class HoldNotFound(errors.NotFound):
    """The programme has no such hold."""

    code = "HOLD_NOT_FOUND"
    message = "There is no such hold."


class HoldResolved(errors.Refusal):
    """The hold was captured, released or has lapsed."""

    code = "HOLD_RESOLVED"
    status = 409
    message = "The hold was captured, released or has lapsed."


class TooManyHolds(errors.Refusal):
    """The account has as many holds at once as it may."""

    code = "TOO_MANY_HOLDS"
    status = 409
    message = f"An account may have {MOST_HOLDS} holds at once."


@dataclasses.dataclass(slots=True)
class Held:
    """A hold as the books work on it. `pins`: how much of which lot, in the order of spending."""

    id: uuid.UUID
    points: Decimal
    expires_at: datetime.datetime
    pins: Sequence[Pin]
    created_at: datetime.datetime
    reference: str | None = None
    metadata: dict[str, Any] | None = None
    status: str = Hold.Status.ACTIVE.value
    captured_points: Decimal = ZERO
    resolved_at: datetime.datetime | None = None
    resolved_by_id: uuid.UUID | None = None

    @property
    def is_active(self) -> bool:
        """Whether nobody has resolved it."""
        return self.status == Hold.Status.ACTIVE.value

    def resolve(self, status: Hold.Status, entry: PointTransaction, captured: Decimal = ZERO) -> None:
        """This will note what became of it, and by which entry."""
        self.status = status.value
        self.captured_points = captured
        self.resolved_at, self.resolved_by_id = entry.effective_at, entry.id


class HoldingPage(Page):
    """A page with the account's holds: those that were read, and those made since."""

    def __init__(self, **page: Any) -> None:
        self.holds: dict[uuid.UUID, Held] = {}
        super().__init__(**page)

    def turn(self) -> None:
        """This will begin a new page, once this one is written."""
        super().turn()
        self.held_anew: list[Held] = []
        self.resolved: list[Held] = []

    def load_holds(self, holds: Iterable[tuple[Held, Iterable[Lot]]]) -> None:
        """This will put holds on the page, with the lots that they are pinned to."""
        for hold, lots in holds:
            self.lots.load(lots)
            self.holds.setdefault(hold.id, hold)

    def settle_due(self, clock: datetime.datetime) -> None:
        """This will post what lapses, what starts and what ends by the clock. At one moment, holds lapse first."""
        lapsing = sorted(
            (hold for hold in self.holds.values() if hold.is_active and hold.expires_at <= clock),
            key=lambda hold: (hold.expires_at, hold.id),
        )
        for moment, holds in itertools.groupby(lapsing, key=lambda hold: hold.expires_at):
            # What goes back to its lots may start or end in this time, too: what is due is looked at anew.
            self.settle_lots(event for event in self.lots.due(moment) if event[0] < moment)
            self.review(moment)
            note = Note(reason=reasons.LAPSED, actor=THE_CLOCK)
            self.let_go(list(holds), Hold.Status.LAPSED, entry_id=ids.new_id(), note=note, at=self.clock(moment))
        super().settle_due(clock)

    def next_moments(self) -> Iterator[datetime.datetime]:
        """This will answer when something happens next to what was read."""
        active = (hold.expires_at for hold in self.holds.values() if hold.is_active)
        return itertools.chain(super().next_moments(), active)

    def hold(
        self, *, entry_id: uuid.UUID, points: Decimal, lasts: datetime.timedelta, note: Note, at: datetime.datetime
    ) -> PointTransaction:
        """This will set points aside, those that end first first, for so long. All active holds have been read.

        Raises:
            InsufficientPoints: the balance does not cover them.
            TooManyHolds: there are as many as there may be.
            errors.InvalidPoints: the amount is finer than the definition's.
        """
        self._check_decimals(points)
        if points > self.account.balance:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=points)
        if sum(hold.is_active for hold in self.holds.values()) >= MOST_HOLDS:
            raise TooManyHolds
        payments = self._payments(points)
        entry = self.append(entry_id, EntryType.HOLD, at=at, note=note, available=-points, held=points)
        for lot, taken in payments:
            self.use(entry, lot, taken, is_held=True)
        hold = Held(
            id=entry_id,
            points=points,
            expires_at=at + lasts,
            pins=[(lot.id, taken) for lot, taken in payments],
            created_at=at,
            reference=note.reference,
            metadata=note.metadata,
        )
        self.holds[hold.id] = hold
        self.held_anew.append(hold)
        self.note_moment(hold.expires_at)
        return entry

    def capture(
        self, *, entry_id: uuid.UUID, hold: Held, points: Decimal | None, note: Note, at: datetime.datetime
    ) -> PointTransaction:
        """This will redeem so many of the points of a hold, or all, in the order in which they would have been spent;
        the rest goes back, by an entry of its own.

        Raises:
            HoldResolved: it was captured, released or has lapsed.
            InsufficientPoints: it has fewer.
            errors.InvalidPoints: the amount is finer than the definition's.
        """
        points = hold.points if points is None else points
        self._check_decimals(points)
        if not hold.is_active:
            raise HoldResolved
        if points > hold.points:
            raise InsufficientPoints(current_balance=hold.points, requested_points=points)
        entry = self.append(entry_id, EntryType.REDEEM, at=at, note=note, available=ZERO, held=-points)
        left, rest = points, []
        for lot_id, pinned in hold.pins:
            taken = min(pinned, left)
            left -= taken
            if taken:
                self.use(entry, self.lots[lot_id], -taken, is_held=True)
                self.use(entry, self.lots[lot_id], taken)
            if taken < pinned:
                rest.append((lot_id, pinned - taken))
        self.account.lifetime_redeemed += points
        hold.resolve(Hold.Status.CAPTURED, entry, captured=points)
        self.resolved.append(hold)
        if rest:
            released = dataclasses.replace(note, reason=reasons.RELEASED, external=None)
            self._unpin(rest, entry_id=ids.new_id(), note=released, at=at)
        # Last: a lot that ended by inactivity does not come back to life with what pays out of it.
        self.account.last_activity_at = at
        return entry

    def let_go(
        self, holds: Sequence[Held], status: Hold.Status, *, entry_id: uuid.UUID, note: Note, at: datetime.datetime
    ) -> PointTransaction:
        """This will give the points of holds back to their lots, by one entry.

        Raises:
            HoldResolved: one of them is not active.
        """
        if not all(hold.is_active for hold in holds):
            raise HoldResolved
        entry = self._unpin([pin for hold in holds for pin in hold.pins], entry_id=entry_id, note=note, at=at)
        for hold in holds:
            hold.resolve(status, entry)
            self.resolved.append(hold)
        return entry

    def expire_returned(self, returned: Iterable[Lot], entry: PointTransaction, *, note: Note) -> None:
        """This will do with lots that got points back what their time asks for: those that have ended expire at once,
        by an entry that says so; the others pay a debt first, and are due when they are."""
        at = entry.effective_at
        ended = []
        for lot in returned:
            if self.lots.end(lot) <= at:
                ended.append(lot)
            else:
                self.pay_debt_from(lot, entry)
                self.note_due(lot)
        self.expire_lots(
            ended,
            at=at,
            note=dataclasses.replace(
                note, reason=reasons.EXPIRED_GIVEN_BACK, reference=None, external=None, source=None
            ),
        )

    def _unpin(
        self, pins: Iterable[Pin], *, entry_id: uuid.UUID, note: Note, at: datetime.datetime
    ) -> PointTransaction:
        pins = list(pins)
        total = sum((points for _, points in pins), ZERO)
        entry = self.append(entry_id, EntryType.RELEASE, at=at, note=note, available=total, held=-total)
        returned: dict[uuid.UUID, Lot] = {}
        for lot_id, points in pins:
            returned[lot_id] = self.lots[lot_id]
            self.use(entry, returned[lot_id], -points, is_held=True)
        self.expire_returned(returned.values(), entry, note=note)
        return entry

    def _check_decimals(self, points: Decimal) -> None:
        places = self.definition.decimal_places
        if abs(points) >= self._bound() or points != round(points, places):
            text = _("These points have at most %(digits)s digits, %(decimals)s of them decimals.")
            raise errors.InvalidPoints(points, text % {"digits": MAX_DIGITS, "decimals": places})

    def _bound(self) -> Decimal:
        return _bound(self.definition.decimal_places)

    def _payments(self, points: Decimal, *, lots: list[Lot] | None = None) -> list[Payment]:
        payments = self.lots.payments(points, lots=lots)
        if sum((taken for _, taken in payments), ZERO) != points:
            raise RuntimeError(f"account {self.account.id} has a larger balance than its lots")
        return payments


@functools.cache
def _bound(decimal_places: int) -> Decimal:
    return Decimal(10) ** (MAX_DIGITS - decimal_places)
