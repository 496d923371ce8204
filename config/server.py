"""The web server: granian and its workers, until SIGTERM or SIGINT. Run as `python -m config.server`."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

# The descriptor of a pipe that nobody writes to: its end means that the process which started the server is gone.
PARENT_PIPE = "PARENT_PIPE"
STOP_SECONDS = 35


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings

    _stop_with_parent()
    Granian(
        "config.wsgi:application",
        address=settings.HOST,
        port=settings.PORT,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=settings.WEB_WORKERS,
        blocking_threads=settings.WEB_THREADS,
        # A thread takes its database connection with it.
        blocking_threads_idle_timeout=600,
        respawn_failed_workers=True,
        # Longer than the longest statement, so that what is under way is answered.
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.error,
    ).serve(target_loader=_load, wrap_loader=False)


def _load() -> Callable[..., Any]:
    _stop_with_parent()
    from config.wsgi import application

    return application


def _stop_with_parent() -> None:
    """Killed with SIGKILL, the parent cannot stop its server, which would keep the port from the next one."""
    if PARENT_PIPE in os.environ:
        threading.Thread(target=_wait_for_end, args=[int(os.environ[PARENT_PIPE])], daemon=True).start()


def _wait_for_end(pipe: int) -> None:
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
