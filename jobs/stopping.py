"""Jobs that take long end soon after SIGTERM, at a point of their own choice."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def at_signal(stop: Callable[[], None]) -> Iterator[None]:
    """This will call `stop` when the process is told to end, and then whoever else wants to know. A thread that runs a
    job beside others, as in tests, is not told."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        stop()
        # Whoever runs the job is to take up no other.
        if callable(former):
            former(number, frame)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
