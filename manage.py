#!/usr/bin/env python
import contextlib
import os
import signal
import sys
from collections.abc import Iterator

# `run` starts the database itself, and watches it.
COMMANDS_WITHOUT_DATABASE = {"check", "compilemessages", "help", "makemessages", "run", "spectacular", "version"}
# A backup is taken of what there was before an upgrade.
COMMANDS_BEFORE_MIGRATION = {"backup", "migrate"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # The default action would leave the embedded server running.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from loyalty import embedded

    try:
        with _database(sys.argv[1:]):
            execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, embedded.EmbeddedError) as error:
        sys.exit(f"manage.py: {error}")


@contextlib.contextmanager
def _database(arguments: list[str]) -> Iterator[None]:
    if not _needs_database(arguments):
        yield
        return
    from django.conf import settings

    from loyalty import embedded

    if not settings.EMBEDDED:
        yield
        return
    with embedded.Server(settings.DATA_DIR).running() as server:
        if arguments[0] not in COMMANDS_BEFORE_MIGRATION:
            with server.alone():
                _migrate_if_behind()
        yield


def _migrate_if_behind() -> None:
    """A folder that is new, or from before an upgrade, has not the tables that the command looks for."""
    import django
    from django.core.management import call_command

    django.setup()
    from loyalty import upgrades

    if upgrades.is_behind():
        call_command("migrate", verbosity=0)


def _needs_database(arguments: list[str]) -> bool:
    if not arguments or {"-h", "--help", "--version"} & set(arguments):
        return False
    return arguments[0] not in COMMANDS_WITHOUT_DATABASE or "--database" in arguments


if __name__ == "__main__":
    main()
