import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from loyalty import errors
from points import due
from rewards import lapses


class Command(BaseCommand):
    help = (
        "Writes the entries for points that started or ended and for holds that lapsed in accounts that nobody touched,"
        " and which codes nobody used in time. It can be repeated."
    )

    def handle(self, **_: Any) -> None:
        started = time.monotonic()
        now = timezone.now()
        try:
            # Before the points: those that a code gives back may have ended since.
            codes = lapses.settle(at=now)
            tally = due.settle(at=now)
        except errors.Unavailable as refusal:
            raise CommandError(f"{refusal} Run it again: it goes on with what is left.") from refusal
        self.stdout.write(
            f"Wrote {tally.entries:,} entries in {tally.due:,} due accounts of {tally.accounts:,}"
            f" in {time.monotonic() - started:.1f} s."
        )
        self.stdout.write(f"Codes that lapsed: {codes.lapsed:,}; points given back for {codes.returned:,} of them.")
