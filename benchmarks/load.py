"""The load: wrk over HTTP, and pgbench for what the database can do by itself."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.options import CONNECTIONS
from benchmarks.stage import SQL, Database
from loyalty import embedded

HERE = Path(__file__).parent
THREADS = min(os.cpu_count() or 1, CONNECTIONS)


class LoadError(Exception):
    """Nothing could be measured; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """What wrk saw: requests answered in so many seconds, latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    refused: int
    unanswered: int

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds


def wrk() -> str:
    """This will answer where wrk is.

    Raises:
        LoadError: it is not installed.
    """
    path = shutil.which("wrk")
    if path is None:
        raise LoadError("wrk is not installed. On Debian and Ubuntu: apt-get install wrk")
    return path


def over_http(
    kind: str,
    url: str,
    *,
    secret: str,
    cards: tuple[int, int],
    seconds: int,
    page: str = "",
    rewards: Sequence[str] = (),
) -> Sample:
    """This will call the service with 8 connections for so many seconds, each time with a random one of the cards, and
    of the rewards, or for a page."""
    options = {
        "--threads": THREADS,
        "--connections": CONNECTIONS,
        "--duration": f"{seconds}s",
        "--timeout": "10s",
        "--script": HERE / "load.lua",
    }
    arguments = [kind, *map(str, cards), str(THREADS)]
    result = subprocess.run(
        [wrk(), "--latency", *_words(options), url, "--", *arguments],
        env={**os.environ, "BENCH_SECRET": secret, "BENCH_PAGE": page, "BENCH_REWARDS": ",".join(rewards)},
        capture_output=True,
        check=False,
        text=True,
    )
    if result.returncode or not result.stdout:
        raise LoadError(f"wrk failed:\n{result.stdout}{result.stderr}")
    seen = json.loads(result.stdout.splitlines()[-1])
    if seen.pop("ran_out"):
        raise LoadError(f"all cards from {cards[0]} to {cards[1]} have paid: raise BENCH_ACCOUNTS")
    if not seen["requests"]:
        raise LoadError(f"no {kind} was answered in {seconds} s: the machine is too slow, or raise BENCH_SECONDS")
    return Sample(**{name: value / 1000 if name.startswith("p") else value for name, value in seen.items()})


def on_the_database(database: Database, *, accounts: int, seconds: int) -> float:
    """This will answer how many postings a second pgbench makes, each on a random account."""
    options = {
        "--client": CONNECTIONS,
        "--jobs": THREADS,
        "--time": seconds,
        "--protocol": "simple",
        "--define": f"accounts={accounts}",
        "--file": SQL / "posting.pgbench",
    }
    result = subprocess.run(
        [embedded.program("pgbench"), "--no-vacuum", *_words(options), database.owner_url],
        capture_output=True,
        check=False,
        text=True,
    )
    rate = re.search(r"^tps = ([0-9.]+)", result.stdout, re.MULTILINE)
    if result.returncode or rate is None:
        raise LoadError(f"pgbench failed:\n{result.stdout}{result.stderr}")
    return float(rate.group(1))


def _words(options: dict[str, object]) -> list[str]:
    return [str(word) for option in options.items() for word in option]
