"""What the ledger in plain Python is made of."""

import collections
import dataclasses
import datetime
import itertools
from decimal import Decimal

_roots = itertools.count()
NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
ZERO = Decimal(0)


class Refused(Exception):
    """Carries the code that the caller gets."""

    @property
    def code(self) -> str:
        return self.args[0]


@dataclasses.dataclass(eq=False)
class Lot:
    version: int
    points: Decimal
    left: Decimal
    starts_at: datetime.datetime
    ends_at: datetime.datetime | None
    months: int | None
    clawback: str
    is_active: bool
    expired: Decimal = ZERO
    # What it has in common with the lots that its points come to in other accounts.
    root: int = dataclasses.field(default_factory=lambda: next(_roots))


@dataclasses.dataclass
class Hold:
    version: int
    points: Decimal
    expires_at: datetime.datetime
    # What is of which lot, in the order of spending.
    pins: list[tuple[Lot, Decimal]]
    status: str = "active"
    captured: Decimal = ZERO
    resolved_at: datetime.datetime | None = None
    resolved_by: int | None = None


@dataclasses.dataclass
class Entry:
    version: int
    type: str
    at: datetime.datetime
    before: Decimal
    points: Decimal = ZERO
    after: Decimal = ZERO
    pending: Decimal = ZERO
    held: Decimal = ZERO
    shortfall: Decimal = ZERO
    reverses: int | None = None
    # What it took (below zero: gave back) by the version of the lot; None is debt.
    uses: collections.Counter[int | None] = dataclasses.field(default_factory=collections.Counter)
    # What reversals may still give back, in the order in which it was taken.
    paid: list[tuple[Lot, Decimal]] = dataclasses.field(default_factory=list)
    debt: Decimal = ZERO
    undone: Decimal = ZERO


@dataclasses.dataclass(frozen=True)
class Standing:
    """What a reader is told about the account at a moment."""

    balance: Decimal
    pending: Decimal
    earned: Decimal
    redeemed: Decimal
    expired: Decimal
    ends: list[tuple[datetime.datetime, Decimal]]
    tier: Decimal | None
    held: Decimal = ZERO
