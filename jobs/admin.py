"""Job runs: when each job ran, how long it took, what there was to do, and why it failed."""

import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateformat import format as format_date
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_tasks import TaskResultStatus
from django_tasks_db import admin as tasks_admin
from unfold.decorators import display

from config import schedule
from jobs import runs
from jobs.models import DBTaskResult, JobRun
from loyalty import console

# The package's own page shows the same rows to whoever may see tasks of any kind, with words of the package.
admin.site.unregister(tasks_admin.DBTaskResult)

OUTCOMES = {
    TaskResultStatus.READY: "Waiting",
    TaskResultStatus.RUNNING: "Under way",
    TaskResultStatus.SUCCESSFUL: "Done",
    TaskResultStatus.FAILED: "Failed",
}
COLOURS = {"Waiting": "default", "Under way": "info", "Done": "success", "Failed": "danger"}
# What failed without an error of its own.
ENDED = {
    runs.LOST: "Its worker ended before it did. The next run goes on with what is left.",
    "builtins.SystemExit": "It was stopped with the service. The next run goes on with what is left.",
}


class JobFilter(admin.SimpleListFilter):
    """The runs of one job."""

    title = "job"
    parameter_name = "job"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(job.name, str(JobRun(task_path=job.name))) for job in schedule.JOBS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobRun]) -> QuerySet[JobRun]:
        return queryset if self.value() is None else queryset.filter(task_path=self.value())


class OutcomeFilter(admin.SimpleListFilter):
    """The runs that ended, or stand, in one way."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(status), words) for status, words in OUTCOMES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobRun]) -> QuerySet[JobRun]:
        return queryset if self.value() is None else queryset.filter(status=self.value())


@admin.register(JobRun)
class JobRunAdmin(console.ReadOnlyAdmin):
    list_display = ("job", "outcome", "when", "took", "figures")
    list_filter = (JobFilter, OutcomeFilter)
    ordering = ("-enqueued_at", "-id")
    fieldsets = (
        (None, {"fields": (("job", "outcome"), "figures", "error")}),
        ("Record", {"fields": (("when", "started", "ended"), ("took", "worker"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[DBTaskResult]:
        # A traceback is long, and only a page of its own shows it.
        return super().get_queryset(request).defer("traceback")

    @display(description="Job")
    def job(self, run: JobRun) -> str:
        return str(run)

    @display(description="Outcome", label=COLOURS)
    def outcome(self, run: JobRun) -> str:
        return OUTCOMES[TaskResultStatus(run.status)]

    @display(description="When")
    def when(self, run: JobRun) -> str:
        return _moment(run.enqueued_at)

    @display(description="Started")
    def started(self, run: JobRun) -> str:
        return _moment(run.started_at)

    @display(description="Ended")
    def ended(self, run: JobRun) -> str:
        return _moment(run.finished_at)

    @display(description="Took")
    def took(self, run: JobRun) -> str:
        if run.started_at is None or run.finished_at is None:
            return console.NOTHING
        return _duration(run.finished_at - run.started_at)

    @display(description="What it did")
    def figures(self, run: JobRun) -> str:
        if run.status == TaskResultStatus.FAILED:
            return ENDED.get(run.exception_class_path, run.exception_class_path)
        if not isinstance(run.return_value, dict):
            return console.NOTHING
        told = [f"{name.replace('_', ' ')} {figure:,}" for name, figure in run.return_value.items() if figure]
        return ", ".join(told).capitalize() or "Nothing to do"

    @display(description="Error")
    def error(self, run: JobRun) -> str | SafeString:
        return format_html('<pre class="console-trace">{}</pre>', run.traceback) if run.traceback else console.NOTHING

    @display(description="Worker")
    def worker(self, run: JobRun) -> str:
        return ", ".join(run.worker_ids) or console.NOTHING


def _moment(value: datetime.datetime | None) -> str:
    # Jobs are no programme's: their times are those of the schedule.
    return console.NOTHING if value is None else format_date(value.astimezone(datetime.UTC), "j M Y, H:i:s T")


def _duration(value: datetime.timedelta) -> str:
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds} s"
