"""Workers are killed, stopped and at work beside one another: each row is brought in once."""

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from exchange import imports, running
from exchange.models import Import, ImportFault
from points.models import PointTransaction
from tests.exchange.processes import LEASE_SECONDS, Worker
from tests.exchange.shop import Shop, counts
from tests.factories import CustomerFactory
from tests.points.threads import at_once, times

CUSTOMERS, ROWS = 50, 1_500
PATIENCE = 120
KILLS = 3


@pytest.fixture
def upload(shop: Shop) -> Import:
    """A file of balances that is to be imported, with a fault in every hundredth row."""
    for number in range(CUSTOMERS):
        CustomerFactory(program=shop.program, external_id=f"c{number}")
    rows = [f"c{n % CUSTOMERS},{'x' if n % 100 == 99 else 1 + n % 7}" for n in range(ROWS)]
    upload = shop.check("opening_balances", "\n".join(["external_id,points", *rows]))
    imports.confirm(upload=upload, by="staff:mary", at=timezone.now())
    return upload


def expected() -> dict[str | None, int]:
    """This will answer the balances, worked out in plain Python."""
    balances: dict[str | None, int] = {}
    for n in range(ROWS):
        if n % 100 != 99:
            balances[f"c{n % CUSTOMERS}"] = balances.get(f"c{n % CUSTOMERS}", 0) + 1 + n % 7
    return balances


def wait_for(condition: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up_at, "it does not come"
        time.sleep(0.005)


def place(upload: Import) -> int:
    return Import.objects.values_list("place", flat=True).get(pk=upload.pk)


def test_neither_loses_nor_doubles_a_row_when_it_is_killed(shop: Shop, upload: Import, tmp_path: Path) -> None:
    came = 0
    for _ in range(KILLS):
        worker = Worker(tmp_path / "output")
        wait_for(lambda came=came: place(upload) > came)
        worker.kill()
        came = place(upload)
        assert 0 < came < ROWS
        # Until then it is the one that was killed that has it.
        time.sleep(LEASE_SECONDS)
    assert Worker(tmp_path / "output").wait() == 0

    upload.refresh_from_db()
    assert (upload.state, upload.place) == ("done", ROWS)
    assert counts(upload) == (ROWS - ROWS // 100, 0, 0, ROWS // 100)
    assert ImportFault.objects.filter(of=upload, in_run=True).count() == ROWS // 100
    assert shop.balances() == expected()
    assert PointTransaction.objects.filter(program=shop.program).count() == ROWS - ROWS // 100
    assert "Traceback" not in (tmp_path / "output").read_text()


def test_ends_between_two_batches_when_it_is_told_to(shop: Shop, upload: Import, tmp_path: Path) -> None:
    worker = Worker(tmp_path / "output")
    wait_for(lambda: place(upload))
    worker.process.terminate()
    assert worker.wait() == 0
    assert 0 < place(upload) < ROWS

    # It has let go of it.
    assert Worker(tmp_path / "output").wait() == 0
    assert shop.balances() == expected()


def test_brings_in_nothing_twice_where_several_take_it_for_theirs(shop: Shop, upload: Import) -> None:
    run = uuid.uuid4()
    Import.objects.filter(pk=upload.pk).update(claimed_by=run, claimed_until=running.lease())

    def work() -> None:
        mine = Import.objects.select_related("program", "definition").get(pk=upload.pk)
        running.carry_on(mine, run=run, stop=threading.Event())

    at_once(*times(3, work))
    upload = shop.work(upload)

    assert (upload.state, upload.place) == ("done", ROWS)
    assert counts(upload) == (ROWS - ROWS // 100, 0, 0, ROWS // 100)
    assert ImportFault.objects.filter(of=upload, in_run=True).count() == ROWS // 100
    assert shop.balances() == expected()


def test_makes_a_reward_once_that_two_files_bring_at_once(shop: Shop) -> None:
    names = [f"Coffee {number}" for number in range(100)]
    content = "\n".join(["name,points_cost", *(f"{name},200" for name in names)])
    uploads = [shop.check("rewards", content, name=name) for name in ("old.csv", "new.csv")]
    for upload in uploads:
        imports.confirm(upload=upload, by="staff:mary", at=timezone.now())

    at_once(*times(2, lambda: running.work(stop=threading.Event())))

    assert sorted(shop.program.rewards.values_list("name", flat=True)) == sorted(names)
    done = sorted(counts(Import.objects.get(pk=upload.pk)) for upload in uploads)
    assert done == [(0, 0, 100, 0), (100, 0, 0, 0)]


def test_ends_between_two_batches_when_it_is_cancelled(shop: Shop, upload: Import, tmp_path: Path) -> None:
    worker = Worker(tmp_path / "output")
    wait_for(lambda: place(upload))
    imports.cancel(upload=upload, by="staff:mary", at=timezone.now())
    assert worker.wait() == 0

    upload.refresh_from_db()
    assert upload.state == "cancelled"
    assert 0 < upload.place < ROWS
    entries = PointTransaction.objects.filter(program=shop.program).count()
    assert entries == upload.added_count == sum(counts(upload)) - upload.faulty_count


def test_gives_up_what_no_run_gets_on_with(shop: Shop, upload: Import) -> None:
    Import.objects.filter(pk=upload.pk).update(fruitless=running.MOST_FRUITLESS)

    upload = shop.work(upload)

    assert upload.state == "failed"
    assert upload.failure.startswith("It was tried several times")
    assert shop.balances() == {}
