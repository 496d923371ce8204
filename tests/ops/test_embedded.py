"""The embedded Postgres: whatever happened before, the next start works and nothing committed is lost."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings

from loyalty import embedded

USER_OF_THE_SERVER = """
import sys, time
from pathlib import Path
from loyalty import embedded
with embedded.Server(Path(sys.argv[1])).running():
    print("up", flush=True)
    time.sleep(60)
"""

MAKER_OF_THE_USER = """
import sys
from loyalty import embedded
embedded.SYSTEM_USER = sys.argv[1]
print("ready", flush=True)
sys.stdin.read()
print(embedded._system_user().pw_uid)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not pytest's own: as root the server's user would have to be let into all of it.
    path = Path(tempfile.mkdtemp(prefix="loyalty-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path) -> embedded.Server:
    """A server that is down, whose folder's name has what shells, addresses and configuration files trip over."""
    return embedded.Server(folder / 'it\'s a "shop" 100% ü')


def query(server: embedded.Server, statement: str) -> list[tuple]:
    with (
        contextlib.closing(psycopg2.connect(server.url(embedded.OWNER_ROLE))) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def pid_of(server: embedded.Server) -> int:
    return int((server.pgdata / "postmaster.pid").read_text().split()[0])


def another_user(server: embedded.Server) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", USER_OF_THE_SERVER, str(server.data_dir)]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_runs_for_as_long_as_the_block(server):
    with server.running():
        assert query(server, "SELECT current_user") == [(embedded.OWNER_ROLE,)]
    assert not server.is_up()
    assert not (server.pgdata / "postmaster.pid").exists()


def test_keeps_what_makes_a_commit_durable(server):
    with server.running():
        names = "'fsync', 'full_page_writes', 'synchronous_commit'"
        rows = query(server, f"SELECT name, setting, source FROM pg_settings WHERE name IN ({names})")
        assert {(setting, source) for _, setting, source in rows} == {("on", "default")}


def test_listens_on_nothing_but_a_private_socket(server):
    with server.running():
        assert query(server, "SHOW listen_addresses") == [("",)]
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.pgdata.stat().st_mode) == 0o700


def test_does_not_run_as_root(server):
    with server.running():
        assert Path(f"/proc/{pid_of(server)}").stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody but root needs a user for the server, and may make one")
def test_first_starts_at_once_make_one_user_for_the_server():
    name = f"loyalty_test_{secrets.token_hex(4)}"
    command = [sys.executable, "-c", MAKER_OF_THE_USER, name]
    makers = [
        subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        for _ in range(6)
    ]
    try:
        for maker in makers:
            assert maker.stdout.readline() == b"ready\n"
        for maker in makers:
            maker.stdin.close()
        numbers = [int(maker.stdout.readline() or -1) for maker in makers]
        assert numbers == [pwd.getpwnam(name).pw_uid] * 6
    finally:
        for maker in makers:
            maker.kill()
            maker.wait()
        subprocess.run(["userdel", name], check=True, capture_output=True)


def test_is_stopped_by_whoever_leaves_last(server):
    other = another_user(server)
    with server.running():
        other.terminate()
        other.wait()
        assert server.is_up()
    assert not server.is_up()


def test_survives_a_user_that_leaves_first(server):
    with server.running():
        with server.running():
            pass
        assert server.is_up()


def test_is_found_after_its_starter_was_killed(server):
    other = another_user(server)
    pid = pid_of(server)
    other.kill()
    other.wait()
    with server.running():
        assert pid_of(server) == pid
    assert not server.is_up()


def test_is_started_again_when_it_died(server):
    with server.running():
        query(server, "CREATE TABLE kept AS SELECT 1 AS n")
        assert not server.watch()
        os.kill(pid_of(server), signal.SIGKILL)
        while not server.watch():
            pass
        assert query(server, "SELECT n FROM kept") == [(1,)]


def test_starts_after_it_was_killed_together_with_its_user(server):
    other = another_user(server)
    os.kill(pid_of(server), signal.SIGKILL)
    other.kill()
    # Not waited for before: a process that nobody has reaped yet must not pass for a running server.
    with server.running():
        assert server.is_up()
    other.wait()


def test_starts_though_its_old_number_is_another_process_now(server):
    with server.running():
        pass
    for path in (server.pgdata / "postmaster.pid", server.socket_dir / embedded.SOCKET_LOCK):
        path.write_text(f"{os.getpid()}\n{server.pgdata}\n0\n5432\n{server.socket_dir}\n\n\nready\n")
    with server.running():
        assert server.is_up()


def test_starts_after_a_start_that_was_cut_short(folder):
    server = embedded.Server(folder / "cut")
    draft = server.data_dir / "postgres.draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    with server.running():
        assert server.is_up()


def test_starts_again_when_its_socket_was_removed(server):
    with server.running():
        for path in server.socket_dir.iterdir():
            path.unlink()
        with server.running():
            assert server.is_up()


@pytest.mark.parametrize("name", ["long" * 25, "one, two"])
def test_listens_below_tmp_when_the_path_is_none_for_a_socket(folder, name):
    server = embedded.Server(folder / name)
    assert len(os.fsencode(server.socket_dir / embedded.SOCKET_LOCK)) <= embedded.SOCKET_PATH_LIMIT
    try:
        with server.running():
            assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    finally:
        server.socket_dir.rmdir()


def test_refuses_a_socket_folder_that_somebody_else_made(folder):
    server = embedded.Server(folder / "taken")
    server.data_dir.mkdir()
    (folder / "elsewhere").mkdir()
    server.socket_dir.symlink_to(folder / "elsewhere")
    with pytest.raises(embedded.EmbeddedError, match="is not a folder of the server's user"), server.running():
        pass


def test_says_where_to_look_when_it_cannot_start(server):
    with server.running():
        pass
    configuration = server.pgdata / "postgresql.auto.conf"
    before = configuration.read_text()
    configuration.write_text("port = 'none'\n")
    try:
        with pytest.raises(embedded.EmbeddedError, match='invalid value for parameter "port"'), server.running():
            pass
    finally:
        configuration.write_text(before)


@pytest.mark.parametrize("offered", [("C.UTF-8", "C"), ("no_such.UTF-8", "C")], ids=["known", "unknown"])
def test_knows_the_letters_of_all_scripts_where_the_system_does(folder, monkeypatch, offered):
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.lower().split()
    monkeypatch.setattr(embedded, "CHARACTERS", offered)
    server = embedded.Server(folder / offered[0])
    with server.running():
        query(server, "CREATE EXTENSION pg_trgm")
        [(parts, lowered)] = query(
            server, "SELECT cardinality(show_trgm('\u041f\u0435\u0442\u0440\u043e\u0432')), lower('\u041f')"
        )
    assert lowered == "\u043f"
    assert (parts > 0) is (offered[0] == "C.UTF-8" and bool({"c.utf8", "c.utf-8"} & set(known)))
