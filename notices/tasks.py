"""Jobs of notices."""

import threading

from django.utils import timezone
from django_tasks import task

from jobs import stopping
from notices import following, sending

# A new one begins every minute.
SECONDS = 50


@task(queue_name="notices")
def send_notices() -> dict[str, int]:
    """This will write to customers what happened to their points and tiers; told to end, it ends between two."""
    if following.problem() is not None:
        return {"notices_written": 0, "notices_sent": 0}
    stop = threading.Event()
    with stopping.at_signal(stop.set):
        return {
            "notices_written": following.follow(at=timezone.now()),
            "notices_sent": sending.send(seconds=SECONDS, stop=stop),
        }
