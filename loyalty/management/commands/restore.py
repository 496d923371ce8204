import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from jobs import runs
from loyalty import backups, embedded


class Command(BaseCommand):
    help = f"Puts a file of `backup` in the place of the embedded database, which is kept as {backups.BEFORE}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **_: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("DATABASE_URL is set: use pg_restore, or what your database's host offers")
        if not file.is_file():
            # As a shell takes them: a path may hold spaces.
            known = "\n".join(shlex.quote(str(path)) for path in sorted((settings.DATA_DIR / "backups").glob("*.dump")))
            wrong = "say which file" if file == Path() else f"there is no file {str(file)!r}"
            raise CommandError(f"{wrong}: make restore FILE=…; there are:\n{known or 'none'}")
        try:
            kept = backups.read(embedded.Server(settings.DATA_DIR), file, make_ready=self._make_ready)
        except (backups.BackupError, DatabaseError) as error:
            raise CommandError(f"nothing was changed: {error}") from error
        self.stdout.write(f"{file} is in place; what was there before is the database {kept}")

    def _make_ready(self) -> None:
        with _at(backups.DRAFT):
            # A copy of an older release lacks tables, and the grants are not in it.
            call_command("migrate", verbosity=0)
            # The copy may come from another server.
            call_command("adopt_entries", stdout=self.stdout)
            # Workers that go on beside this would let a run pass for theirs.
            runs.end_all()


@contextlib.contextmanager
def _at(database: str) -> Iterator[None]:
    """This will let the service's own commands work on another database of the server."""
    connections.close_all()
    names = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
    try:
        for alias in names:
            connections[alias].settings_dict["NAME"] = database
        yield
    finally:
        connections.close_all()
        for alias, name in names.items():
            connections[alias].settings_dict["NAME"] = name
