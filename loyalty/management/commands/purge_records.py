import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from loyalty import idempotency


class Command(BaseCommand):
    help = "Deletes the answers that were kept under idempotency keys long enough. It can be run at any time."

    def add_arguments(self, parser: CommandParser) -> None:
        least = idempotency.KEPT_DAYS
        parser.add_argument("--days", type=int, default=least, help=f"how long they are kept: {least} or more")

    def handle(self, *, days: int, **_: Any) -> None:
        if not idempotency.KEPT_DAYS <= days <= 36_500:
            raise CommandError(f"--days is {idempotency.KEPT_DAYS} or more: callers rely on that, and at most 36,500")
        purged = idempotency.purge(before=timezone.now() - datetime.timedelta(days=days))
        self.stdout.write(f"{purged:,} records purged")
