"""Answers under idempotency keys are kept for 30 days or more, and then deleted."""

import datetime
import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from jobs.models import JobRun
from loyalty import idempotency, tasks
from loyalty.models import IdempotencyRecord
from tests.points.threads import at_once


@pytest.fixture
def owner_id() -> uuid.UUID:
    return uuid.uuid4()


def remember(owner_id: uuid.UUID, key: str, *, days: float) -> None:
    created_at = timezone.now() - datetime.timedelta(days=days)
    IdempotencyRecord.objects.create(
        owner_id=owner_id, key=key, fingerprint="f", status=201, body="{}", created_at=created_at
    )


def remembered(owner_id: uuid.UUID) -> set[str]:
    return set(IdempotencyRecord.objects.filter(owner_id=owner_id).values_list("key", flat=True))


def purge(**options: int) -> str:
    out = StringIO()
    call_command("purge_records", stdout=out, **options)
    return out.getvalue()


def test_keeps_a_record_for_thirty_days(owner_id: uuid.UUID) -> None:
    remember(owner_id, "of 29 days", days=29)
    remember(owner_id, "of 31 days", days=31)
    assert purge() == "1 records purged\n"
    assert remembered(owner_id) == {"of 29 days"}
    assert purge() == "0 records purged\n"


def test_keeps_them_longer_where_told_so(owner_id: uuid.UUID) -> None:
    remember(owner_id, "of 31 days", days=31)
    remember(owner_id, "of 91 days", days=91)
    purge(days=90)
    assert remembered(owner_id) == {"of 31 days"}


@pytest.mark.parametrize("days", [29, 0, -1, 36_501])
def test_refuses_to_keep_them_for_less(owner_id: uuid.UUID, days: int) -> None:
    remember(owner_id, "of 31 days", days=31)
    with pytest.raises(CommandError, match="--days is 30 or more"):
        purge(days=days)
    assert remembered(owner_id) == {"of 31 days"}


def test_finishes_in_one_run_also_where_two_run_at_once(owner_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "PURGE_BATCH", 10)
    purge()
    for n in range(95):
        # Some of one moment, more than fit in a batch.
        remember(owner_id, str(n), days=40 if n < 25 else 31)
    remember(owner_id, "new", days=1)
    told = at_once(purge, purge)
    assert sum(int(line.split()[0]) for line in told) == 95
    assert remembered(owner_id) == {"new"}


# The job


def test_runs_by_itself_and_purges_old_runs_of_jobs_too(owner_id: uuid.UUID) -> None:
    remember(owner_id, "of 29 days", days=29)
    remember(owner_id, "of 31 days", days=31)
    now = timezone.now()
    ended = {days: now - datetime.timedelta(days=days) for days in (13, 15)}
    kept, _ = (
        JobRun.objects.create(args_kwargs={}, run_after=at, finished_at=at, status="SUCCESSFUL", backend_name="default")
        for at in ended.values()
    )
    waiting = tasks.purge.enqueue()
    purged = tasks.purge.call()
    assert (purged["answers_purged"], purged["runs_purged"]) == (1, 1)
    assert remembered(owner_id) == {"of 29 days"}
    assert {str(run.pk) for run in JobRun.objects.filter(pk__in=[kept.pk, waiting.id])} == {str(kept.pk), waiting.id}
    JobRun.objects.filter(pk=waiting.id).delete()
