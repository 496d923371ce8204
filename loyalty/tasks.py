"""Jobs of the service itself."""

import datetime

from django.utils import timezone
from django_tasks import task

from jobs import runs
from loyalty import idempotency

RUNS_KEPT = datetime.timedelta(days=14)


@task()
def purge() -> dict[str, int]:
    """This will delete the answers that were kept under idempotency keys, and the runs of jobs, long enough."""
    now = timezone.now()
    return {
        "answers_purged": idempotency.purge(before=now - datetime.timedelta(days=idempotency.KEPT_DAYS)),
        "runs_purged": runs.purge(before=now - RUNS_KEPT),
    }
