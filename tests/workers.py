"""Workers in processes of their own, on the database of the tests, to be killed."""

import signal
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from tests.clients.service import environment


class Worker:
    """Runs `script`, which says `ready` before it begins to work."""

    script: str
    patience: int
    variables: dict[str, str] = {}

    def __init__(self, output: Path) -> None:
        with open(output, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self.script],
                cwd=settings.BASE_DIR,
                env=environment(8000) | {"DJANGO_SETTINGS_MODULE": "config.settings"} | self.variables,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n", output.read_text()

    def kill(self) -> None:
        """This will kill it in the middle of what it does."""
        self.process.kill()
        self.wait()

    def stop(self) -> int:
        """This will tell it to end, and answer how it did."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """This will answer how it ended."""
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(self.patience)
