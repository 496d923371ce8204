"""The sweep of what fell due: lots expired a second beside a small ledger and one ten times larger, and how long a till
waits that always comes to an account which is being swept: for its answer, and of that for locks."""

import contextlib
import dataclasses
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import web
from benchmarks.load import LoadError
from benchmarks.stage import Database, Stage
from loyalty import ids

IDLE_SECONDS = 3
# Waits for a lock that take as long are in the server's log.
LOGGED_MS = 5
LOOK_SECONDS = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one sweep did: waits in milliseconds, memory in MiB. `lock_waits` are those of `LOGGED_MS` and more."""

    accounts: int
    lots: int
    seconds: float
    memory: float
    waits: list[float]
    waits_before: list[float]
    lock_waits: list[float]

    @property
    def rate(self) -> float:
        """Lots expired a second."""
        return self.lots / self.seconds

    @property
    def longest(self) -> float:
        """The longest wait for a lock meanwhile, or less than is logged."""
        return max(self.lock_waits, default=0)


class _Till:
    """Awards a point to the first account that is still due: while a sweep runs, that is one of those it has locked."""

    def __init__(self, database: Database, service: web.Service, secret: str) -> None:
        self.database = database
        self.headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self.host = service.url.removeprefix("http://")
        self.waits: list[float] = []
        self.failure: Exception | None = None

    @contextlib.contextmanager
    def awarding(self) -> Iterator[None]:
        """This will award as fast as it is answered, in the block.

        Raises:
            LoadError: an award was refused, or not answered.
        """
        self.waits, stopped = [], threading.Event()
        thread = threading.Thread(target=self._award, args=[stopped])
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
        if self.failure is not None:
            raise LoadError(f"a till was not served: {self.failure}") from self.failure

    def _award(self, stopped: threading.Event) -> None:
        last = "(0,0)"
        line = http.client.HTTPConnection(self.host)
        while not stopped.is_set():
            found = self.database.run(_FIRST_DUE, last=last)
            if not found:
                return
            [(last, card_id)] = found
            body = json.dumps({"card_id": ids.public("card", card_id), "points": 1, "reason": "Order"})
            began = time.monotonic()
            try:
                line.request("POST", "/api/points/award", body, self.headers)
                answer = line.getresponse()
                told = answer.read()
            except (OSError, http.client.HTTPException) as failure:
                self.failure = failure
                return
            if answer.status != 201:
                self.failure = LoadError(told.decode())
                return
            self.waits.append((time.monotonic() - began) * 1000)


def run(stage: Stage, *, data_dir: Path, say: Callable[[str], None]) -> list[Result]:
    """This will sweep both ledgers, the smaller one first.

    Raises:
        LoadError: a sweep failed or left something due, or a till was not served.
    """
    results = []
    for number, database in enumerate((stage.swept, stage.swept_large)):
        say(f"Expiring {stage.options.lots:,} lots beside {stage.accounts_beside(database):,} other accounts")
        stage.log_lock_waits(database, milliseconds=LOGGED_MS)
        log = data_dir / f"{database.name}.log"
        with web.serving(database, port=stage.options.port + 3 + number, log=log) as service:
            results.append(_measure(stage, database, service))
    return results


def _measure(stage: Stage, database: Database, service: web.Service) -> Result:
    till = _Till(database, service, stage.secret)
    with till.awarding():
        time.sleep(IDLE_SECONDS)
    before, lots = till.waits, database.run(_OPEN_LOTS)[0][0]
    logged = stage.server.log.stat().st_size
    with till.awarding():
        seconds, memory = _sweep(database)
    if left := database.run("SELECT count(*) FROM points_pointaccount WHERE next_due_at <= now()")[0][0]:
        raise LoadError(f"the sweep left {left} accounts due")
    return Result(
        accounts=database.run("SELECT count(*) FROM points_pointaccount")[0][0],
        lots=lots - database.run(_OPEN_LOTS)[0][0],
        seconds=seconds,
        memory=memory,
        waits=till.waits,
        waits_before=before,
        lock_waits=_lock_waits(stage.server.log, since=logged),
    )


def _sweep(database: Database) -> tuple[float, float]:
    """This will run the sweep in a process of its own, and answer its seconds and the most memory that it took."""
    environment = {**os.environ, "DATABASE_URL": database.runtime_url, "DATABASE_OWNER_URL": database.owner_url}
    began, memory = time.monotonic(), 0
    process = subprocess.Popen([sys.executable, "manage.py", "settle_due"], cwd=web.ROOT, env=environment)
    while process.poll() is None:
        # What the system tells of it when it has ended counts this process, too.
        with contextlib.suppress(OSError, StopIteration):
            memory = max(memory, web.kibibytes(f"/proc/{process.pid}/status", "VmHWM:"))
        time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise LoadError(f"settle_due ended with status {process.returncode}")
    return time.monotonic() - began, memory / web.MEBIBYTE


def _lock_waits(log: Path, *, since: int) -> list[float]:
    """This will answer how many milliseconds each wait for a lock took, of the sweep's databases, by the server's log
    from a byte of it on."""
    with log.open("rb") as file:
        file.seek(since)
        return [float(wait) for wait in _WAIT.findall(file.read())]


# What a range of ctid answers comes in the order of the disk, in which the sweep goes.
_FIRST_DUE = """
SELECT a.ctid::text, c.id FROM (
    SELECT ctid, customer_id FROM points_pointaccount WHERE ctid > %(last)s::tid AND next_due_at <= now() LIMIT 1
) AS a JOIN cards_card c ON c.customer_id = a.customer_id
"""
_WAIT = re.compile(rb"acquired \w+ on .* after (\d+\.\d+) ms")
_OPEN_LOTS = "SELECT count(*) FROM points_pointlot WHERE is_open AND expires_at <= now()"
