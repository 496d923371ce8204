"""A service of its own for each database, started as `make run` starts it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.load import LoadError
from benchmarks.stage import Database

ROOT = Path(__file__).parent.parent
START_SECONDS = 60
STOP_SECONDS = 40
MEBIBYTE = 1024


class Memory(NamedTuple):
    """What a process took, in MiB: the most that was resident, and now its share where pages are shared."""

    peak: float
    share: float


class Service:
    """A running service and its processes."""

    def __init__(self, database: Database, url: str, process: subprocess.Popen[bytes]) -> None:
        self.database = database
        self.url = url
        self.process = process

    def memory(self) -> list[Memory]:
        """This will read what each process took, the first one first; nothing where the system is not Linux."""
        if not Path("/proc/self/smaps_rollup").exists():
            return []
        return [
            Memory(
                peak=kibibytes(f"/proc/{pid}/status", "VmHWM:") / MEBIBYTE,
                share=kibibytes(f"/proc/{pid}/smaps_rollup", "Pss:") / MEBIBYTE,
            )
            for pid in [self.process.pid, *_children(self.process.pid)]
        ]


@contextlib.contextmanager
def serving(database: Database, *, port: int, log: Path) -> Iterator[Service]:
    """This will serve a database for the block; the server's own output goes to the log."""
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DATABASE_URL": database.runtime_url,
        "DATABASE_OWNER_URL": database.owner_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        # What a request is measured by is not how fast a terminal takes its log.
        "LOG_LEVEL": "WARNING",
    }
    # The server ends with this process, also when it is killed: it watches this pipe.
    its_end, our_end = os.pipe()
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.server"],
            cwd=ROOT,
            env={**environment, "PARENT_PIPE": str(its_end)},
            pass_fds=[its_end],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    os.close(its_end)
    try:
        _wait_until_healthy(process, url, log)
        yield Service(database, url, process)
    finally:
        _stop(process)
        os.close(our_end)


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api/health", timeout=5):  # noqa: S310
            return
        time.sleep(0.1)
    raise LoadError(f"the service does not answer on {url}:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # After the name, which may hold spaces: the state, the parent.
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found += [int(folder.name), *_children(int(folder.name))]
    return found


def kibibytes(path: str, name: str) -> int:
    """This will read a size that the system tells of a process."""
    return next(int(line.split()[1]) for line in Path(path).read_text().splitlines() if line.startswith(name))
