"""`manage.py run`: the second of the two commands."""

import concurrent.futures
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings

from loyalty import data_folder, embedded
from tests import ports

PATIENCE = 60
# The scheduler, and a worker for each queue.
QUEUES = settings.TASKS["default"]["QUEUES"]
PROCESSES = 1 + len(QUEUES)


class Run:
    """One `manage.py run`, up and answering."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir, self.port = data_dir, port
        self.url = f"http://127.0.0.1:{port}"
        self.output = data_dir.with_suffix(".log")
        hidden = ("DATABASE_", "PYTHONUNBUFFERED")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(
                [sys.executable, settings.BASE_DIR / "manage.py", "run"],
                env=environment | {"DATA_DIR": str(data_dir), "PORT": str(port), "WEB_WORKERS": "2"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        eventually(lambda: "Ctrl-C" in self.output.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output.read_text()

    def health(self) -> tuple[int, str | None]:
        """The status, and what Retry-After says."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/health", timeout=10) as answer:
                return answer.status, None
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Retry-After"]

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def award(self) -> int:
        """The status of the award that the service suggests to try."""
        demo = data_folder.read_demo(self.data_dir)
        body = json.dumps({"card_id": demo["LOYALTY_CARD"], "points": 100, "reason": "Hello"}).encode()
        headers = {"Authorization": f"Bearer {demo['LOYALTY_API_SECRET']}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/points/award", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def web_server(self) -> int:
        """The process whose workers answer."""
        return next(pid for pid, args in _children(self.process.pid) if "server" in args)

    def worker(self) -> tuple[int, dict[str, int]]:
        """The process that sees to the jobs, and those that it started, by what they are."""
        mine = _children(self.process.pid)
        pid = next((pid for pid, args in mine if args.endswith("manage.py worker")), 0)
        # The path of Python may hold spaces.
        started = [(child, args.partition(" -m config.worker ")[2]) for child, args in _children(pid)]
        return pid, {what.split()[0]: child for child, what in started if what}

    def processes(self) -> list[str]:
        """The command lines of all that belongs to it, Postgres and the server's workers among them."""
        listed = subprocess.run(["ps", "-eo", "pid,args", "-ww"], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if str(self.data_dir) in line]


def _children(parent: int) -> list[tuple[int, str]]:
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args", "-ww"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [(int(pid), args) for pid, its_parent, args in rows if its_parent == str(parent)]


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="loyalty-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def port() -> int:
    return ports.free()


@pytest.fixture
def service(folder: Path, port: int) -> Iterator[Run]:
    run = Run(folder / "the shop", port)
    yield run
    if run.process.poll() is None:
        run.end()


def test_says_where_everything_is(service):
    demo = data_folder.read_demo(service.data_dir)
    printed = service.output.read_text()
    for told in (service.url, "/api/docs", "/admin/", demo["LOYALTY_ADMIN_USER"], demo["LOYALTY_ADMIN_PASSWORD"]):
        assert told in printed
    assert demo["LOYALTY_URL"] == service.url
    assert stat.S_IMODE((service.data_dir / "demo.env").stat().st_mode) == 0o600


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_prints_a_line_that_works_when_pasted(service):
    line = re.search(r"curl .*\\\n.*\n", service.output.read_text()).group()
    answer = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout
    assert '"success":true' in answer


def test_keeps_data_and_credentials(service, folder, port):
    before = data_folder.read_demo(service.data_dir)
    key = (service.data_dir / "secret_key").read_text()
    assert service.end() == 0
    again = Run(folder / "the shop", port)
    assert data_folder.read_demo(again.data_dir) == before
    assert (again.data_dir / "secret_key").read_text() == key
    assert again.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_everything_that_it_started(service, port, number):
    assert service.processes() != []
    assert service.end(number) == 0
    assert service.processes() == []
    assert is_free(port)


def test_runs_the_jobs_as_long_as_it_serves(service):
    eventually(lambda: len(service.worker()[1]) == PROCESSES)
    worker, processes = service.worker()
    assert processes.keys() == {"scheduler", *QUEUES}
    assert service.end() == 0
    assert not any(is_running(pid) for pid in (worker, *processes.values()))


def test_starts_the_worker_again_when_it_is_killed(service):
    eventually(lambda: len(service.worker()[1]) == PROCESSES)
    worker, processes = service.worker()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: "The worker had died" in service.output.read_text() and len(service.worker()[1]) == PROCESSES)
    assert service.worker()[0] != worker
    eventually(lambda: not any(is_running(pid) for pid in processes.values()))
    assert service.health() == (200, None)


def test_leaves_no_worker_behind_when_it_is_killed(service):
    eventually(lambda: len(service.worker()[1]) == PROCESSES)
    worker, processes = service.worker()
    service.end(signal.SIGKILL)
    eventually(lambda: not any(is_running(pid) for pid in (worker, *processes.values())))
    # Its worker was the last to leave the database, and stopped it.
    eventually(lambda: service.processes() == [])


def test_answers_503_until_the_killed_database_is_back(service):
    pid = int((service.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
    assert service.health() == (200, None)
    os.kill(pid, signal.SIGKILL)
    answers = [service.health()]
    eventually(lambda: answers.append(service.health()) or answers[-1][0] == 200)
    assert {status for status, _ in answers} <= {200, 503}
    assert all(retry_after is not None for status, retry_after in answers if status == 503)
    eventually(lambda: "started again" in service.output.read_text())


def test_answers_503_while_the_database_is_frozen(service):
    postmaster = int((service.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
    children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True, check=True).stdout
    frozen = [postmaster, *map(int, children.split())]
    with concurrent.futures.ThreadPoolExecutor(max_workers=12) as pool:
        for process in frozen:
            os.kill(process, signal.SIGSTOP)
        try:
            # More than there are threads to serve them.
            awards = [pool.submit(service.award) for _ in range(12)]
            done, waiting = concurrent.futures.wait(awards, timeout=20)
            assert not waiting
            answers = [service.health() for _ in range(6)]
        finally:
            for process in frozen:
                os.kill(process, signal.SIGCONT)
    assert {award.result() for award in done} == {503}
    assert answers == [(503, "1")] * 6
    eventually(lambda: service.health() == (200, None))
    # Each of the two workers finds out for itself that the database is back.
    eventually(lambda: service.award() == 201)


def test_leaves_nothing_in_the_way_when_it_is_killed(service, folder, port):
    service.end(signal.SIGKILL)
    eventually(lambda: is_free(port))
    again = Run(folder / "the shop", port)
    assert again.health() == (200, None)
    assert again.end() == 0
    assert again.processes() == []


def test_leaves_nothing_in_the_way_when_it_is_killed_with_its_web_server(service, folder, port):
    os.kill(service.web_server(), signal.SIGKILL)
    service.end(signal.SIGKILL)
    again = Run(folder / "the shop", port)
    assert again.health() == (200, None)
    assert again.end() == 0


def is_waited_for(cursor: Any) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    return cursor.fetchone()[0]


def test_answers_what_is_under_way_before_it_stops(service):
    assert service.award() == 201
    connection = psycopg2.connect(embedded.Server(service.data_dir).url())
    with connection.cursor() as cursor, concurrent.futures.ThreadPoolExecutor() as caller:
        cursor.execute("SELECT FROM points_pointaccount FOR NO KEY UPDATE")
        waiting = caller.submit(service.award)
        eventually(lambda: is_waited_for(cursor))
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert not waiting.done()
        connection.rollback()
        assert waiting.result() == 201
    connection.close()
    assert service.process.wait(PATIENCE) == 0


def test_says_so_when_the_port_is_taken(service, folder):
    environment = os.environ | {"DATA_DIR": str(folder / "other"), "PORT": str(service.port)}
    command = [sys.executable, settings.BASE_DIR / "manage.py", "run"]
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"127.0.0.1:{service.port} cannot be used" in second.stderr
    assert not (folder / "other" / "postgres").exists()
