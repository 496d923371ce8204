from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from loyalty import backups, embedded


class Command(BaseCommand):
    help = "Writes the embedded database to a file in the data folder's backups, beside a running service or without."

    def handle(self, **_: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("DATABASE_URL is set: use pg_dump, or what your database's host offers")
        try:
            path = backups.write(embedded.Server(settings.DATA_DIR), at=timezone.now())
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{path} ({path.stat().st_size:,} bytes)")
