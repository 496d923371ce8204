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


def batches(rows: Iterable[Row], *, first: int = FIRST) -> Iterator[list[Row]]:
    """This will answer the rows in batches, each as large as was done in time before; what the caller does before it
    asks for the next one is one transaction."""
    rows = iter(rows)
    size = min(first, MOST)
    while batch := list(itertools.islice(rows, size)):
        started = time.monotonic()
        yield batch
        seconds = max(time.monotonic() - started, 1e-6)
        # Fewer at once, more by and by: the next accounts may hold more than these did.
        size = max(1, min(int(len(batch) * AIM_SECONDS / seconds), size + size // 4 + 1, MOST))
