"""How much a sweep does in one transaction: as much as a till does not mind waiting for.

A transaction keeps its locks until it ends, and a till that comes to one of them waits so long. How much fits into the
time depends on the machine and on what the accounts hold, so it is learnt from each transaction to the next.
"""

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Row = TypeVar("Row")

# A till may wait for two sweeps at once, and for a transaction that takes twice as long as the one before: that stays
# below 100 ms.
AIM_SECONDS = 0.02
FIRST = 16
MOST = 1_000


class Pace:
    """How many rows the next transaction takes, by how long the last one took."""

    def __init__(self, *, first: int = FIRST, least: int = 1, seconds: float = AIM_SECONDS) -> None:
        """Take how many at first and at least, and how long a transaction should take."""
        self.size = min(first, MOST)
        self._least, self._seconds = min(least, MOST), seconds

    def note(self, *, rows: int, seconds: float) -> None:
        """This will learn from a transaction that did so many rows."""
        fit = int(rows * self._seconds / max(seconds, 1e-6))
        # Fewer at once, more by and by: the next accounts may hold more than these did.
        self.size = max(self._least, min(fit, self.size + self.size // 4 + 1, MOST))


def batches(rows: Iterable[Row], *, first: int = FIRST) -> Iterator[list[Row]]:
    """This will answer the rows in batches, each as large as was done in time before; what the caller does before it
    asks for the next one is one transaction."""
    rows = iter(rows)
    pace = Pace(first=first)
    while batch := list(itertools.islice(rows, pace.size)):
        started = time.monotonic()
        yield batch
        pace.note(rows=len(batch), seconds=time.monotonic() - started)
