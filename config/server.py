"""The web server: granian and its workers, until SIGTERM or SIGINT. Run as `python -m config.server`."""

import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from loyalty import children

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}
STOP_SECONDS = 45
REMIND_SECONDS = 0.3


def main() -> None:
    # A worker that has just been forked misses what it cannot handle yet; what is blocked waits for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        address = settings.HOST
    except ImproperlyConfigured as error:
        sys.exit(f"config.server: {error}")
    server = Granian(
        "config.wsgi:application",
        address=address,
        port=settings.PORT,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=settings.WEB_WORKERS,
        blocking_threads=settings.WEB_THREADS,
        # A thread takes its database connection with it.
        blocking_threads_idle_timeout=600,
        respawn_failed_workers=True,
        # Longer than the longest wait for the database, so that what is under way is answered.
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.error,
    )
    line = _line_to_workers()
    server.on_startup(functools.partial(_in_background, _stop_at_signal, server, *line))
    children.when_orphaned(lambda: os.kill(os.getpid(), signal.SIGTERM))
    server.serve(target_loader=functools.partial(_load, os.getpid(), *line), wrap_loader=False)


def _line_to_workers() -> tuple[IO[bytes], ...]:
    """A pipe whose end tells the workers that the server stops or is gone; those that are not forked go without."""
    if multiprocessing.get_start_method() != "fork":
        return ()
    theirs, ours = os.pipe()
    return os.fdopen(theirs, "rb"), os.fdopen(ours, "wb")


def _stop_at_signal(server: Any, _: IO[bytes] | None = None, ours: IO[bytes] | None = None) -> None:
    signal.sigwait(STOP_SIGNALS)
    if ours is not None:
        ours.close()
    server.signal_handler_interrupt()


def _load(server: int, theirs: IO[bytes] | None = None, ours: IO[bytes] | None = None) -> Callable[..., Any]:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    if theirs is not None and ours is not None:
        ours.close()
        signal.signal(signal.SIGUSR1, lambda *_: None)
        _in_background(_stop_with_server, theirs.fileno(), server)
    from config.wsgi import application

    return application


def _stop_with_server(line: int, server: int) -> None:
    os.read(line, 1)
    # A server that was killed cannot tell its workers, which would keep the port from the next one. It hangs up a
    # moment before it stops being their parent.
    time.sleep(REMIND_SECONDS)
    if os.getppid() != server:
        os.kill(os.getpid(), signal.SIGTERM)
    while True:
        # Python handles a signal when its main thread wakes up, and one that came as it fell asleep does not wake it.
        time.sleep(REMIND_SECONDS)
        os.kill(os.getpid(), signal.SIGUSR1)


def _in_background(work: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
