"""Workers that send events, in processes of their own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests import workers

PATIENCE = 30
LEASE_SECONDS = 3
# As the job does it; only that a worker that was killed is given up sooner, and attempts are shorter.
_WORK = f"""
import django
django.setup()
from events import claims, courier, sending, tasks
claims.LEASE_SECONDS, courier.RENEW_SECONDS = {LEASE_SECONDS}, 0.3
sending.SECONDS = courier.SECONDS = 1
print("ready", flush=True)
tasks.deliver_events.call()
"""


class Worker(workers.Worker):
    script, patience = _WORK, PATIENCE
    variables = {"WEBHOOKS_ALLOW_LOOPBACK": "true"}


@contextlib.contextmanager
def working(output: Path) -> Iterator[Worker]:
    worker = Worker(output)
    try:
        yield worker
    finally:
        if worker.process.returncode is None:
            worker.kill()
