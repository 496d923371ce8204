import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from loyalty import errors
from loyalty.models import Program
from points import reviews


class Command(BaseCommand):
    help = (
        "Writes the tiers that fell, or that a new ladder moved, in accounts that nobody touched. It can be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--programme", metavar="SLUG", help="only this one (all of them)")
        parser.add_argument("--no-progress", action="store_true", help="no progress bar, also on a terminal")

    def handle(self, **options: Any) -> None:
        started = time.monotonic()
        program = _program(options["programme"]) if options["programme"] else None
        try:
            # None: only on a terminal.
            with tqdm(total=reviews.count(program), unit=" accounts", disable=options["no_progress"] or None) as bar:
                tally = reviews.review(at=timezone.now(), program=program, on_progress=bar.update)
        except errors.Unavailable as refusal:
            raise CommandError(f"{refusal} Run it again: it goes on with what is left.") from refusal
        self.stdout.write(
            f"Wrote {tally.tier_changes:,} changes of tiers in {tally.due:,} due accounts of {tally.accounts:,}"
            f" in {time.monotonic() - started:.1f} s."
        )


def _program(slug: str) -> Program:
    program = Program.objects.filter(slug=slug).first()
    if program is None:
        raise CommandError(f"there is no programme {slug}")
    return program
