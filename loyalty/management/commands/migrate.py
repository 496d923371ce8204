from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import router

from loyalty import roles
from staff import roles as staff_roles


class _Owner:
    """Whatever a migration reads and writes, it does as the owner: a package's may name no database."""

    def db_for_read(self, *_: Any, **__: Any) -> str:
        return "owner"

    db_for_write = db_for_read


class Command(migrate.Command):
    help = (
        f"{migrate.Command.help} Works as the owner, then grants the runtime role what it may do, and "
        "brings the roles of staff up to date."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        router.routers.append(_Owner())
        try:
            super().handle(*args, **options)
        finally:
            router.routers.pop()
        if not (options["plan"] or options["check_unapplied"]):
            roles.grant()
            if options["app_label"] is None:
                # Of all apps: a migration to an earlier state may have taken what a role names.
                staff_roles.apply()
