"""The tier of an account while its books are open: it climbs with what is earned, and falls by the clock."""

import dataclasses
import datetime
import uuid
from decimal import Decimal

from loyalty import ids
from points.lots import Snapshot
from points.tallies import Tallies
from tiers.ladder import Earned, Ladder, Progress, Rung
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

    def __init__(self, account: Snapshot, tallies: Tallies, ladder: Ladder) -> None:
        self.account = account
        self.tallies = tallies
        self.ladder = ladder
        self.changes: list[Change] = []

    def held(self, at: datetime.datetime) -> Held:
        """This will answer the tier by the clock, whatever of it is written."""
        return self.ladder.current(self._written(), self.earned(), at)

    def progress(self, at: datetime.datetime) -> Progress:
        """This will answer how far the customer is."""
        return self.ladder.progress(self.held(at), self.earned(), at)

    def review(self, at: datetime.datetime) -> bool:
        """This will write every fall that came due by `at`, and answer whether there was one."""
        falls = self.ladder.reviewed(self._written(), self.earned(), at)
        for fall in falls:
            self._move(fall, fall.since or at, entry_id=None)
        return bool(falls)

    def start(self, at: datetime.datetime) -> None:
        """This will write down where a customer stands whose row does not say so yet: nobody moved."""
        if self.account.tier_id is None:
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

    def earned(self) -> Earned:
        """This will answer what was earned so far."""
        return Earned(lifetime=self.account.lifetime_earned, by_month=self.tallies.by_month())

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
