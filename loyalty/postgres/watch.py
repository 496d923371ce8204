"""Who waits for a server that does not answer: no timeout of the server's own ends the wait for a frozen one.

A thread of its own looks at the connections of this process. Where one has waited for a while, it tries to open
another. If that fails too, the server is silent: whoever waits is cut off, and whoever comes is refused at once, until
it answers again. Where it does answer, a statement may take as long as it is allowed to.
"""

import contextlib
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, Protocol

import psycopg2

_LOOK_SECONDS = 0.25
# A wait that makes one wonder, and how long the server has to let a newcomer in.
_WONDER_SECONDS = 2
_CONNECT_SECONDS = 2


class Database(Protocol):
    """A connection that is watched."""

    waiting_since: float | None
    patience: float | None

    def cut(self) -> None:
        """This will end its wait."""

    def get_connection_params(self) -> dict[str, Any]:
        """This will answer how the server is reached."""


class _Watch:
    def __init__(self) -> None:
        self.is_silent = False
        self._databases: weakref.WeakSet[Any] = weakref.WeakSet()
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, database: Any) -> None:
        with self._changing:
            self._databases.add(database)
            # Not at import: a thread does not survive the fork that makes a worker of the web server.
            if self._thread is None or not self._thread.is_alive():
                self.is_silent = False
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._changing:
                databases: list[Database] = list(self._databases)
            waits = [(database, since) for database in databases if (since := database.waiting_since) is not None]
            longest = max((time.monotonic() - since for _, since in waits), default=0)
            if self.is_silent or longest > _WONDER_SECONDS:
                self.is_silent = not _lets_in(databases[0])
            for database, since in waits:
                limit = 0 if self.is_silent else database.patience
                waited = time.monotonic() - since
                # Still the same wait: the answer may have come meanwhile, and the next question be on its way.
                if limit is not None and waited > limit and database.waiting_since == since:
                    database.cut()


def _lets_in(database: Database) -> bool:
    try:
        psycopg2.connect(**database.get_connection_params() | {"connect_timeout": _CONNECT_SECONDS}).close()
    except psycopg2.OperationalError:
        return False
    return True


_watch = _Watch()


def over(database: Database) -> None:
    """This will watch over a connection from now on, as long as somebody holds it."""
    _watch.add(database)


def refuse_while_silent() -> None:
    """This will refuse to ask a server that has let nobody in lately.

    Raises:
        psycopg2.OperationalError: it is silent.
    """
    if _watch.is_silent:
        raise psycopg2.OperationalError("the database does not answer")


@contextlib.contextmanager
def within(database: Any, seconds: float) -> Iterator[None]:
    """This will end each wait of a connection after so many seconds, in the block."""
    before, database.patience = database.patience, seconds
    try:
        yield
    finally:
        database.patience = before
