from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections, transaction

from loyalty.models import Program
from points.verify import NAMES, count, verify


class Command(BaseCommand):
    help = "Checks every law of the ledger, names each account that breaks one, and exits with 1 then."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--programme", metavar="SLUG", help="only this programme (default: the whole database)")

    def handle(self, *, programme: str | None = None, **_: Any) -> None:
        # As the owner: a role that serves requests has a statement_timeout, and a large ledger may take longer.
        connection = connections["owner"]
        with transaction.atomic(using="owner"):
            with connection.cursor() as cursor:
                # One state of the ledger for all the queries, although it is posted to meanwhile.
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            program = None if programme is None else self._program(programme)
            breaches = 0
            for breach in verify(connection, program=program):
                self.stdout.write(str(breach))
                breaches += 1
            checked = count(connection, program=program)
        self.stdout.write(
            f"Checked {len(NAMES)} laws on {checked.accounts} accounts, {checked.entries} entries,"
            f" {checked.lots} lots and {checked.uses} uses."
        )
        if breaches:
            raise CommandError(f"the ledger breaks its laws: {breaches} breaches, listed above")

    def _program(self, slug: str) -> Program:
        program = Program.objects.using("owner").filter(slug=slug).first()
        if program is None:
            raise CommandError(f"there is no programme {slug}")
        return program
