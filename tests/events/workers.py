"""Workers that send events, in processes of their own."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from tests.clients.service import environment

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


class Worker:
    def __init__(self, output: Path) -> None:
        self.output = output
        with open(output, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _WORK],
                cwd=settings.BASE_DIR,
                env=environment(8000)
                | {"WEBHOOKS_ALLOW_LOOPBACK": "true", "DJANGO_SETTINGS_MODULE": "config.settings"},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n", output.read_text()

    def kill(self) -> None:
        self.process.kill()
        self._wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def _wait(self) -> int:
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def working(output: Path) -> Iterator[Worker]:
    worker = Worker(output)
    try:
        yield worker
    finally:
        if worker.process.returncode is None:
            worker.kill()
