"""Job runs in the admin: what ran when, what it did in words, and why it failed."""

import datetime
from typing import Any

import pytest
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from jobs import runs
from jobs.models import JobRun
from tests.admin import pages
from tests.admin.conftest import Browser, staff

BEGAN = datetime.datetime(2026, 3, 2, 3, 30, tzinfo=datetime.UTC)
SETTLE, PURGE = "points.tasks.settle", "loyalty.tasks.purge"


@pytest.fixture(autouse=True)
def _nothing_before() -> None:
    JobRun.objects.all().delete()


@pytest.fixture
def operator() -> Browser:
    return staff("Olga", ["view_jobrun"])


def ran(task: str = SETTLE, *, seconds: float = 2.5, **facts: Any) -> JobRun:
    values = {
        "status": TaskResultStatus.SUCCESSFUL,
        "started_at": BEGAN,
        "finished_at": BEGAN + datetime.timedelta(seconds=seconds),
        "args_kwargs": {"args": [], "kwargs": {}},
        "backend_name": "default",
        "run_after": BEGAN,
        "worker_ids": ["default-1"],
        "return_value": {"entries_written": 12_345, "accounts_due": 1, "accounts_looked_at": 0},
    }
    run = JobRun.objects.create(task_path=task, **values | facts)
    # The clock of these tests stands still.
    JobRun.objects.filter(pk=run.pk).update(enqueued_at=BEGAN + datetime.timedelta(minutes=JobRun.objects.count()))
    return run


def listed(browser: Browser, **asked: str) -> list[str]:
    """The jobs that are listed, in their order."""
    answer = browser.get(pages.listing(JobRun), asked)
    assert answer.status_code == 200
    return [run.task_path for run in answer.context["cl"].result_list]


def test_tells_what_each_did_in_words(operator: Browser) -> None:
    ran()
    page = pages.text(operator.get(pages.listing(JobRun)))
    assert "Settle Done" in page
    assert "2.5 s Accounts due 1, entries written 12,345" in page


def test_tells_of_runs_that_found_nothing(operator: Browser) -> None:
    ran(return_value={"entries_written": 0})
    assert "Nothing to do" in pages.text(operator.get(pages.listing(JobRun)))


@pytest.mark.parametrize(("seconds", "words"), [(0.04, "0.0 s"), (61, "1 min 1 s"), (3 * 3600 + 120, "3 h 2 min")])
def test_tells_how_long_it_took(operator: Browser, seconds: float, words: str) -> None:
    ran(seconds=seconds)
    assert f" {words} Accounts due 1" in pages.text(operator.get(pages.listing(JobRun)))


@pytest.mark.parametrize(("status", "words"), [("READY", "Waiting"), ("RUNNING", "Under way")])
def test_shows_what_has_not_ended(operator: Browser, status: str, words: str) -> None:
    run = ran(status=status, finished_at=None, return_value=None)
    assert f"Settle {words}" in pages.text(operator.get(pages.listing(JobRun)))
    assert words in pages.text(operator.get(pages.of(run)))


def test_lists_the_newest_first_by_job_and_outcome(operator: Browser) -> None:
    ran(SETTLE)
    ran(PURGE, status=TaskResultStatus.FAILED, traceback="Traceback")
    ran(SETTLE, status=TaskResultStatus.FAILED, traceback="Traceback")
    assert listed(operator) == [SETTLE, PURGE, SETTLE]
    assert listed(operator, job=SETTLE) == [SETTLE, SETTLE]
    assert listed(operator, outcome="FAILED") == [SETTLE, PURGE]
    assert listed(operator, outcome="FAILED", job=PURGE) == [PURGE]


def test_shows_the_error_of_what_failed(operator: Browser) -> None:
    run = ran(
        status=TaskResultStatus.FAILED,
        return_value=None,
        exception_class_path="loyalty.errors.Unavailable",
        traceback="Traceback (most recent call last):\n  …\nloyalty.errors.Unavailable: <away>",
    )
    assert "loyalty.errors.Unavailable" in pages.text(operator.get(pages.listing(JobRun)))
    assert "loyalty.errors.Unavailable: <away>" in pages.text(operator.get(pages.of(run)))


@pytest.mark.parametrize(
    ("path", "words"),
    [(runs.LOST, "Its worker ended before it did."), ("builtins.SystemExit", "It was stopped with the service.")],
)
def test_says_so_where_a_run_was_cut_off(operator: Browser, path: str, words: str) -> None:
    ran(status=TaskResultStatus.FAILED, return_value=None, exception_class_path=path, traceback=path)
    assert words in pages.text(operator.get(pages.listing(JobRun)))


def test_changes_nothing_and_is_for_those_who_may_look(operator: Browser, viewer: Browser) -> None:
    run = ran()
    assert "Save" not in pages.text(operator.get(pages.of(run)))
    assert operator.post(pages.of(run), {"status": "READY"}).status_code == 403
    assert viewer.get(pages.listing(JobRun)).status_code == 403


def test_is_the_only_page_of_such_rows(superuser: Browser) -> None:
    page = superuser.get("/admin/").content.decode()
    assert pages.listing(JobRun) in page
    assert DBTaskResult._meta.app_label not in page
