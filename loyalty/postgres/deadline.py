"""A limit on how long a thread waits for the database: no timeout of a server's own ends the wait for a frozen one."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple, cast

from django.db import connections

from loyalty.postgres.base import DatabaseWrapper

_LOOK_SECONDS = 0.25


class _Wait(NamedTuple):
    until: float
    database: DatabaseWrapper


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """This will end the wait for an answer of the database, about `seconds` after the block began, as if the
    connection were lost: with an OperationalError. A limit within another one holds in its stead."""
    _watch.go()
    thread = threading.get_ident()
    outer = _watch.waits.get(thread)
    _watch.waits[thread] = _Wait(time.monotonic() + seconds, cast(DatabaseWrapper, connections["default"]))
    try:
        yield
    finally:
        if outer is None:
            del _watch.waits[thread]
        else:
            _watch.waits[thread] = outer


class _Watch:
    """Hangs up for the threads of this process that have waited too long."""

    def __init__(self) -> None:
        self.waits: dict[int, _Wait] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def go(self) -> None:
        # Not at import: a thread does not survive the fork that makes a worker of the web server.
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._look, daemon=True)
                    self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            for wait in list(self.waits.values()):
                if wait.until < now:
                    wait.database.cut()


_watch = _Watch()
