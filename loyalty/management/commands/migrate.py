from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate

from loyalty import roles


class Command(migrate.Command):
    help = f"{migrate.Command.help} Works as the owner and then grants the runtime role what it may do."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not (options["plan"] or options["check_unapplied"]):
            roles.grant()
