"""What an account remembers of what was earned: by month for its tier, by day and month for caps, by campaign.

It is one small object in the account's row, read and written with it, so that caps hold under concurrency and cost no
statement. Points are texts in it: a JSON reader must not make floats of them.
"""

import datetime
from decimal import Decimal

import orjson

from tiers.ladder import MOST_MONTHS, ZERO

EARNED, BEFORE = "earned", "earned/before"


class Tallies:
    """Points, or numbers of things, by name."""

    def __init__(self, text: str) -> None:
        self._counts = {name: Decimal(count) for name, count in orjson.loads(text).items()}
        # None: it says something else by now.
        self._text: str | None = text

    def __call__(self, name: str) -> Decimal:
        """This will answer what was counted under a name."""
        return self._counts.get(name, ZERO)

    def add(self, name: str, points: Decimal) -> None:
        """This will count more, or less."""
        self._text = None
        self._counts[name] = self(name) + points
        if not self._counts[name]:
            del self._counts[name]

    def earn(self, month: int, points: Decimal) -> None:
        """This will count points as earned in a month, `12 * year + month - 1`."""
        name = _name(month)
        # What is taken back of a month that is added up by now, is taken from the sum.
        self.add(name if points > 0 or name in self._counts else BEFORE, points)

    def by_month(self) -> dict[int, Decimal]:
        """This will answer what was earned in each of the months that are remembered."""
        earned = {}
        for name, points in self._counts.items():
            kind, _, period = name.partition("/")
            if kind == EARNED and name != BEFORE:
                year, _, month = period.partition("-")
                earned[12 * int(year) + int(month) - 1] = points
        return earned

    def forget(self, today: datetime.date, month: int) -> None:
        """This will let go of the days and months whose caps have passed, and add up the months that no tier needs."""
        # The day before, and its month: who was asked just before midnight may be served after it.
        yesterday = today - datetime.timedelta(days=1)
        day, this_month = f"{yesterday:%Y-%m-%d}", f"{yesterday:%Y-%m}"
        for name in list(self._counts):
            kind, _, period = name.partition("/")
            if kind in (EARNED, "campaign") or not period:
                continue
            if period < (day if len(period) == len(day) else this_month):
                self._text = None
                del self._counts[name]
        for earned, points in self.by_month().items():
            if earned < month - MOST_MONTHS:
                del self._counts[_name(earned)]
                self.add(BEFORE, points)

    def text(self) -> str:
        """This will answer the JSON to store."""
        if self._text is None:
            counts = {name: f"{count.normalize():f}" for name, count in sorted(self._counts.items())}
            self._text = orjson.dumps(counts).decode()
        return self._text


def _name(month: int) -> str:
    return f"{EARNED}/{month // 12:04}-{month % 12 + 1:02}"
