"""`manage.py backup` and `manage.py restore`, on an embedded database of their own."""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings

from loyalty import backups, embedded

AWARD = """
from decimal import Decimal
from django.utils import timezone
from cards.models import Card
from points import accounts, ledger
card = Card.objects.select_related("program").filter(program__slug="demo").order_by("created_at", "id").first()
account = accounts.find(program=card.program, card=card.number).account
ledger.award(account=account, points=Decimal(100), note=ledger.Note(reason="Hello", actor="test"), at=timezone.now())
"""


# A run that a worker is at, and another that waits for one.
RUNS = """
from django_tasks import TaskResultStatus
from jobs import runs
from jobs.models import JobRun
from points import tasks
first, _ = tasks.settle.enqueue(), tasks.remind.enqueue()
JobRun.objects.filter(pk=first.id).update(status=TaskResultStatus.RUNNING, worker_ids=["default-1"])
runs.beat("default-1")
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Path]:
    """A data folder with a demo programme in which points were awarded once."""
    path = Path(tempfile.mkdtemp(prefix="loyalty-test-")) / "the shop"
    for arguments in (["migrate"], ["demo"], ["shell", "--command", AWARD], ["shell", "--command", RUNS]):
        assert manage(path, *arguments).returncode == 0
    yield path
    shutil.rmtree(path.parent)


def manage(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    command = [sys.executable, settings.BASE_DIR / "manage.py", *arguments]
    variables = environment | {"DATA_DIR": str(data_dir)}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def query(data_dir: Path, statement: str, role: str = embedded.RUNTIME_ROLE, database: str = embedded.DATABASE) -> list:
    with embedded.Server(data_dir).running() as server:
        connection = psycopg2.connect(server.url(role, database))
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()


def entries(data_dir: Path, database: str = embedded.DATABASE) -> int:
    return query(data_dir, "SELECT count(*) FROM points_pointtransaction", database=database)[0][0]


def databases(data_dir: Path) -> list[str]:
    """The service's databases."""
    names = query(data_dir, "SELECT datname FROM pg_database WHERE datname LIKE 'loyalty%' ORDER BY datname")
    return [name for (name,) in names]


@contextlib.contextmanager
def as_template(data_dir: Path, database: str) -> Iterator[None]:
    """Postgres drops no template."""
    with embedded.Server(data_dir).running() as server:

        def mark(*, is_template: bool) -> None:
            with contextlib.closing(server.connect_as_superuser()) as connection, connection.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE {database} IS_TEMPLATE {is_template}")

        mark(is_template=True)
        yield
        mark(is_template=False)


@pytest.fixture(scope="module")
def dump(shop: Path) -> Path:
    result = manage(shop, "backup")
    assert result.returncode == 0, result.stderr
    return Path(result.stdout.rpartition(" (")[0])


@pytest.fixture(scope="module")
def restored(shop: Path, dump: Path) -> Path:
    """The shop after one more award, which the restore undid."""
    assert manage(shop, "shell", "--command", AWARD).returncode == 0
    result = manage(shop, "restore", str(dump))
    assert result.returncode == 0, result.stderr
    return shop


def test_backup_is_for_its_owner_alone(shop, dump):
    assert dump.parent == shop / "backups"
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    assert list(dump.parent.glob("*.draft")) == []


def test_backup_of_nothing_is_none(tmp_path_factory):
    path = Path(tempfile.mkdtemp(prefix="loyalty-test-")) / "no shop"
    try:
        result = manage(path, "backup")
        assert (result.returncode, "has no data" in result.stderr) == (1, True)
        assert not list(path.glob("backups/*"))
    finally:
        shutil.rmtree(path.parent)


def test_backup_is_of_what_there_was_before_an_upgrade(shop, dump):
    assert manage(shop, "migrate", "points", "0005_guard_tiers").returncode == 0
    applied = "SELECT count(*) FROM django_migrations WHERE app = 'points'"
    before = query(shop, applied)
    assert manage(shop, "backup").returncode == 0
    assert query(shop, applied) == before


def test_restore_brings_back_what_was_there_and_keeps_what_is(restored):
    assert entries(restored) == entries(restored, backups.BEFORE) - 1


def test_restored_ledger_is_guarded_as_before(restored):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(restored, "DELETE FROM points_pointtransaction RETURNING id")
    with pytest.raises(psycopg2.Error, match="append-only"):
        query(restored, "DELETE FROM points_pointtransaction RETURNING id", role=embedded.OWNER_ROLE)


def test_restored_ledger_is_written_on(restored):
    before = entries(restored)
    assert manage(restored, "shell", "--command", AWARD).returncode == 0
    assert entries(restored) == before + 1


def test_restored_runs_are_under_way_no_more(restored):
    """A worker that goes on beside the restore says that it is there: nobody would find out that it is not at them."""
    states = dict(query(restored, "SELECT task_path, status FROM django_tasks_database_dbtaskresult"))
    assert states == {"points.tasks.settle": "FAILED", "points.tasks.remind": "READY"}
    assert query(restored, "SELECT id FROM jobs_worker") == []


def test_restore_lets_nobody_meet_half_a_copy(restored, dump):
    with embedded.Server(restored).running() as server, ThreadPoolExecutor() as threads:
        restore = threads.submit(manage, restored, "restore", str(dump))
        while not restore.done():
            # For a moment there is no database; there is never one in which the service may not read.
            with (
                contextlib.suppress(psycopg2.OperationalError),
                contextlib.closing(psycopg2.connect(server.url())) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("SELECT count(*) > 0 FROM points_pointtransaction")
                assert cursor.fetchone() == (True,)
        assert restore.result().returncode == 0, restore.result().stderr


def test_restore_keeps_what_was_there_in_the_place_of_what_an_earlier_one_kept(restored, dump):
    assert manage(restored, "shell", "--command", AWARD).returncode == 0
    there = entries(restored)
    assert manage(restored, "restore", str(dump)).returncode == 0
    assert entries(restored, backups.BEFORE) == there
    assert databases(restored) == [embedded.DATABASE, backups.BEFORE]


def test_restore_waits_for_nobody_who_restores_meanwhile(restored, dump):
    with (
        embedded.Server(restored).running() as server,
        contextlib.closing(server.connect_as_superuser()) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_advisory_lock(%s)", [backups._ONE_AT_A_TIME])
        result = manage(restored, "restore", str(dump))
    assert (result.returncode, "another restore is under way" in result.stderr) == (1, True)


def test_restore_says_where_what_was_there_is_when_what_an_earlier_one_kept_cannot_be_dropped(restored, dump):
    kept, there = entries(restored, backups.BEFORE), entries(restored)
    with as_template(restored, backups.BEFORE):
        result = manage(restored, "restore", str(dump))
        assert (result.returncode, backups.ASIDE in result.stdout) == (0, True), result.stderr
        assert (entries(restored, backups.BEFORE), entries(restored, backups.ASIDE)) == (kept, there)

        again = manage(restored, "restore", str(dump))
        assert (again.returncode, "nothing was changed: cannot drop a template" in again.stderr) == (1, True)

    assert manage(restored, "restore", str(dump)).returncode == 0
    assert databases(restored) == [embedded.DATABASE, backups.BEFORE]


def test_restore_of_half_a_file_changes_nothing(shop, dump, tmp_path):
    before = entries(shop)
    half = tmp_path / "half.dump"
    half.write_bytes(dump.read_bytes()[: dump.stat().st_size // 2])
    result = manage(shop, "restore", str(half))
    assert result.returncode == 1
    assert "nothing was changed" in result.stderr
    assert entries(shop) == before


def test_restore_names_the_files_that_there_are(shop, dump):
    result = manage(shop, "restore", "nowhere.dump")
    assert result.returncode == 1
    assert f"'{dump}'" in result.stderr


def test_restore_asks_which_file(shop, dump):
    result = manage(shop, "restore", "")
    assert result.returncode == 1
    assert "say which file" in result.stderr


def test_start_opens_a_database_that_an_interrupted_restore_has_shut(shop):
    with embedded.Server(shop).running() as server:
        connection = server.connect_as_superuser()
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {embedded.DATABASE} ALLOW_CONNECTIONS false")
        connection.close()
    assert entries(shop) > 0
