"""Runs of jobs: which are still to come or under way, which were lost with their worker, which are old.

A worker that was killed cannot say how its run ended. So each says every few seconds that it is there, and the run of
one that has said nothing for a while is over.
"""

import datetime
import uuid

from django.db import connection
from django_tasks import TaskResultStatus

from jobs.models import JobRun

# How often a worker says that it is there, and how long it may say nothing: more than a database takes to come back.
BEAT_SECONDS = 5
SILENT_SECONDS = 60
# What the runs of a worker that ended before they did are told by.
LOST = "jobs.runs.WorkerGone"


def beat(worker_id: str) -> None:
    """This will note that a worker is there, by the database's clock: those of machines may differ."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_worker (id, seen_at) VALUES (%s, now())"
            " ON CONFLICT (id) DO UPDATE SET seen_at = EXCLUDED.seen_at",
            [worker_id],
        )


def leave(worker_id: str) -> None:
    """This will note that a worker works on nothing any more: what it was at and did not finish has failed."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_FAIL} AND worker_ids->>-1 = %s", [LOST, f"{LOST}: {worker_id}", worker_id])
        cursor.execute("DELETE FROM jobs_worker WHERE id = %s", [worker_id])


def give_up_lost() -> int:
    """This will note as failed the runs whose worker has said nothing for a while, and answer how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_FAIL} AND NOT EXISTS (SELECT FROM jobs_worker w WHERE w.id = r.worker_ids->>-1"
            " AND w.seen_at > now() - make_interval(secs => %s))",
            [LOST, f"{LOST}: it has said nothing for {SILENT_SECONDS} seconds", SILENT_SECONDS],
        )
        return cursor.rowcount


def end_all() -> None:
    """This will note as failed whatever is under way: in a copy of a database nobody is at it."""
    with connection.cursor() as cursor:
        cursor.execute(_FAIL, [LOST, f"{LOST}: it was under way when the copy was made"])
        cursor.execute("DELETE FROM jobs_worker")


def is_under_way(run_id: uuid.UUID) -> bool:
    """This will tell whether a run waits for a worker, or one is at it. Where it was lost, that is noted."""
    runs = JobRun.objects.filter(pk=run_id)
    if runs.filter(status=TaskResultStatus.RUNNING).exists():
        give_up_lost()
    return runs.filter(status__in=(TaskResultStatus.READY, TaskResultStatus.RUNNING)).exists()


def purge(*, before: datetime.datetime) -> int:
    """This will delete the runs that ended before a moment, and workers that have not been seen since, and answer how
    many runs there were."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_worker WHERE seen_at < %s", [before])
        cursor.execute("DELETE FROM django_tasks_database_dbtaskresult WHERE finished_at < %s", [before])
        return cursor.rowcount


# Only what is still running: it may have ended, and said so, a moment ago.
_FAIL = (
    "UPDATE django_tasks_database_dbtaskresult r"
    " SET status = 'FAILED', finished_at = now(), exception_class_path = %s, traceback = %s"
    " WHERE status = 'RUNNING'"
)
