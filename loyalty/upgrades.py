"""Whether the database has the tables of this release."""

from django.db import connections
from django.db.migrations.executor import MigrationExecutor


def is_behind() -> bool:
    """This will answer whether `migrate` has something to do, as in a new database or after an upgrade."""
    executor = MigrationExecutor(connections["owner"])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
