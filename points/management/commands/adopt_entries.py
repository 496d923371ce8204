from typing import Any

from django.core.management.base import BaseCommand

from loyalty.models import Program
from points import restored
from reports import counting


class Command(BaseCommand):
    help = "Puts entries in order that were restored into another Postgres server. `restore` does it by itself."

    def handle(self, **_: Any) -> None:
        adopted = restored.adopt()
        if adopted:
            # How far they were counted was said by the numbers that they had.
            for program in Program.objects.all():
                counting.forget(program)
        self.stdout.write(f"{adopted:,} entries adopted")
