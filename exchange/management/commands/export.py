import contextlib
import datetime
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from exchange import exports, workbooks, writing
from exchange.exports import EXPORTS
from loyalty.models import Program


class Command(BaseCommand):
    help = "Writes rows of a programme as CSV or as a workbook, in constant memory."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=list(EXPORTS))
        parser.add_argument("--programme", required=True, metavar="SLUG")
        parser.add_argument("--format", choices=["csv", "xlsx"], default="csv")
        parser.add_argument("--from", dest="since", metavar="DATE", help="made on this day or later")
        parser.add_argument("--to", dest="until", metavar="DATE", help="made on this day or earlier")
        parser.add_argument("--output", type=Path, metavar="FILE", help="where to (the standard output, for CSV)")

    def handle(self, *args: Any, kind: str, **options: Any) -> None:
        program = Program.objects.filter(slug=options["programme"]).first()
        if program is None:
            raise CommandError(f"there is no programme {options['programme']}")
        export = EXPORTS[kind]
        if (options["since"] or options["until"]) and not export.has_dates:
            raise CommandError(f"{kind} are as they are now: they have no --from and no --to")
        output: Path | None = options["output"]
        if options["format"] == "xlsx" and output is None:
            raise CommandError("name the workbook with --output")
        rows = export.rows(program, _dates(program, since=options["since"], until=options["until"]))
        try:
            if output is None:
                for text in writing.csv_text(export.columns, rows):
                    self.stdout.write(text, ending="")
                return
            with _written(output) as file:
                if options["format"] == "xlsx":
                    file.writelines(workbooks.workbook(export.columns, rows))
                else:
                    file.writelines(text.encode() for text in writing.csv_text(export.columns, rows))
        except BrokenPipeError:
            # Whoever reads has enough.
            sys.stderr.close()
        except Error as failure:
            raise CommandError(f"the rest could not be read, so that there is no whole file: {failure}") from failure
        except OSError as failure:
            raise CommandError(f"{output} cannot be written: {failure.strerror}") from failure


@contextlib.contextmanager
def _written(output: Path) -> Iterator[IO[bytes]]:
    """This will write a file beside the one that it replaces once it is whole; what is no file is written into."""
    if output.exists() and not output.is_file():
        with open(output, "wb") as file:
            yield file
        return
    target = output.resolve()
    draft = target.with_name(f"{target.name}.part")
    try:
        with open(draft, "wb") as file:
            yield file
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _dates(program: Program, *, since: str | None, until: str | None) -> exports.Range:
    try:
        first, last = [datetime.date.fromisoformat(text) if text else None for text in (since, until)]
        dates = exports.Range.of_days(since=first, until=last, zone=ZoneInfo(program.timezone))
    except ValueError as failure:
        raise CommandError("--from and --to are dates such as 2026-01-31") from failure
    if first is not None and last is not None and first > last:
        raise CommandError("--to is before --from")
    return dates
