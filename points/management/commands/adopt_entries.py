from typing import Any

from django.core.management.base import BaseCommand

from points import restored


class Command(BaseCommand):
    help = "Puts entries in order that were restored into another Postgres server. `restore` does it by itself."

    def handle(self, **_: Any) -> None:
        self.stdout.write(f"{restored.adopt():,} entries adopted")
