"""Threads for races, each with a connection of its own."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.db import connections

from loyalty import errors

PATIENCE = 20  # Seconds.
RACE_SECONDS = float(os.environ.get("RACE_SECONDS", "10"))


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """This will do all works at the same time, and answer what they answer or the refusals that they raise."""
    barrier = threading.Barrier(len(works), timeout=PATIENCE)

    def run(work: Callable[[], Any]) -> Any:
        try:
            with connections["default"].cursor() as cursor:
                # As in production: who waits for the disk lets others run.
                cursor.execute("SET synchronous_commit = on")
            barrier.wait()
            return work()
        except errors.Refusal as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


def times(count: int, work: Callable[[], Any]) -> list[Callable[[], Any]]:
    """This will answer a work so many times."""
    return [work] * count


class Waiting:
    """A work in a thread of its own that has come to wait for a lock of this thread's transaction."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.pid = 0
        self._future: Future[Any] = Future()
        threading.Thread(target=self._run, args=[work]).start()
        self._see_it_wait()

    def result(self) -> Any:
        """This will answer what the work answered, or the refusal that it raised, once it goes on."""
        return self._future.result(PATIENCE)

    def _run(self, work: Callable[[], Any]) -> None:
        connection = connections["default"]
        try:
            connection.ensure_connection()
            self.pid = connection.connection.get_backend_pid()
            self._future.set_result(work())
        except errors.Refusal as refusal:
            self._future.set_result(refusal)
        except BaseException as failure:  # noqa: BLE001 - whatever it is belongs to the test's thread
            self._future.set_exception(failure)
        finally:
            connections.close_all()

    def _see_it_wait(self) -> None:
        give_up_at = time.monotonic() + PATIENCE
        while not blocking(self.pid):
            assert not self._future.done(), f"it did not wait: {self.result()}"
            assert time.monotonic() < give_up_at, "it does not wait"
            time.sleep(0.005)


def blocking(pid: int) -> list[int]:
    """This will answer the servers' processes for which that one waits."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT pg_blocking_pids(%s)", [pid])
        return cursor.fetchone()[0]


def deadlocks() -> int:
    """This will answer how many deadlocks the database has seen."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]
