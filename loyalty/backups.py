"""Copies of the embedded database, written and read by Postgres's own programs."""

import contextlib
import datetime
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from loyalty import embedded

DRAFT = f"{embedded.DATABASE}_being_restored"
BEFORE = f"{embedded.DATABASE}_before_restore"
# What becomes BEFORE as soon as what an earlier restore kept is gone.
ASIDE = f"{embedded.DATABASE}_set_aside"

# The number of a lock that is the session's, on the server's own database.
_ONE_AT_A_TIME = 7_247_001


class BackupError(Exception):
    """A copy could not be written or read; the message is what Postgres said."""


def write(server: embedded.Server, *, at: datetime.datetime) -> Path:
    """This will write what is committed now to a file below the data folder, and return its path.

    Raises:
        BackupError: there is nothing to copy, the disk is full, or the like. No file is left then.
    """
    if not _has_tables(server):
        raise BackupError(f"{server.data_dir} has no data of the service")
    folder = server.data_dir / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{at:%Y%m%dT%H%M%SZ}.dump"
    draft = path.with_suffix(".draft")
    # Made before pg_dump opens it: it holds the customers' names.
    draft.touch(mode=0o600)
    try:
        _run("pg_dump", "--format=custom", f"--file={draft}", f"--dbname={server.url(embedded.OWNER_ROLE)}")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _has_tables(server: embedded.Server) -> bool:
    with (
        contextlib.closing(psycopg2.connect(server.url(embedded.OWNER_ROLE))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
        return cursor.fetchone() == (True,)


def read(server: embedded.Server, path: Path, *, make_ready: Callable[[], None]) -> str:
    """This will put a copy in the place of the database, and answer the name under which that stays beside it: BEFORE,
    or ASIDE where what an earlier restore kept cannot be dropped.

    The copy is read into a database of its own first, DRAFT, and made ready there: callers never meet a half of it, and
    one that cannot be read, or not made ready, changes nothing.

    Raises:
        BackupError: the file is not a copy, or not a whole one; another restore is under way; or an earlier one has set
            something aside that cannot become BEFORE.
    """
    with contextlib.closing(server.connect_as_superuser()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ONE_AT_A_TIME])
        if cursor.fetchone() != (True,):
            raise BackupError("another restore is under way")
        try:
            _keep(cursor)
        except psycopg2.Error as error:
            raise BackupError(str(error)) from error
        _execute(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", DRAFT)
        _execute(cursor, "CREATE DATABASE {} OWNER {}", DRAFT, embedded.OWNER_ROLE)
        with contextlib.ExitStack() as unless_in_place:
            unless_in_place.callback(_execute, cursor, "DROP DATABASE {} WITH (FORCE)", DRAFT)
            address = server.url(embedded.OWNER_ROLE, DRAFT)
            _run(
                "pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", f"--dbname={address}", os.fspath(path)
            )
            make_ready()
            _swap(cursor)
            unless_in_place.pop_all()
        try:
            _keep(cursor)
        except psycopg2.Error:
            # The next restore tries again, and says why it cannot.
            return ASIDE
    return BEFORE


def _swap(cursor: Any) -> None:
    # Sessions are kept out, so that nothing is posted to what is about to be put away; a start lets them in again.
    _execute(cursor, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", embedded.DATABASE)
    try:
        sessions = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
        cursor.execute(sessions, [embedded.DATABASE])
        cursor.execute("BEGIN")
        _execute(cursor, "ALTER DATABASE {} RENAME TO {}", embedded.DATABASE, ASIDE)
        _execute(cursor, "ALTER DATABASE {} RENAME TO {}", DRAFT, embedded.DATABASE)
        _execute(cursor, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", ASIDE)
        cursor.execute("COMMIT")
    except psycopg2.Error as error:
        cursor.execute("ROLLBACK")
        _execute(cursor, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", embedded.DATABASE)
        raise BackupError(str(error)) from error


def _keep(cursor: Any) -> None:
    """This will keep what was set aside, also by an interrupted restore, as BEFORE, in the place of what that was."""
    cursor.execute("SELECT FROM pg_database WHERE datname = %s", [ASIDE])
    if cursor.fetchone() is not None:
        _execute(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", BEFORE)
        _execute(cursor, "ALTER DATABASE {} RENAME TO {}", ASIDE, BEFORE)


def _execute(cursor: Any, statement: str, *names: str) -> None:
    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _run(name: str, *arguments: str) -> None:
    result = subprocess.run([embedded.program(name), *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise BackupError(result.stderr.strip())
