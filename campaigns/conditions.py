"""What a segment asks of a customer, apart from the row that keeps it: a campaign keeps it as it was at the start."""

import dataclasses
import datetime
import uuid
from decimal import Decimal
from typing import Any, Self

from campaigns.models import Segment


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """All of them hold. None, or nothing chosen: whatever it is."""

    definition_id: uuid.UUID | None = None
    tiers: tuple[str, ...] = ()
    active_from_on: datetime.date | None = None
    active_until_on: datetime.date | None = None
    joined_from_on: datetime.date | None = None
    joined_until_on: datetime.date | None = None
    balance_least: Decimal | None = None
    balance_most: Decimal | None = None
    earned_least: Decimal | None = None
    earned_most: Decimal | None = None
    spent_least: Decimal | None = None
    spent_most: Decimal | None = None
    spent_from_on: datetime.date | None = None
    spent_until_on: datetime.date | None = None
    cards: tuple[str, ...] = ()
    listing_id: uuid.UUID | None = None

    @classmethod
    def of(cls, segment: Segment) -> Self:
        """This will answer what a segment asks for now."""
        asked = {field.name: getattr(segment, field.name) for field in dataclasses.fields(cls)}
        return cls(**asked | {"tiers": tuple(segment.tiers), "cards": tuple(segment.cards)})

    @classmethod
    def read(cls, kept: dict[str, Any]) -> Self:
        """This will read what `keep` wrote."""
        return cls(**{name: _READERS[_kind(name)](value) for name, value in kept.items()})

    def keep(self) -> dict[str, Any]:
        """This will write them as JSON, those that ask for something."""
        asked = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else str(value)
            for name, value in asked.items()
            if value is not None and value != ()
        }


_READERS: dict[str, Any] = {
    "id": uuid.UUID,
    "on": datetime.date.fromisoformat,
    "least": Decimal,
    "most": Decimal,
    "tiers": tuple,
    "cards": tuple,
}


def _kind(name: str) -> str:
    return name.rpartition("_")[2]
