"""The tier of an account while its books are open: it climbs with what is earned, and falls by the clock."""

import dataclasses
import datetime
import uuid
from decimal import Decimal

from loyalty import ids
from points.lots import Snapshot
from points.tallies import Tallies
from tiers.ladder import Basis, Earned, Ladder, Progress, Rung
from tiers.ladder import Standing as Held


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """The customer came to another tier, by an entry or, without one, by the clock."""

    before: Rung | None
    after: Rung | None
    points: Decimal
    effective_at: datetime.datetime
    entry_id: uuid.UUID | None
    id: uuid.UUID = dataclasses.field(default_factory=ids.new_id)


class Standing:
    """What an account's row says of the tier and of what was earned, and what becomes of it."""

    def __init__(self, account: Snapshot, tallies: Tallies, ladder: Ladder, changes: list[Change]) -> None:
        """Take the list that the steps between tiers are put into."""
        self.account = account
        self.tallies = tallies
        self.ladder = ladder
        self.changes = changes

    def held(self, at: datetime.datetime) -> Held:
        """This will answer the tier by the clock, whatever of it is written."""
        return self.ladder.current(self._written(), self.earned(), at)

    def recorded(self) -> Held | None:
        """This will answer the tier that is written; None where none ever was."""
        return None if self._is_new else self._written()

    def progress(self, at: datetime.datetime, held: Held | None = None) -> Progress:
        """This will answer how far the customer is, who holds the tier by the clock unless another was `held` then."""
        return self.ladder.progress(held or self.held(at), self.earned(), at)

    def review(self, at: datetime.datetime) -> bool:
        """This will write what became of the tier by `at` without a posting: every fall that came due, and what staff
        changed of the ladder. It answers whether there was anything."""
        if not self._is_due(at):
            return False
        if self._is_new:
            self.start(at)
            return not self._is_new
        for held in self.ladder.reviewed(self._written(), self.earned(), at):
            self._move(held, held.since or at, entry_id=None)
        return True

    def fall(self, at: datetime.datetime) -> bool:
        """This will write the falls alone that came due by `at`, by a ladder that holds no more: where it would put
        somebody else does not matter now. It answers whether there were any."""
        until = self.account.tier_until
        if until is None or until > at or self.ladder.basis == Basis.LIFETIME:
            return False
        for held in self.ladder.reviewed(self._written(), self.earned(), at):
            self._move(held, held.since or at, entry_id=None)
        return True

    def start(self, at: datetime.datetime) -> None:
        """This will write down where a customer stands whose row does not say so yet: nobody moved."""
        if self._is_new:
            self._write(self.held(at))

    def move(self, before: Earned, *, at: datetime.datetime, entry_id: uuid.UUID) -> None:
        """This will move the tier with what an entry earned, or took back, since `before`."""
        after = self.earned()
        held = self.ladder.current(self._written(), before, at)
        if after.lifetime > before.lifetime:
            moved = self.ladder.climbed(held, after, at)
        else:
            moved = self.ladder.lowered(held, before, after, at)
        self._move(moved, at, entry_id=entry_id)

    def take_over(self, other: Held, *, at: datetime.datetime, entry_id: uuid.UUID) -> None:
        """This will keep the tier that another account held, until its own end, where it is the higher one."""
        if other.rung is not None and self.ladder.is_above(other.rung, self.held(at).rung):
            self._move(dataclasses.replace(other, since=at), at, entry_id=entry_id)

    def earned(self) -> Earned:
        """This will answer what was earned so far."""
        return Earned(lifetime=self.account.lifetime_earned, by_month=self.tallies.by_month())

    @property
    def _is_new(self) -> bool:
        # Who fell below the lowest tier has none either, but since a moment.
        return self.account.tier_id is None and self.account.tier_since is None

    def _is_due(self, at: datetime.datetime) -> bool:
        """This will tell whether there is anything to review: asked by every posting, so it costs next to nothing."""
        account = self.account
        if self._is_new:
            return account.lifetime_earned > 0
        if self.ladder.basis == Basis.LIFETIME:
            reached = self.ladder.reached(account.lifetime_earned)
            return account.tier_until is not None or account.tier_id != (reached and reached.id)
        if account.tier_until is not None:
            return account.tier_until <= at
        return self.ladder.lacks_end(self._written())

    def _written(self) -> Held:
        account = self.account
        return Held(rung=self.ladder.find(account.tier_id), since=account.tier_since, until=account.tier_until)

    def _move(self, held: Held, at: datetime.datetime, *, entry_id: uuid.UUID | None) -> None:
        before = self.ladder.find(self.account.tier_id)
        self._write(held)
        if held.rung != before:
            points = self.ladder.points(self.earned(), self.ladder.month(at))
            self.changes.append(
                Change(before=before, after=held.rung, points=points, effective_at=at, entry_id=entry_id)
            )

    def _write(self, held: Held) -> None:
        self.account.tier_id = held.rung.id if held.rung else None
        self.account.tier_since, self.account.tier_until = held.since, held.until
