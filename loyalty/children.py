"""Processes that end with the one that started them, also where that is killed and can tell nobody."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

from django.conf import settings

# Names a pipe that nobody writes to: its end means that the process which started this one is gone.
PARENT_PIPE = "PARENT_PIPE"


class Child:
    """A Python process of this service. What it starts itself is in its group, and ends with it."""

    def __init__(self, arguments: list[str], *, is_leader: bool = True) -> None:
        """Start it: in a session of its own where it `is_leader`, so that Ctrl-C reaches it through here alone."""
        self.arguments = arguments
        its_end, our_end = os.pipe()
        self._our_end: int | None = our_end
        self._is_leader = is_leader
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env={**os.environ, PARENT_PIPE: str(its_end)},
            pass_fds=[its_end],
            start_new_session=is_leader,
        )
        os.close(its_end)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def hang_up(self) -> None:
        """This will tell it that it is on its own, upon which it stops."""
        if self._our_end is not None:
            os.close(self._our_end)
            self._our_end = None

    def terminate(self) -> None:
        """This will ask it to end."""
        self.process.terminate()

    def reap(self, *, within: float) -> int:
        """This will wait for its end, end it by force after so many seconds, with all that it started, and answer its
        status."""
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if self._is_leader:
            # Those that outlive it would keep what it held, as a port.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        status = self.process.wait()
        self.hang_up()
        return status


def when_orphaned(deed: Callable[[], None]) -> None:
    """This will do something when the process that started this one is gone, if it gave it a pipe."""
    if PARENT_PIPE in os.environ:
        threading.Thread(target=_wait, args=[int(os.environ[PARENT_PIPE]), deed], daemon=True).start()


def _wait(pipe: int, deed: Callable[[], None]) -> None:
    os.read(pipe, 1)
    deed()
