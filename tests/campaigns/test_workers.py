"""Workers die, and work beside one another: everybody gets the points once."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.utils import timezone

from campaigns import campaigns
from campaigns.models import AwardCampaign, CampaignCustomer, CampaignShare
from loyalty.models import Program
from points.models import PointDefinition, PointTransaction
from tests.campaigns.shop import MARY, awards, fates, many, start, state, undo, work
from tests.clients.service import environment
from tests.points.threads import at_once, times
from tests.points.till import breaches

PATIENCE = 60
CUSTOMERS = 3_000
# Small batches, so that there is a middle.
_WORK = """
import django
django.setup()
from loyalty import pace
pace.MOST = 50
from campaigns import awarding, freezing, tasks
freezing.PAGE, awarding.BATCH_SECONDS = 700, 0.01
print("ready", flush=True)
input()
tasks._work()
"""


@contextlib.contextmanager
def working(*, is_told: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that begins at once, or when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WORK],
        cwd=settings.BASE_DIR,
        env=environment(8000) | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        if is_told:
            tell(process)
        yield process
    finally:
        process.kill()
        process.communicate()


def tell(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.005)


def test_leaves_nobody_out_and_awards_nobody_twice_though_workers_are_killed(
    program: Program, definition: PointDefinition, campaign: AwardCampaign
) -> None:
    many(program, CUSTOMERS)
    start(campaign)
    entries = PointTransaction.objects.filter(program=program)
    kills = 0
    for wanted in (
        # While they are written down, and twice while they are awarded.
        lambda: CampaignCustomer.objects.filter(campaign=campaign).exists(),
        lambda: entries.count() > 300,
        lambda: entries.count() > 1_000,
    ):
        with working() as worker:
            wait_for(wanted)
            worker.kill()
            worker.wait(PATIENCE)
            kills += 1
            assert state(campaign) == "running"
            assert entries.count() == fates(campaign).count("awarded") < CUSTOMERS
    with working() as worker:
        assert worker.wait(PATIENCE) == 0
    assert kills == 3
    assert state(campaign) == "done"
    assert fates(campaign) == ["awarded"] * CUSTOMERS
    assert awards(program) == [1] * CUSTOMERS
    positions = CampaignCustomer.objects.filter(campaign=campaign).order_by("customer_id")
    assert list(positions.values_list("position", flat=True)) == list(range(1, CUSTOMERS + 1))
    assert sum(CampaignShare.objects.filter(campaign=campaign).values_list("awarded", flat=True)) == CUSTOMERS
    assert breaches(program) == set()


def test_takes_back_from_everybody_once_though_a_worker_is_killed(
    program: Program, definition: PointDefinition, campaign: AwardCampaign
) -> None:
    many(program, 400)
    start(campaign)
    work()
    undo(campaign)
    reversals = PointTransaction.objects.filter(program=program, type="reverse")
    with working() as worker:
        wait_for(lambda: reversals.count() > 50)
        worker.kill()
        worker.wait(PATIENCE)
    assert 50 < reversals.count() == fates(campaign).count("undone") < 400
    with working() as worker:
        assert worker.wait(PATIENCE) == 0
    assert state(campaign) == "undone"
    assert reversals.count() == len(set(reversals.values_list("account_id", flat=True))) == 400
    assert breaches(program) == set()


def test_two_workers_share_the_work(program: Program, definition: PointDefinition, campaign: AwardCampaign) -> None:
    many(program, CUSTOMERS)
    start(campaign)
    # Both are there before either begins: one alone is soon done.
    with working(is_told=False) as one, working(is_told=False) as other:
        tell(one)
        tell(other)
        assert one.wait(PATIENCE) == other.wait(PATIENCE) == 0
    assert awards(program) == [1] * CUSTOMERS
    assert state(campaign) == "done"
    shares = CampaignShare.objects.filter(campaign=campaign).values_list("awarded", flat=True)
    assert sum(shares) == CUSTOMERS
    assert min(shares) > 0
    assert breaches(program) == set()


@pytest.mark.parametrize("deed", [campaigns.pause, campaigns.cancel])
def test_nothing_is_awarded_once_it_is_stopped_whoever_is_at_it(
    program: Program, definition: PointDefinition, campaign: AwardCampaign, deed: Callable[..., None]
) -> None:
    # So many that it is not over when this looks, however busy the machine is.
    many(program, 4 * CUSTOMERS)
    start(campaign)
    entries = PointTransaction.objects.filter(program=program)
    with working() as one, working() as other:
        wait_for(entries.exists)
        deed(campaign_id=campaign.pk, actor=MARY, at=timezone.now())
        stopped_at = entries.count()
        assert one.wait(PATIENCE) == other.wait(PATIENCE) == 0
    assert 0 < stopped_at < 4 * CUSTOMERS
    assert entries.count() == fates(campaign).count("awarded") == stopped_at


def test_is_started_once_by_two_at_once(program: Program, campaign: AwardCampaign) -> None:
    many(program, 2)
    answers = at_once(*times(2, lambda: start(AwardCampaign.objects.get(pk=campaign.pk))))
    assert sum(isinstance(answer, campaigns.NotNow) for answer in answers) == 1
    work()
    assert awards(program) == [1, 1]
