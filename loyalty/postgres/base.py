import contextlib
import functools
import os
import select
import socket
import threading
import time
from typing import Any

import psycopg2
from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.backends.utils import CursorWrapper
from django.db.utils import DatabaseErrorWrapper

from loyalty.postgres import watch

# A little more than the longest statement that the runtime role may run.
LONGEST_SECONDS = 35


class Cursor(CursorWrapper):
    """Lets the watch know that its connection waits for the server."""

    def _execute(self, sql: str, params: Any, *context: Any) -> Any:
        self.db.begin_to_wait()
        try:
            return super()._execute(sql, params, *context)  # type: ignore[misc]
        finally:
            self.db.waiting_since = None


class Errors(DatabaseErrorWrapper):
    """Tells a lost connection from a fault in what was asked.

    A server that crashes says goodbye and hangs up. What the driver sends after that fails with an error of no kind,
    and with no SQLSTATE: no server has answered. Whoever tries again looks for an OperationalError.
    """

    wrapper: "DatabaseWrapper"

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is psycopg2.DatabaseError and error.pgcode is None:
            self.wrapper.errors_occurred = True
            raise OperationalError(*error.args).with_traceback(traceback) from error
        super().__exit__(kind, error, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's Postgres backend, with prepared statements (`prepared.py`), an end to every wait for a server that does
    not answer (`watch.py`), and a health check that asks the socket instead of the server.

    Postgres never speaks first: an idle connection with something to read was closed by the other side. So a request
    after the server's restart opens a new connection instead of failing, and no request pays for a SELECT 1.
    """

    connection: Any
    # The names of what the server has prepared for this connection.
    prepared: set[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting_since: float | None = None
        # The owner migrates, and verifies the whole ledger, for as long as that takes.
        self.patience: float | None = LONGEST_SECONDS if self.alias == "default" else None
        self._closing = threading.Lock()

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if self.patience is not None:
            watch.over(self)
        self.begin_to_wait()
        self.prepared = set()
        try:
            return super().get_new_connection(conn_params)
        finally:
            self.waiting_since = None

    def init_connection_state(self) -> None:
        super().init_connection_state()
        with self.connection.cursor() as cursor:
            # What runs often finds rows by their keys: one plan is right for any values, and planning anew costs more
            # than running it.
            cursor.execute("SET plan_cache_mode = force_generic_plan")
        self.connection.commit()

    @functools.cached_property
    def wrap_database_errors(self) -> Errors:
        return Errors(self)

    def make_cursor(self, cursor: Any) -> CursorWrapper:
        return Cursor(cursor, self)

    def is_usable(self) -> bool:
        # After an error nobody knows what became of the connection, and to ask would be to wait.
        if self.connection is None or self.errors_occurred or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)

    def begin_to_wait(self) -> None:
        """This will note that the server is asked something now.

        Raises:
            OperationalError: it has not answered anybody lately.
        """
        if self.patience is not None:
            watch.refuse_while_silent()
            self.waiting_since = time.monotonic()

    def cut(self) -> None:
        """This will hang up from another thread; who waits for an answer then gets an OperationalError."""
        # Not while it is being closed: its number might by then be another file's.
        with self._closing, contextlib.suppress(OSError, psycopg2.InterfaceError):
            connection = self.connection
            if connection is not None and not connection.closed:
                with socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)

    def _commit(self) -> Any:
        self.begin_to_wait()
        try:
            return super()._commit()  # type: ignore[misc]
        finally:
            self.waiting_since = None

    def _close(self) -> None:
        with self._closing:
            super()._close()  # type: ignore[misc]
