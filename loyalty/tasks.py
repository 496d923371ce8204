"""Jobs of the service itself."""

import datetime

from django.conf import settings
from django.utils import timezone
from django_tasks import task

from events import log
from jobs import runs
from loyalty import idempotency
from notices import sending

NOTICES_KEPT = datetime.timedelta(days=90)
RUNS_KEPT = datetime.timedelta(days=14)


@task()
def purge() -> dict[str, int]:
    """This will delete what was kept long enough: answers under idempotency keys, events, notices, the
    runs of jobs."""
    now = timezone.now()
    return {
        "answers_purged": idempotency.purge(before=now - datetime.timedelta(days=idempotency.KEPT_DAYS)),
        "events_purged": log.purge(before=now - datetime.timedelta(days=settings.EVENTS_KEPT_DAYS)),
        "notices_purged": sending.purge(before=now - NOTICES_KEPT),
        "runs_purged": runs.purge(before=now - RUNS_KEPT),
    }
