"""`manage.py worker`: each job runs at its times, once, and goes on where a worker was killed."""

import datetime
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.utils import timezone
from django_tasks import TaskResultStatus

from config import schedule
from jobs import runs, scheduling
from jobs.models import Clock, JobRun, Worker
from loyalty.models import Program
from points import tasks
from points.models import PointAccount, PointTransaction
from tests.clients import service
from tests.factories import make_account, make_definition
from tests.points.threads import at_once, times
from tests.points.till import NOON, Till, breaches, days, tills

PATIENCE = 60
SETTLE = next(job for job in schedule.JOBS if job.task == tasks.settle)
QUEUES = settings.TASKS["default"]["QUEUES"]
FINISHED = (TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED)
SWEPT = [("award", 100), ("expire", -100)]


class Machine:
    """One `manage.py worker` on the database of the tests."""

    def __init__(self, output: Path) -> None:
        self.output = output
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
        url = service.address(connections["default"].settings_dict)
        with open(output, "a") as log:
            self.process = subprocess.Popen(
                [sys.executable, settings.BASE_DIR / "manage.py", "worker"],
                env=kept | {"DATABASE_URL": url, "SECRET_KEY": settings.SECRET_KEY},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def children(self) -> dict[str, int]:
        """Its processes by what they are."""
        listed = subprocess.run(["ps", "-eo", "pid,ppid,args", "-ww"], capture_output=True, text=True, check=True)
        rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
        mine = [
            (pid, args.partition(" -m config.worker ")[2])
            for pid, parent, args in rows
            if parent == str(self.process.pid)
        ]
        # The path of Python may hold spaces.
        return {what.split()[0]: int(pid) for pid, what in mine if what}

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """As when its machine loses power."""
        for pid in (self.process.pid, *self.children().values()):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Callable[[], Machine]]:
    started: list[Machine] = []

    def start() -> Machine:
        started.append(Machine(tmp_path / f"worker-{len(started)}.log"))
        return started[-1]

    yield start
    for machine in started:
        if machine.process.poll() is None:
            machine.stop()


@pytest.fixture(autouse=True)
def _nothing_before() -> None:
    """What other tests enqueued is over; no job but one that a test makes due is due soon."""
    JobRun.objects.all().delete()
    Worker.objects.all().delete()
    Clock.objects.all().delete()
    for job in schedule.JOBS:
        Clock.objects.create(job=job.name, due_at=timezone.now() + datetime.timedelta(hours=1))


def make_due() -> None:
    Clock.objects.filter(job=SETTLE.name).update(due_at=timezone.now() - datetime.timedelta(days=1))


def ended(program: Program, count: int) -> list[Till]:
    """Accounts whose points ended, in the order in which a sweep comes to them."""
    definition = make_definition(program)
    made = tills(make_account(program, definition) for _ in range(count))
    for till in made:
        till.award(100, expires_at=days(1))
    with connection.cursor() as cursor:
        # As they lie on the disk.
        cursor.execute(
            "SELECT id FROM points_pointaccount WHERE id = ANY(%s::uuid[]) ORDER BY ctid",
            [[till.account.id for till in made]],
        )
        order = [account_id for (account_id,) in cursor.fetchall()]
    return sorted(made, key=lambda till: order.index(till.account.id))


def eventually(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def is_complete(machine: Machine) -> bool:
    """Whether all of its processes are there, and have said so."""
    return len(machine.children()) == len(QUEUES) + 1 and Worker.objects.count() == len(QUEUES)


def finished(count: int = 1) -> list[JobRun]:
    """The runs that have ended, when there are so many."""
    return eventually(lambda: found if len(found := list(_finished())) >= count else None)


def _finished() -> Any:
    # Of the sweep: other jobs may be due as well.
    return JobRun.objects.filter(status__in=FINISHED, task_path=SETTLE.name).order_by("finished_at")


def is_waited_for() -> bool:
    """Whether somebody waits for what the transaction of the test has locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))")
        return cursor.rowcount > 0


# What runs


def test_catches_up_on_what_was_due_while_none_ran_and_tells_its_figures(program, machines):
    made = ended(program, 3)
    # Other tests may have left something: also accounts in which nothing is written.
    due = PointAccount.objects.filter(next_due_at__lte=timezone.now()).count()
    written = PointTransaction.objects.count()
    make_due()
    machines()
    [run] = finished()
    assert (run.task_path, run.status) == (SETTLE.name, TaskResultStatus.SUCCESSFUL)
    assert [till.history() for till in made] == [SWEPT] * 3
    assert run.return_value == {
        "entries_written": PointTransaction.objects.count() - written,
        "accounts_due": due,
        "accounts_looked_at": PointAccount.objects.count(),
    }
    assert due >= 3
    assert Clock.objects.get(job=SETTLE.name).run_id == run.pk
    assert breaches(program) == set()


def test_finishes_its_backlog_in_one_run(program, machines):
    made = ended(program, 150)
    make_due()
    machines()
    [run] = finished()
    assert run.status == TaskResultStatus.SUCCESSFUL
    assert {tuple(till.history()) for till in made} == {tuple(SWEPT)}


def test_sweeps_nothing_twice_where_two_machines_sweep_at_once(program, machines):
    made = ended(program, 150)
    for _ in range(2):
        tasks.settle.enqueue()
    with transaction.atomic():
        # Both come to the first account and wait there.
        PointAccount.objects.select_for_update(no_key=True).get(pk=made[0].account.id)
        for _ in range(2):
            machines()
        eventually(lambda: JobRun.objects.filter(status=TaskResultStatus.RUNNING).count() == 2)
        eventually(is_waited_for)
    both = finished(2)
    assert [run.status for run in both] == [TaskResultStatus.SUCCESSFUL] * 2
    assert both[0].worker_ids != both[1].worker_ids
    assert {tuple(till.history()) for till in made} == {tuple(SWEPT)}
    assert breaches(program) == set()


# What is killed


def test_goes_on_after_it_was_killed_in_mid_sweep(program, machines):
    made = ended(program, 60)
    make_due()
    machine = machines()
    with transaction.atomic():
        PointAccount.objects.select_for_update(no_key=True).get(pk=made[40].account.id)
        eventually(is_waited_for)
        machine.kill()
        assert made[0].history() == SWEPT
        assert made[40].history() == SWEPT[:1]
    lost = JobRun.objects.get()
    assert lost.status == TaskResultStatus.RUNNING
    # A minute later another machine takes over.
    Worker.objects.update(seen_at=timezone.now() - datetime.timedelta(seconds=runs.SILENT_SECONDS + 1))
    make_due()
    machines()
    failed, run = finished(2)
    assert (failed.pk, failed.status, failed.exception_class_path) == (lost.pk, TaskResultStatus.FAILED, runs.LOST)
    assert run.status == TaskResultStatus.SUCCESSFUL
    assert {tuple(till.history()) for till in made} == {tuple(SWEPT)}
    assert breaches(program) == set()


def test_starts_again_what_was_killed_and_notes_what_that_was_at(program, machines):
    [till] = ended(program, 1)
    make_due()
    machine = machines()
    with transaction.atomic():
        PointAccount.objects.select_for_update(no_key=True).get(pk=till.account.id)
        eventually(is_waited_for)
        before = machine.children()
        assert before.keys() == {"scheduler", *QUEUES}
        os.kill(before["default"], signal.SIGKILL)
        [run] = finished()
    assert run.exception_class_path == runs.LOST
    after = eventually(lambda: machine.children() if len(machine.children()) == len(QUEUES) + 1 else None)
    assert {name for name, pid in after.items() if before[name] != pid} == {"default"}
    tasks.settle.enqueue()
    assert finished(2)[-1].status == TaskResultStatus.SUCCESSFUL
    assert till.history() == SWEPT


def test_leaves_nothing_behind(machines):
    machine = machines()
    eventually(lambda: is_complete(machine))
    pids = machine.children().values()
    assert machine.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not Worker.objects.exists()


def test_leaves_nothing_behind_when_it_is_killed(machines):
    machine = machines()
    eventually(lambda: is_complete(machine))
    pids = machine.children().values()
    machine.process.kill()
    machine.process.wait()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert not Worker.objects.exists()


# When it runs


def test_is_enqueued_once_for_each_time_that_it_is_due():
    make_due()
    for number in range(5):
        due_at = timezone.now() + datetime.timedelta(minutes=number)
        answers = at_once(*times(6, lambda due_at=due_at: scheduling.enqueue(SETTLE, due_at=due_at)))
        assert sorted(answers) == [False] * 5 + [True]
        JobRun.objects.filter(status=TaskResultStatus.READY).update(status=TaskResultStatus.SUCCESSFUL)
        # Also where the run is over by then.
        assert scheduling.enqueue(SETTLE, due_at=due_at) is False
    assert JobRun.objects.count() == 5
    # Whose clock is behind comes too late.
    assert scheduling.enqueue(SETTLE, due_at=timezone.now()) is False


@pytest.mark.parametrize("status", [TaskResultStatus.READY, TaskResultStatus.RUNNING])
def test_is_not_enqueued_while_a_run_of_it_waits_or_is_under_way(status):
    make_due()
    now = timezone.now()
    assert scheduling.enqueue(SETTLE, due_at=now) is True
    runs.beat("somebody")
    JobRun.objects.update(status=status, worker_ids=["somebody"])
    assert scheduling.enqueue(SETTLE, due_at=now + datetime.timedelta(minutes=5)) is False
    JobRun.objects.update(status=TaskResultStatus.FAILED)
    assert scheduling.enqueue(SETTLE, due_at=now + datetime.timedelta(minutes=10)) is True


def test_is_enqueued_again_after_a_run_was_lost_with_its_worker():
    make_due()
    now = timezone.now()
    scheduling.enqueue(SETTLE, due_at=now)
    runs.beat("somebody")
    JobRun.objects.update(status=TaskResultStatus.RUNNING, started_at=NOON, worker_ids=["before", "somebody"])
    Worker.objects.update(seen_at=now - datetime.timedelta(seconds=runs.SILENT_SECONDS - 5))
    assert scheduling.enqueue(SETTLE, due_at=now + datetime.timedelta(minutes=5)) is False
    Worker.objects.update(seen_at=now - datetime.timedelta(seconds=runs.SILENT_SECONDS + 5))
    assert scheduling.enqueue(SETTLE, due_at=now + datetime.timedelta(minutes=10)) is True
    [lost] = JobRun.objects.filter(status=TaskResultStatus.FAILED)
    assert (lost.exception_class_path, lost.finished_at > now) == (runs.LOST, True)


def test_names_no_job_twice_and_only_queues_that_have_a_worker():
    assert len({job.name for job in schedule.JOBS}) == len(schedule.JOBS)
    assert {job.task.queue_name for job in schedule.JOBS} <= set(settings.TASKS["default"]["QUEUES"])
