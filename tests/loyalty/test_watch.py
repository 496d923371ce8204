import concurrent.futures
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError, ProgrammingError, connection, connections

from loyalty.postgres import watch


@contextlib.contextmanager
def frozen() -> Iterator[None]:
    """Nothing answers on this thread's connection, and nothing says so."""
    connection.ensure_connection()
    backend = connection.connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend, signal.SIGCONT)


def ask(sql: str = "SELECT 1") -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def elsewhere(work: Callable[[], None]) -> None:
    """This will do the work in a thread with a connection of its own, which it may break."""

    def and_close() -> None:
        try:
            work()
        finally:
            connection.close()

    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(and_close).result(timeout=30)


def test_ends_the_wait_for_a_connection_that_is_frozen() -> None:
    def work() -> None:
        with frozen(), watch.within(connections["default"], 0.3), pytest.raises(OperationalError):
            ask()
        connection.close_if_unusable_or_obsolete()
        assert ask() == 1

    elsewhere(work)


def test_lets_a_statement_take_its_time_where_the_server_answers_others() -> None:
    elsewhere(lambda: ask("SELECT 1 FROM pg_sleep(3)"))


def test_counts_the_wait_for_one_answer_and_not_for_many() -> None:
    def work() -> None:
        with watch.within(connections["default"], 2):
            for _ in range(4):
                ask()
                time.sleep(0.6)
            assert ask() == 1

    elsewhere(work)


def test_leaves_the_owner_alone() -> None:
    assert connections["owner"].patience is None


def test_a_connection_is_given_up_after_an_error() -> None:
    def work() -> None:
        backend = ask("SELECT pg_backend_pid()")
        with pytest.raises(ProgrammingError):
            ask("SELECT nothing")
        connection.close_if_unusable_or_obsolete()
        assert ask("SELECT pg_backend_pid()") != backend

    elsewhere(work)
