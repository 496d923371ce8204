"""What is remembered of jobs: when each was last due, who works on them, and how each run went."""

from django.db import models
from django_tasks_db.models import DBTaskResult


class Clock(models.Model):
    """Up to which time a job was enqueued. Whoever moves it on enqueues the job, and nobody else does."""

    job = models.CharField(primary_key=True, max_length=200)
    due_at = models.DateTimeField()
    run_id = models.UUIDField(null=True, help_text="The newest run.")

    def __str__(self) -> str:
        return self.job


class Worker(models.Model):
    """A process that works on jobs, and when it last said that it is there."""

    id = models.CharField(primary_key=True, max_length=64)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.id


class JobRun(DBTaskResult):
    """One run of a job, under a name that staff know."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = "job run"
        verbose_name_plural = "job runs"

    def __str__(self) -> str:
        # points.tasks.review_tiers is Review tiers.
        return self.task_path.rpartition(".")[2].replace("_", " ").capitalize()
