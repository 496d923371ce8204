from typing import Any

from django.core.management.base import BaseCommand

from staff import roles


class Command(BaseCommand):
    help = (
        "Makes the groups of the roles that come with the service, and gives them their permissions; may be repeated."
    )

    def handle(self, **options: Any) -> None:
        changed = roles.apply()
        if options["verbosity"]:
            self.stdout.write(
                f"Brought up to date: {', '.join(changed)}." if changed else "All roles are as they should be."
            )
