"""Which job runs when: each is enqueued once for each time that it is due, however many machines have a scheduler."""

import dataclasses
import datetime
import logging
import time
import uuid
from collections.abc import Sequence
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger
from django.db import InterfaceError, OperationalError, connection, transaction
from django_tasks.base import Task

from jobs import runs
from jobs.models import Clock

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A task, and the times at which it is due."""

    task: Task
    when: CronTrigger

    @property
    def name(self) -> str:
        """What its clock and its runs are found by."""
        return self.task.module_path


def at(**fields: Any) -> CronTrigger:
    """This will answer the times that fields of a crontab name, in UTC: those of every machine are the same."""
    return CronTrigger(**fields, timezone=datetime.UTC)


def enqueue(job: Job, *, due_at: datetime.datetime) -> bool:
    """This will enqueue a job for a time at which it is due, and answer whether it did: not where another scheduler
    has, and not while a run of it waits or is under way."""
    with transaction.atomic():
        is_mine, run_id = _claim(job, due_at)
        if not is_mine or (run_id is not None and runs.is_under_way(run_id)):
            return False
        result = job.task.enqueue()
        Clock.objects.filter(job=job.name).update(run_id=result.id)
        return True


class Scheduler(BlockingScheduler):
    """Enqueues jobs as they become due, until it is shut down."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        # Late is better than never; once is enough for all the times that were missed.
        defaults = {"coalesce": True, "misfire_grace_time": None}
        super().__init__(executors={"default": _Enqueuer()}, job_defaults=defaults, timezone=datetime.UTC)
        self.jobs = jobs

    def start(self) -> None:
        """This will go on from where the last scheduler stopped: what was due while none ran is due now."""
        clocks = dict(Clock.objects.values_list("job", "due_at"))
        for job in self.jobs:
            last = clocks.get(job.name) or datetime.datetime.now(datetime.UTC)
            self.add_job(self._enqueue, job.when, [job, last], id=job.name, next_run_time=_after(job.when, last))
        self.add_job(self._give_up_lost, at(minute="*"), [None])
        super().start()

    def _enqueue(self, job: Job, due_at: datetime.datetime) -> None:
        # The time is not passed by because the database is away.
        while self.running:
            try:
                enqueue(job, due_at=due_at)
            except (OperationalError, InterfaceError) as failure:
                logger.warning("%s cannot be enqueued yet: %s", job.name, failure)
                connection.close()
                time.sleep(RETRY_SECONDS)
            else:
                return

    def _give_up_lost(self, _: datetime.datetime) -> None:
        try:
            lost = runs.give_up_lost()
        except (OperationalError, InterfaceError):
            connection.close()
            return
        if lost:
            logger.error("%d job runs were lost with their worker", lost)


class _Enqueuer(BaseExecutor):
    """Calls in the scheduler's own thread, and says for which time, as the last argument: a pool of threads tells
    nobody."""

    def _do_submit_job(self, job: Any, run_times: list[datetime.datetime]) -> None:
        job.func(*job.args[:-1], run_times[-1])
        self._run_job_success(job.id, [])


def _claim(job: Job, due_at: datetime.datetime) -> tuple[bool, uuid.UUID | None]:
    """This will move the job's clock on to `due_at`, if it is not there yet, and answer the newest run. The clock is
    locked until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_clock (job, due_at) VALUES (%s, %s)"
            " ON CONFLICT (job) DO UPDATE SET due_at = EXCLUDED.due_at WHERE jobs_clock.due_at < EXCLUDED.due_at"
            " RETURNING run_id",
            [job.name, due_at],
        )
        claimed = cursor.fetchone()
    return (False, None) if claimed is None else (True, claimed[0])


def _after(when: CronTrigger, moment: datetime.datetime) -> datetime.datetime | None:
    return when.get_next_fire_time(moment, moment)
