"""Jobs of the ledger."""

from django.utils import timezone
from django_tasks import task

from points import due, reviews
from rewards import lapses


@task()
def settle() -> dict[str, int]:
    """This will write what fell due in accounts that nobody touched."""
    now = timezone.now()
    # Before the points: those that a code gives back may have ended since.
    codes = lapses.settle(at=now)
    tally = due.settle(at=now)
    return {
        "entries_written": tally.entries,
        "accounts_due": tally.due,
        "accounts_looked_at": tally.accounts,
        "codes_lapsed": codes.lapsed,
        "codes_given_back": codes.returned,
    }


@task()
def review_tiers() -> dict[str, int]:
    """This will write the tiers that changed in accounts that nobody touched."""
    tally = reviews.review(at=timezone.now())
    return {
        "tiers_changed": tally.tier_changes,
        "accounts_due": tally.due,
        "accounts_looked_at": tally.accounts,
    }
