"""Jobs of the reports."""

from django.utils import timezone
from django_tasks import task

from reports import counting


@task()
def count_figures() -> dict[str, int]:
    """This will count what was written to the ledger since the last time."""
    tally = counting.count()
    return {"entries_counted": tally.entries, "programmes_anew": tally.anew}


@task()
def count_tiers() -> dict[str, int]:
    """This will count how many customers hold which tier today."""
    return {"accounts_counted": counting.count_tiers(at=timezone.now())}
