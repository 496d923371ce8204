import contextlib
import os
import select
import socket
import threading
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's Postgres backend, with prepared statements (`prepared.py`) and a health check that asks the socket
    instead of the server.

    Postgres never speaks first: an idle connection with something to read was closed by the other side. So a request
    after the server's restart opens a new connection instead of failing, and no request pays for a SELECT 1.
    """

    connection: Any
    # The names of what the server has prepared for this connection.
    prepared: set[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._closing = threading.Lock()

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self.prepared = set()
        return super().get_new_connection(conn_params)

    def init_connection_state(self) -> None:
        super().init_connection_state()
        with self.connection.cursor() as cursor:
            # What is prepared here finds rows by their keys: one plan is right for any values, and planning anew
            # costs more than running it.
            cursor.execute("SET plan_cache_mode = force_generic_plan")
        self.connection.commit()

    def is_usable(self) -> bool:
        if self.connection is None:
            return False
        if self.errors_occurred:
            return super().is_usable()
        if self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)

    def cut(self) -> None:
        """This will hang up from another thread; who waits for an answer then gets an OperationalError."""
        # Not while it is being closed: its number might by then be another file's.
        with self._closing:
            if self.connection is None or self.connection.closed:
                return
            line = socket.socket(fileno=os.dup(self.connection.fileno()))
        with line, contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        with self._closing:
            super()._close()  # type: ignore[misc]
