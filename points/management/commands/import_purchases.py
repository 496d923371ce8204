import csv
import datetime
import re
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from loyalty import errors
from loyalty.models import Program
from points import definitions, purchase_files, purchases
from points.purchase_files import BadRow, PurchaseFile

_RATE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_SOURCE = re.compile(r"[A-Za-z0-9._-]{1,50}")


class Command(BaseCommand):
    help = (
        "Reads a file of purchases, makes customers and cards, and awards the points of each purchase at its own"
        " moment. It can be repeated: nothing is posted twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="CSV with a header, or columns set apart by spaces as in CDNOW")
        parser.add_argument("--programme", required=True, metavar="SLUG")
        parser.add_argument(
            "--rate", metavar="R", help="points for each unit of the amount: 2 or 0.5 (what the programme's rules give)"
        )
        parser.add_argument("--definition", metavar="CODE", help="the kind of points (the programme's default one)")
        parser.add_argument(
            "--source",
            default=purchases.SOURCE,
            metavar="NAME",
            help="which purchases these are: the same name for a corrected or a longer file, another for another file",
        )
        parser.add_argument(
            "--rejects", metavar="FILE", help="where bad rows are listed (<name>.rejects.csv, right here)"
        )
        parser.add_argument(
            "--shift-to", metavar="DATE", help="shift all dates so that the last purchase is on this day"
        )
        parser.add_argument("--no-progress", action="store_true", help="no progress bar, also on a terminal")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        started = time.monotonic()
        # Read here and not by the parser, which is passed by when code calls the command.
        rate, source, last_on = read_rate(options["rate"]), read_source(options["source"]), _day(options["shift_to"])
        rejects = Path(options["rejects"] or f"{file.stem}.rejects.csv")
        if rejects.resolve() == file.resolve():
            raise CommandError("--rejects names the file of purchases itself")
        program = self._program(options["programme"])
        try:
            definition = definitions.find(program, options["definition"])
            zone = ZoneInfo(program.timezone)
            found = purchase_files.read(file, zone=zone, now=timezone.now(), last_on=last_on)
            # Now, so that a list that cannot be written stops the import before it begins.
            _list(rejects, found.bad)
            # None: only on a terminal.
            with tqdm(total=len(found.purchases), unit=" rows", disable=options["no_progress"] or None) as bar:
                tally = purchases.replay(
                    program=program,
                    definition=definition,
                    purchases=found.purchases,
                    rate=rate,
                    source=source,
                    on_progress=bar.update,
                )
        except purchases.NoRules as refusal:
            raise CommandError(
                f"{program} has no rule for purchases: make one in the admin, or name points for all with --rate"
            ) from refusal
        except purchase_files.UnreadableFile as error:
            raise CommandError(str(error)) from error
        except errors.Unavailable as refusal:
            raise CommandError(f"{refusal} Run it again: what was posted so far is not posted twice.") from refusal
        except errors.Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self._report(found, tally, rejects, time.monotonic() - started)

    def _program(self, slug: str) -> Program:
        program = Program.objects.filter(slug=slug).first()
        if program is None:
            raise CommandError(f"there is no programme {slug}: make it with create_programme")
        return program

    def _report(self, found: PurchaseFile, tally: purchases.Tally, rejects: Path, seconds: float) -> None:
        bad = sorted(found.bad + tally.bad, key=lambda row: row.line)
        lines = {
            "Rows": f"{len(found.purchases) + len(found.bad):,}",
            "Posted": f"{tally.posted:,}",
            "Replayed": f"{tally.replayed:,}",
            "Earned nothing": f"{tally.earned_nothing:,}",
            "Bad": f"{len(bad):,}",
            "Customers": f"{tally.customers:,} ({tally.new_customers:,} new)",
            "Points": f"{tally.points:,}",
            "Seconds": f"{seconds:.1f}",
        }
        self.stdout.write("".join(f"{name:<15} {value}\n" for name, value in lines.items()), ending="")
        if bad:
            _list(rejects, bad)
            advice = "correct them in the file itself and run it again"
            self.stderr.write(self.style.WARNING(f"The bad rows are listed in {rejects}: {advice}."))


def _list(rejects: Path, bad: list[BadRow]) -> None:
    # One that an earlier run left behind must not pass for this one's.
    if not bad and not rejects.exists():
        return
    try:
        with open(rejects, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["line", "reason", "row"])
            writer.writerows((row.line, row.reason, row.raw) for row in bad)
    except OSError as error:
        raise CommandError(
            f"{rejects} cannot be written ({error.strerror}): name another file with --rejects"
        ) from error


def read_rate(value: Any) -> Decimal | None:
    """This will read how many points a unit of an amount earns.

    Raises:
        CommandError: it is no such number.
    """
    if value is None:
        return None
    if not _RATE.fullmatch(str(value)) or not Decimal(str(value)):
        raise CommandError("--rate is a number above zero, such as 2 or 0.5")
    return Decimal(str(value))


def read_source(text: str) -> str:
    """This will read the name that tells files of purchases apart.

    Raises:
        CommandError: it is too long, or has other signs than it may.
    """
    if not _SOURCE.fullmatch(text):
        raise CommandError("--source has at most 50 letters, digits, dots, hyphens and underscores")
    return text


def _day(value: Any) -> datetime.date | None:
    if value is None:
        return None
    try:
        day = datetime.date.fromisoformat(str(value))
    except ValueError as error:
        raise CommandError("--shift-to is a date such as 2026-01-31") from error
    if not purchase_files.FIRST_YEAR <= day.year <= purchase_files.LAST_YEAR:
        raise CommandError(f"--shift-to is a date from {purchase_files.FIRST_YEAR} on")
    return day
