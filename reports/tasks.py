"""Jobs of the reports."""

from django_tasks import task

from reports import counting


@task()
def count_figures() -> dict[str, int]:
    """This will count what was written to the ledger since the last time."""
    tally = counting.count()
    return {"entries_counted": tally.entries, "programmes_anew": tally.anew}
