"""An award campaign for all customers: postings a second, memory, and what tills are served meanwhile.

As a program of its own it starts one, or is a worker, on DATABASE_URL: `python -m benchmarks.award_campaign start`.
"""

import contextlib
import dataclasses
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import django

from benchmarks import load, web
from benchmarks.load import LoadError, Sample
from benchmarks.stage import PLAIN, Stage

WORKERS = 2
SECONDS = 36_000
POINTS = 5
LOOK_SECONDS = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one campaign did; memory in MiB, of its largest worker."""

    customers: int
    seconds: float
    memory: float
    before: list[Sample]
    meanwhile: list[Sample]

    @property
    def rate(self) -> float:
        """Customers awarded a second, from the start to the end."""
        return self.customers / self.seconds

    @property
    def served(self) -> float:
        """What tills are served meanwhile, of what they were before."""
        rates = [statistics.median(sample.rate for sample in samples) for samples in (self.meanwhile, self.before)]
        return rates[0] / rates[1]


def run(stage: Stage, *, data_dir: Path, say: Callable[[str], None]) -> tuple[Result, Result]:
    """This will award points to all customers twice: while nobody else posts, and while tills do.

    Raises:
        LoadError: a worker failed, or not everybody was awarded.
    """
    database = stage.campaign
    with web.serving(database, port=stage.options.port, log=data_dir / f"{database.name}.log") as service:

        def award(seconds: int) -> Sample:
            url = f"{service.url}/api/points/award"
            return load.over_http("award", url, secret=stage.secret, cards=stage.cards, seconds=seconds)

        award(1)
        say(f"Awarding points to {stage.options.accounts:,} customers")
        alone = _measure(stage, data_dir, meanwhile=None, before=[])
        say("The same again, while tills award points")
        before = [award(stage.options.seconds) for _ in range(3)]
        return alone, _measure(stage, data_dir, meanwhile=lambda: award(stage.options.seconds), before=before)


def _measure(stage: Stage, data_dir: Path, *, meanwhile: Callable[[], Sample] | None, before: list[Sample]) -> Result:
    database, samples = stage.campaign, []
    awarded = database.run(_AWARDED)[0][0]
    environment = {**os.environ, "DATABASE_URL": database.runtime_url, "DATABASE_OWNER_URL": database.owner_url}
    with (data_dir / "campaign.log").open("ab") as log:

        def process(deed: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "benchmarks.award_campaign", deed]
            return subprocess.Popen(command, cwd=web.ROOT, env=environment, stdout=log, stderr=log)

        if process("start").wait():
            raise LoadError((data_dir / "campaign.log").read_text(errors="replace")[-2000:])
        watch = _Watch([process("work") for _ in range(WORKERS)])
    with watch:
        while meanwhile is not None and watch.is_alive():
            samples.append(meanwhile())
    if any(worker.returncode for worker in watch.workers):
        raise LoadError((data_dir / "campaign.log").read_text(errors="replace")[-2000:])
    customers = database.run(_AWARDED)[0][0] - awarded
    if customers != stage.options.accounts:
        raise LoadError(f"the campaign awarded {customers:,} of {stage.options.accounts:,} customers")
    # The last one went on after the end.
    return Result(
        customers=customers,
        seconds=watch.seconds,
        memory=watch.memory / web.MEBIBYTE,
        before=before,
        meanwhile=samples[:-1] or samples,
    )


class _Watch(threading.Thread):
    """Waits for the workers, and notes how long they took and the most memory that one of them had."""

    def __init__(self, workers: list[subprocess.Popen[bytes]]) -> None:
        super().__init__()
        self.workers, self.seconds, self.memory = workers, 0.0, 0.0

    def __enter__(self) -> None:
        self.began = time.monotonic()
        self.start()

    def __exit__(self, failure: object, *_: object) -> None:
        if failure is not None:
            for worker in self.workers:
                worker.terminate()
        self.join()

    def run(self) -> None:
        while any(worker.poll() is None for worker in self.workers):
            for worker in self.workers:
                with contextlib.suppress(OSError, StopIteration):
                    self.memory = max(self.memory, web.kibibytes(f"/proc/{worker.pid}/status", "VmHWM:"))
            time.sleep(LOOK_SECONDS)
        self.seconds = time.monotonic() - self.began


def _start() -> None:
    from django.utils import timezone

    from campaigns import campaigns
    from campaigns.models import AwardCampaign, Segment
    from loyalty import ids
    from points.models import PointDefinition

    now, name = timezone.now(), str(ids.new_id())
    definition = PointDefinition.objects.select_related("program").get(program__slug=PLAIN)
    segment = Segment.objects.create(program=definition.program, name=name, changed_by="benchmark", changed_at=now)
    campaign = AwardCampaign.objects.create(
        program=definition.program, name=name, reason="A gift", definition=definition, points=POINTS, segment=segment
    )
    campaigns.start(campaign_id=campaign.pk, segment_version=segment.version, actor="benchmark", at=now)


def _work() -> None:
    from campaigns import awarding

    awarding.work(seconds=SECONDS, stop=threading.Event())


_AWARDED = "SELECT count(*) FROM campaigns_campaigncustomer WHERE state = 'awarded'"

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    {"start": _start, "work": _work}[sys.argv[1]]()
