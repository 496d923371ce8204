import datetime
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange import exports, workbooks, writing
from exchange.exports import EXPORTS
from loyalty.models import Program
from points import expiry


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
        zone = ZoneInfo(program.timezone)
        dates = exports.Range(
            since=expiry.start_of_day(day=_day(options["since"]), zone=zone) if options["since"] else None,
            until=expiry.end_of_day(day=_day(options["until"]), zone=zone) if options["until"] else None,
        )
        if dates.since is not None and dates.until is not None and dates.since >= dates.until:
            raise CommandError("--to is before --from")
        rows = export.rows(program, dates)
        output: Path | None = options["output"]
        if options["format"] == "xlsx" and output is None:
            raise CommandError("name the workbook with --output")
        try:
            if options["format"] == "xlsx":
                assert output is not None
                with open(output, "wb") as book:
                    book.writelines(workbooks.workbook(export.columns, rows))
            elif output is None:
                for text in writing.csv_text(export.columns, rows):
                    self.stdout.write(text, ending="")
            else:
                with open(output, "w", encoding="utf-8", newline="") as file:
                    file.writelines(writing.csv_text(export.columns, rows))
        except BrokenPipeError:
            # Whoever reads has enough.
            sys.stderr.close()
        except OSError as failure:
            raise CommandError(f"{output} cannot be written: {failure.strerror}") from failure


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as failure:
        raise CommandError("--from and --to are dates such as 2026-01-31") from failure
