import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty import errors
from loyalty.models import Program
from reports import counting


class Command(BaseCommand):
    help = "Counts what was written to the ledger since the last time, for the reports. It can be repeated."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anew", metavar="SLUG", help="forget the figures of a programme first, and count it from its first entry"
        )

    def handle(self, *, anew: str | None = None, **_: Any) -> None:
        started = time.monotonic()
        try:
            if anew is not None:
                counting.forget(self._program(anew))
            tally = counting.count()
        except errors.Unavailable as refusal:
            raise CommandError(f"{refusal} Run it again: it goes on with what is left.") from refusal
        self.stdout.write(f"Counted {tally.entries:,} entries in {time.monotonic() - started:.1f} s.")

    def _program(self, slug: str) -> Program:
        try:
            return Program.objects.get(slug=slug)
        except Program.DoesNotExist as missing:
            raise CommandError(f"There is no programme {slug!r}.") from missing
