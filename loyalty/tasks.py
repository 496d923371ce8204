"""Jobs of the service itself."""

import datetime

from django.conf import settings
from django.utils import timezone
from django_tasks import task

from campaigns import lists
from events import deliveries, log
from exchange import imports
from jobs import runs
from loyalty import idempotency
from notices import sending

DELIVERIES_KEPT = datetime.timedelta(days=30)
IMPORTS_KEPT = datetime.timedelta(days=14)
NOTICES_KEPT = datetime.timedelta(days=90)
RUNS_KEPT = datetime.timedelta(days=14)
LINES_KEPT = datetime.timedelta(days=30)


@task()
def purge() -> dict[str, int]:
    """This will delete what was kept long enough: answers under idempotency keys, events and their deliveries to
    webhooks, notices, files that nobody had imported, lines of lists that named nobody, the runs of jobs."""
    now = timezone.now()
    return {
        "answers_purged": idempotency.purge(before=now - datetime.timedelta(days=idempotency.KEPT_DAYS)),
        "events_purged": log.purge(before=now - datetime.timedelta(days=settings.EVENTS_KEPT_DAYS)),
        "deliveries_purged": deliveries.purge(before=now - DELIVERIES_KEPT),
        "notices_purged": sending.purge(before=now - NOTICES_KEPT),
        "lists_purged": lists.forget(before=now - LINES_KEPT),
        "files_purged": imports.purge(before=now - IMPORTS_KEPT),
        "runs_purged": runs.purge(before=now - RUNS_KEPT),
    }
