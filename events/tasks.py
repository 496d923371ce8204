"""Jobs of events and webhooks."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from django_tasks import task

from events import courier, rounds
from events.api import v1_webhooks

# Long, since between two runs nothing is sent for a few seconds.
SECONDS = 600
WRITERS = rounds.Writers(events=v1_webhooks.bodies, test=v1_webhooks.test_body)


@task(queue_name="deliveries")
def deliver() -> dict[str, int]:
    """This will send events to webhook endpoints for ten minutes, or until shortly after SIGTERM."""
    with _stopped_by_signal() as stop:
        tally = courier.deliver(writers=WRITERS, seconds=SECONDS, stop=stop)
    return {"attempts": tally.attempts, "attempts_failed": tally.failed}


@contextlib.contextmanager
def _stopped_by_signal() -> Iterator[courier.Stop]:
    stop = courier.Stop()
    former = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()
        # Whoever runs the job is to take up no other.
        if callable(former):
            former(number, frame)

    signal.signal(signal.SIGTERM, end)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, former)
