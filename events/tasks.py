"""Jobs of events and webhooks."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from events import courier, rounds
from events.api import v1_webhooks

# A new one begins every minute; another worker goes on meanwhile.
SECONDS = 57
WRITERS = rounds.Writers(events=v1_webhooks.bodies, test=v1_webhooks.test_body)


def deliver(*, seconds: float = SECONDS, until_idle: bool = False) -> None:
    """This will send events to webhook endpoints for about a minute, or until there is nothing to send. It ends soon
    after a signal to terminate."""
    with _stopped_by_signals() as stop:
        courier.deliver(writers=WRITERS, seconds=seconds, stop=stop, until_idle=until_idle)


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[courier.Stop]:
    stop = courier.Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()
        # Whoever runs the job wants to know, too.
        told = former[signal.Signals(number)]
        if callable(told):
            told(number, frame)

    for number in former:
        signal.signal(number, end)
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
