"""What `manage.py check` asks beside Django's own checks."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections

from loyalty import durability


@checks.register(checks.Tags.security, deploy=True)
def migrating_role_is_another(**_: Any) -> list[checks.CheckMessage]:
    """This will warn where requests run as the role that owns the tables."""
    runtime, owner = (connections[alias].settings_dict["USER"] for alias in ("default", "owner"))
    if settings.EMBEDDED or runtime != owner:
        return []
    return [
        checks.Warning(
            "The service runs as the owner of its tables, who can drop the triggers that protect the ledger.",
            hint="Give DATABASE_OWNER_URL to `manage.py migrate`, and to the service a DATABASE_URL of another role.",
            id="loyalty.W001",
        )
    ]


@checks.register(checks.Tags.database)
def commits_are_durable(*, databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """This will refuse a database that may forget what it acknowledged."""
    if "default" not in (databases or ()):
        return []
    hint = "Turn it on in postgresql.conf, or for the role or database that has it off."
    return [checks.Error(problem, hint=hint, id="loyalty.E001") for problem in durability.problems()]
