"""The lots of one account in memory: which are pending, in which order they are spent, when each one ends."""

import bisect
import dataclasses
import datetime
import operator
import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

from points import expiry
from tiers.ladder import ZERO

NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


@dataclasses.dataclass(slots=True)
class Snapshot:
    """An account's row as the books work on it: a bulk makes a thousand, and a model takes ten times as long."""

    id: uuid.UUID
    program_id: uuid.UUID
    may_go_negative: bool = False
    balance: Decimal = ZERO
    pending: Decimal = ZERO
    held: Decimal = ZERO
    lifetime_earned: Decimal = ZERO
    lifetime_redeemed: Decimal = ZERO
    lifetime_expired: Decimal = ZERO
    version: int = 0
    listed: int = 0
    effective_at: datetime.datetime | None = None
    last_activity_at: datetime.datetime | None = None
    next_due_at: datetime.datetime | None = None
    window_started_at: datetime.datetime | None = None
    window_count: int = 0
    tier_id: uuid.UUID | None = None
    tier_since: datetime.datetime | None = None
    tier_until: datetime.datetime | None = None
    tallies: str = "{}"
    merged_into_id: uuid.UUID | None = None
    closed_at: datetime.datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing happens to it any more: it was merged into another, or its customer was erased."""
        return self.merged_into_id is not None or self.closed_at is not None

    def clock(self, at: datetime.datetime) -> datetime.datetime:
        """This will answer the account's time, which never goes back: `at`, or when something last happened to it."""
        return max(at, self.effective_at or at, self.tier_since or at)

    def copy(self) -> "Snapshot":
        """This will answer another one that says the same."""
        return Snapshot(*_columns(self))


SNAPSHOT_COLUMNS = [field.name for field in dataclasses.fields(Snapshot)]
# Many times as fast as `dataclasses.replace`.
_columns = operator.attrgetter(*SNAPSHOT_COLUMNS)


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
    # The entry that made it; the lot whose points these were before they came from another account.
    entry_id: uuid.UUID
    origin_id: uuid.UUID | None = None


class Lots:
    """The lots of an account that were read under its lock, and those made since."""

    def __init__(self, account: Snapshot, zone: ZoneInfo, lots: Iterable[Lot]) -> None:
        self.account = account
        self.zone = zone
        self._all: dict[uuid.UUID, Lot] = {}
        self._pending: dict[uuid.UUID, Lot] = {}
        self._dated: list[Lot] = []
        self._by_inactivity: list[Lot] = []
        self.load(lots)

    def __getitem__(self, lot_id: uuid.UUID) -> Lot:
        return self._all[lot_id]

    def __contains__(self, lot_id: uuid.UUID) -> bool:
        return lot_id in self._all

    def load(self, lots: Iterable[Lot]) -> None:
        """This will add lots; one that is there already is left alone, since it may have changed since it was read."""
        for lot in lots:
            if lot.id not in self._all:
                self._all[lot.id] = lot
                self._shelve(lot)

    def activate(self, lot: Lot) -> None:
        """This will move a pending lot among those that can be spent."""
        del self._pending[lot.id]
        self._shelve(lot)

    def is_pending(self, lot: Lot) -> bool:
        """This will tell whether the lot's points do not count yet."""
        return lot.id in self._pending

    def open(self) -> Iterator[Lot]:
        """This will answer the lots of which something is left."""
        return (lot for lot in self._all.values() if lot.remaining)

    def of_origin(self, lot_id: uuid.UUID) -> list[Lot]:
        """This will answer what there is of a lot: itself, and what came of it from other accounts; the older first."""
        return sorted(
            (lot for lot in self._all.values() if lot_id in (lot.id, lot.origin_id)), key=lambda lot: lot.version
        )

    def due(self, clock: datetime.datetime) -> list[tuple[datetime.datetime, bool, Lot]]:
        """This will answer (moment, is it an end, lot) of all that starts or ends by the clock, in time order; at one
        moment starts come first."""
        starts = [(start, False, lot) for lot in self._pending.values() if (start := self.next_moment(lot)) <= clock]
        ends = [(end, True, lot) for lot in self.open() if (end := self.end(lot)) <= clock]
        return sorted(starts + ends, key=lambda event: (event[0], event[1], event[2].version))

    def next_moment(self, lot: Lot) -> datetime.datetime:
        """This will answer when the lot starts, or when it ends if it has started."""
        return cast(datetime.datetime, lot.active_from) if self.is_pending(lot) else self.end(lot)

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

    def in_spending_order(self) -> list[Lot]:
        """This will answer the lots that count, those that end first first; spent ones may be among them."""
        if not self._by_inactivity:
            return self._dated
        return sorted(
            self._dated + self._by_inactivity,
            key=lambda lot: (self.end(lot), lot.inactivity_months is not None, lot.version),
        )

    def payments(self, points: Decimal, *, lots: Iterable[Lot] | None = None) -> list[tuple[Lot, Decimal]]:
        """This will answer which lot pays how much of so many points, of these lots or of all; as far as they go."""
        payments = []
        for lot in self.in_spending_order() if lots is None else lots:
            if points <= 0:
                break
            if lot.remaining:
                taken = min(lot.remaining, points)
                payments.append((lot, taken))
                points -= taken
        return payments

    def _shelve(self, lot: Lot) -> None:
        clock = self.account.effective_at
        if lot.active_from is not None and (clock is None or lot.active_from > clock):
            self._pending[lot.id] = lot
        elif lot.inactivity_months is not None:
            self._by_inactivity.append(lot)
        else:
            bisect.insort(self._dated, lot, key=lambda other: (other.expires_at or NEVER, other.version))
