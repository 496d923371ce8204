"""What the API answers, by attribute. Amounts are exact: int or Decimal. Times are aware, in UTC."""

import dataclasses
import datetime
import functools
import typing
from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

# A float is none: it may be written as another amount than was meant.
Amount = int | Decimal
# A time without an offset is UTC; a date is the start of that day in the programme's time zone.
When = datetime.datetime | datetime.date | str
Metadata = Mapping[str, Any]

TransactionType = Literal["earned", "redeemed", "expired", "adjusted", "reversed", "transferred"]

Row = TypeVar("Row")
Reader = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PointsTransaction:
    id: str
    customer_id: str
    type: TransactionType
    # Signed.
    points: Amount
    balance_after: Amount
    reason: str
    reference: str | None
    metadata: Metadata | None
    expires_at: datetime.datetime | None
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class Redemption:
    id: str
    customer_id: str
    reward_id: str | None
    points: Amount
    # What the customer shows, such as `REDEEM-7GQ4XN`.
    code: str
    # In major units of `currency`.
    discount_amount: Amount | None
    discount_percent: Amount | None
    currency: str
    status: Literal["active", "used", "cancelled", "expired"]
    balance_after: Amount
    expires_at: datetime.datetime | None
    used_at: datetime.datetime | None
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    id: str
    number: str
    status: Literal["active", "inactive", "blocked", "expired"]
    expires_at: datetime.datetime | None
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class Customer:
    id: str
    email: str | None
    name: str | None
    phone: str | None
    external_id: str | None
    locale: str | None
    points_balance: Amount
    pending_points: Amount
    held_points: Amount
    lifetime_points: Amount
    # The tier's name.
    tier: str | None
    cards: Sequence[Card]
    metadata: Metadata
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reward:
    id: str
    name: str
    description: str | None
    category: str | None
    points_cost: Amount
    # Code of the kind of points.
    definition: str
    # In major units of `currency`; or a part: not both.
    discount_amount: Amount | None
    discount_percent: Amount | None
    currency: str
    # How many are left; None: no end.
    stock: int | None
    per_customer_limit: int | None
    valid_from: datetime.datetime | None
    valid_to: datetime.datetime | None
    code_valid_days: int | None
    min_tier: str | None
    # What becomes of the points of a code that is never used.
    on_expiry: Literal["returned", "forfeited"]
    active: bool
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tier:
    id: str
    code: str
    name: str
    rank: int
    min_points: Amount
    multiplier: Amount
    benefits: Sequence[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hold:
    id: str
    customer_id: str
    points: Amount
    captured_points: Amount
    status: Literal["active", "captured", "released", "lapsed"]
    reference: str | None
    metadata: Metadata | None
    # What captured it.
    transaction_id: str | None
    expires_at: datetime.datetime
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transfer:
    id: str
    from_customer_id: str
    to_customer_id: str
    points: Amount
    reason: str
    # Ids of what left the one and of what came to the other.
    transactions: Sequence[str]
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaidByLot:
    """A transaction that a lot paid."""

    transaction_id: str
    # As the ledger calls it: `redeem`, `expire`, …
    type: str
    reason: str
    # Below zero: it gave them back.
    points: Amount
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplainedLot:
    """Points that came together and end together."""

    transaction_id: str
    type: str
    reason: str
    reference: str | None
    origin: str | None
    points: Amount
    left: Amount
    held: Amount
    status: Literal["available", "pending"]
    active_from: datetime.datetime | None
    expires_at: datetime.datetime | None
    paid: Sequence[PaidByLot]
    has_more_paid: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplainedHold:
    id: str
    points: Amount
    reference: str | None
    expires_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplainedExpiry:
    points: Amount
    expires_at: datetime.datetime


@dataclasses.dataclass(frozen=True, kw_only=True)
class CountedMonth:
    # Such as `2026-01`.
    month: str
    points: Amount


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplainedTier:
    """The tier by its name, and how it comes about."""

    name: str | None
    basis: str
    points: Amount
    counted: Sequence[CountedMonth]
    min_points: Amount | None
    since: datetime.datetime | None
    until: datetime.datetime | None
    points_to_keep: Amount
    projected: str | None
    next: str | None
    points_to_next: Amount | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a balance is what it is: what is left of the available lots, less `debt_points`."""

    customer_id: str
    definition: str
    at: datetime.datetime
    points_balance: Amount
    pending_points: Amount
    held_points: Amount
    debt_points: Amount
    lifetime_points: Amount
    # In the order of spending.
    lots: Sequence[ExplainedLot]
    has_more_lots: bool
    holds: Sequence[ExplainedHold]
    expiring: Sequence[ExplainedExpiry]
    tier: ExplainedTier | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page(Generic[Row]):
    """One page of a list; `iterate` goes through all of them."""

    data: Sequence[Row]
    has_more: bool


def read(kind: type[Row], told: Mapping[str, Any]) -> Row:
    """This will read a record. What a newer service tells beside is passed by; what an older one does not tell yet is
    None, because a deed that was done must not look like one that failed."""
    # mypy takes the class for one of its objects, which cannot be hashed.
    readers = _readers(typing.cast(Hashable, kind))
    return kind(**{name: _value(reader, told.get(name)) for name, reader in readers.items()})


def read_page(kind: type[Row], told: Mapping[str, Any]) -> Page[Row]:
    """This will read one page of a list."""
    return Page(data=[read(kind, row) for row in told["data"]], has_more=told["has_more"])


def _value(reader: Reader | None, value: Any) -> Any:
    return value if value is None or reader is None else reader(value)


@functools.cache
def _readers(kind: Hashable) -> Mapping[str, Reader | None]:
    return {name: _reader(hint) for name, hint in typing.get_type_hints(kind).items()}


def _reader(hint: Any) -> Reader | None:
    kinds = (hint, *typing.get_args(hint))
    if datetime.datetime in kinds:
        return datetime.datetime.fromisoformat
    record = next((kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind)), None)
    if record is None:
        # JSON has no other type that Python would write otherwise; amounts are exact already.
        return None
    if typing.get_origin(hint) is Sequence:
        return lambda rows: [read(record, row) for row in rows]
    return lambda told: read(record, told)
