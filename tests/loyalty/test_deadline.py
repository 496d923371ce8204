import concurrent.futures
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import InterfaceError, OperationalError, connection

from loyalty.postgres import deadline


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


def ask() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
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


def test_ends_the_wait_for_a_frozen_server() -> None:
    def work() -> None:
        with frozen(), deadline.within(0.3), pytest.raises(OperationalError):
            ask()
        connection.close()
        assert ask() == 1

    elsewhere(work)


def test_leaves_alone_what_comes_after_the_block() -> None:
    def work() -> None:
        with deadline.within(0.1):
            ask()
        time.sleep(0.7)
        assert ask() == 1

    elsewhere(work)


def test_goes_back_to_the_outer_limit() -> None:
    def work() -> None:
        with deadline.within(0.5):
            with deadline.within(60):
                assert ask() == 1
            time.sleep(1)
            with pytest.raises((OperationalError, InterfaceError)):
                ask()

    elsewhere(work)


def test_waits_longer_within_an_inner_limit() -> None:
    def work() -> None:
        with deadline.within(0.1), deadline.within(60):
            time.sleep(0.7)
            assert ask() == 1

    elsewhere(work)
