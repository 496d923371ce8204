"""What an account remembers of what was earned: by month for its tier, by day and month for caps, by campaign.

It is one small object in the account's row, read and written with it, so that caps hold under concurrency and cost no
statement. Points are texts in it: a JSON reader must not make floats of them.
"""

import datetime
import functools
from decimal import Decimal
from typing import Self

import orjson

from tiers.ladder import MOST_MONTHS, ZERO

EARNED, BEFORE = "earned", "earned/before"


class Tallies:
    """Points, or numbers of things, by name."""

    def __init__(self, text: str) -> None:
        # As texts: a posting counts under two or three names and carries all the others along.
        self._counts: dict[str, str] = orjson.loads(text)

    @classmethod
    def of(cls, counts: dict[str, str]) -> Self:
        """This will read what a row of an account says that is read as a model."""
        return cls(orjson.dumps(counts).decode())

    def __call__(self, name: str) -> Decimal:
        """This will answer what was counted under a name."""
        count = self._counts.get(name)
        return ZERO if count is None else Decimal(count)

    def add(self, name: str, points: Decimal) -> None:
        """This will count more, or less."""
        count = self(name) + points
        if count:
            self._counts[name] = f"{count.normalize():f}"
        else:
            self._counts.pop(name, None)

    def take_over(self, others: "Tallies") -> None:
        """This will count what was counted elsewhere, too."""
        for name in others._counts:
            self.add(name, others(name))

    def earn(self, month: int, points: Decimal) -> None:
        """This will count points as earned in a month, `12 * year + month - 1`."""
        name = _name(month)
        # What is taken back of a month that is added up by now, is taken from the sum.
        self.add(name if points > 0 or name in self._counts else BEFORE, points)

    def by_month(self) -> dict[int, Decimal]:
        """This will answer what was earned in each of the months that are remembered."""
        earned = {}
        for name in self._counts:
            kind, _, period = name.partition("/")
            if kind == EARNED and name != BEFORE:
                year, _, month = period.partition("-")
                earned[12 * int(year) + int(month) - 1] = self(name)
        return earned

    def forget(self, today: datetime.date, month: int) -> None:
        """This will let go of the days and months whose caps have passed, and add up the months that no tier needs."""
        day, this_month, first_earned = _bounds(today, month)
        for name in list(self._counts):
            kind, _, period = name.partition("/")
            if kind == EARNED:
                # The word of what is added up sorts after all digits.
                if name < first_earned:
                    self.add(BEFORE, Decimal(self._counts.pop(name)))
            elif kind != "campaign" and period and period < (day if len(period) == len(day) else this_month):
                del self._counts[name]

    def text(self) -> str:
        """This will answer the JSON to store."""
        return orjson.dumps(self._counts, option=orjson.OPT_SORT_KEYS).decode()


@functools.lru_cache(maxsize=64)
def _bounds(today: datetime.date, month: int) -> tuple[str, str, str]:
    """This will answer the first day and month of which caps still ask, and the first name that tiers ask for."""
    # The day before, and its month: who was asked just before midnight may be served after it.
    yesterday = today - datetime.timedelta(days=1)
    return f"{yesterday:%Y-%m-%d}", f"{yesterday:%Y-%m}", _name(month - MOST_MONTHS)


@functools.lru_cache(maxsize=256)
def _name(month: int) -> str:
    return f"{EARNED}/{month // 12:04}-{month % 12 + 1:02}"
