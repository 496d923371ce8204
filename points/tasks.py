"""Jobs of the ledger."""

import datetime

from django.utils import timezone
from django_tasks import task

from points import due, reminders, reviews

NOTES_KEPT = datetime.timedelta(days=2)


@task()
def settle() -> dict[str, int]:
    """This will write what fell due in accounts that nobody touched."""
    tally = due.settle(at=timezone.now())
    return {
        "entries_written": tally.entries,
        "accounts_due": tally.due,
        "accounts_looked_at": tally.accounts,
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


@task()
def remind() -> dict[str, int]:
    """This will tell in advance of points that expire and of tiers that fall."""
    now = timezone.now()
    tally = reminders.remind(at=now)
    return {
        "expiring_told": tally.expiring,
        "tiers_at_risk_told": tally.at_risk,
        "accounts_looked_at": tally.accounts,
        "notes_purged": reminders.forget(before=(now - NOTES_KEPT).date()),
    }
