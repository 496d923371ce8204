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
# What an earlier restore kept, until this one is done.
FORMER = f"{embedded.DATABASE}_before_earlier_restore"


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


def read(server: embedded.Server, path: Path, *, make_ready: Callable[[], None]) -> None:
    """This will put a copy in the place of the database, which stays beside it under the name BEFORE.

    The copy is read into a database of its own first, DRAFT, and made ready there: callers never meet a half of it, and
    one that cannot be read, or not made ready, changes nothing.

    Raises:
        BackupError: the file is not a copy, or not a whole one.
    """
    with contextlib.closing(server.connect_as_superuser()) as connection, connection.cursor() as cursor:
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


def _swap(cursor: Any) -> None:
    _execute(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", FORMER)
    cursor.execute("SELECT FROM pg_database WHERE datname = %s", [BEFORE])
    has_former = cursor.fetchone() is not None
    # Sessions are kept out, so that nothing is posted to what is about to be put away; a start lets them in again.
    _execute(cursor, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", embedded.DATABASE)
    try:
        sessions = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname IN (%s, %s)"
        cursor.execute(sessions, [embedded.DATABASE, BEFORE])
        cursor.execute("BEGIN")
        if has_former:
            _execute(cursor, "ALTER DATABASE {} RENAME TO {}", BEFORE, FORMER)
        _execute(cursor, "ALTER DATABASE {} RENAME TO {}", embedded.DATABASE, BEFORE)
        _execute(cursor, "ALTER DATABASE {} RENAME TO {}", DRAFT, embedded.DATABASE)
        _execute(cursor, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", BEFORE)
        cursor.execute("COMMIT")
    except psycopg2.Error as error:
        cursor.execute("ROLLBACK")
        _execute(cursor, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", embedded.DATABASE)
        raise BackupError(str(error)) from error
    _execute(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", FORMER)


def _execute(cursor: Any, statement: str, *names: str) -> None:
    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _run(name: str, *arguments: str) -> None:
    result = subprocess.run([embedded.program(name), *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise BackupError(result.stderr.strip())
