"""Sessions that the server ends while they are used."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, connections


class KillAt:
    """Ends this thread's session right after, or right before, the first statement that matches."""

    def __init__(self, text: str, *, is_before: bool = False) -> None:
        self.text = text
        self.is_before = is_before
        self.killed = 0

    def __call__(self, execute: Callable, sql: str, params: Any, many: bool, context: dict) -> Any:
        is_it = not self.killed and self.text in sql
        if is_it and self.is_before:
            self._kill(context["connection"])
        result = execute(sql, params, many, context)
        if is_it and not self.is_before:
            self._kill(context["connection"])
        return result

    def _kill(self, victim: Any) -> None:
        self.killed += 1
        # A role may end its own sessions.
        killer = connections.create_connection("default")
        try:
            with killer.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [victim.connection.get_backend_pid()])
                assert cursor.fetchone() == (True,)
        finally:
            killer.close()


@contextlib.contextmanager
def killed_before(text: str) -> Iterator[None]:
    """The session ends before the first statement that matches, in this block; whoever comes next has another."""
    killer = KillAt(text, is_before=True)
    try:
        with connection.execute_wrapper(killer):
            yield
    finally:
        connection.close()
    assert killer.killed == 1
