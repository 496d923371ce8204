"""Python's search for garbage, which takes its time where thousands of objects are made at once and all are in use."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def left_alone() -> Iterator[None]:
    """This will search for no garbage in the block: what nothing refers to any more is freed all the same.

    It is so for all threads of the process; where the block of another one ends, the search goes on again.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
