"""Workers die, end and work beside one another: each event is sent, in order."""

import collections
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections

from cards.models import Customer
from points.models import PointAccount
from tests.api.v1.client import Client, done
from tests.events.hooks import award, deliveries, hook
from tests.events.receivers import Handler, Receiver, Seen, receiving
from tests.events.workers import LEASE_SECONDS, Worker, working
from tests.factories import CustomerFactory

KILLS = 20
PATIENCE = 90


@pytest.fixture
def customers(shop: Client) -> list[Customer]:
    return [CustomerFactory(program=shop.program) for _ in range(8)]


class Load:
    """Awards in a thread of its own, to one customer after the other, until it is told to end."""

    def __init__(self, shop: Client, customers: list[Customer], seconds_between: float = 0.02) -> None:
        self._shop, self._customers, self._between = shop, customers, seconds_between
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        try:
            while not self._over.wait(self._between):
                award(self._shop, self._customers[self.count % len(self._customers)], 1 + self.count % 7)
                self.count += 1
        finally:
            connections.close_all()


def wait_for(condition: object, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def first_seen(receiver: Receiver) -> Iterator[Seen]:
    """This will answer what a receiver keeps that drops what it knows by its id."""
    known = set()
    for seen in [*receiver.seen]:
        if seen.id not in known:
            known.add(seen.id)
            yield seen


def test_sends_every_event_in_order_though_workers_are_killed(
    shop: Client, customers: list[Customer], tmp_path: Path
) -> None:
    output = tmp_path / "output"

    def conduct(_: Handler, __: Seen) -> int:
        time.sleep(0.005)
        return 200

    with receiving(conduct) as receiver:
        endpoint = hook(shop, receiver.url, events=["points.earned"])
        with Load(shop, customers) as load, contextlib.ExitStack() as workers:
            worker = workers.enter_context(working(output))
            for _ in range(KILLS):
                # Another one is there and waits for the lease to end.
                next_worker = workers.enter_context(working(output))
                came = len(receiver.seen)
                # In the middle of its work.
                wait_for(lambda came=came: len(receiver.seen) >= came + 5)
                worker.kill()
                worker = next_worker
        began = time.monotonic()
        with working(output) as worker:
            wait_for(lambda: len({seen.id for seen in receiver.seen}) >= load.count)
            assert time.monotonic() - began < 15 + LEASE_SECONDS
            wait_for(lambda: not deliveries(shop, endpoint, status="pending"))
            assert worker.stop() == 0
    kept = list(first_seen(receiver))
    assert len(kept) == load.count > 100
    for customer in customers:
        mine = [seen.told for seen in kept if seen.told["customer_id"] == f"cus_{customer.pk.hex}"]
        assert [event["sequence"] for event in mine] == list(range(1, len(mine) + 1))
        told = done(shop.get(f"customers/cus_{customer.pk.hex}"))
        assert sum(event["data"]["points"] for event in mine) == told["points_balance"]
        assert sum(event["data"]["points"] for event in mine) == PointAccount.objects.get(customer=customer).balance
    # It is told twice, not each time.
    assert len(receiver.seen) < load.count + KILLS * 20
    assert "Traceback" not in output.read_text()


def test_sends_nothing_from_two_workers_at_once(shop: Client, customers: list[Customer], tmp_path: Path) -> None:
    under_way: collections.Counter[str] = collections.Counter()
    together: list[str] = []
    lock = threading.Lock()

    def conduct(_: Handler, seen: Seen) -> int:
        names = (seen.id, seen.told["customer_id"])
        with lock:
            together.extend(name for name in names if under_way[name])
            under_way.update(names)
        time.sleep(0.03)
        with lock:
            under_way.subtract(names)
        return 200

    with receiving(conduct) as receiver, receiving() as other:
        hook(shop, receiver.url, events=["points.earned"])
        hook(shop, other.url, events=["points.earned"])
        with working(tmp_path / "one"), working(tmp_path / "two"):
            with Load(shop, customers) as load:
                time.sleep(10)
            wait_for(lambda: len(receiver.seen) >= load.count and len(other.seen) >= load.count)
            time.sleep(1)
    assert together == []
    for each in (receiver, other):
        assert len(each.seen) == len({seen.id for seen in each.seen}) == load.count > 100


def test_ends_soon_when_it_is_told_to(shop: Client, customers: list[Customer], tmp_path: Path) -> None:
    with receiving(lambda *_: time.sleep(20)) as hanging, receiving() as quick:
        hook(shop, hanging.url)
        hook(shop, quick.url)
        worker = Worker(tmp_path / "output")
        award(shop, customers[0])
        wait_for(lambda: hanging.seen and quick.seen)
        began = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - began < 5
        # What it had is free at once.
        with working(tmp_path / "other"):
            award(shop, customers[1])
            came = len(quick.seen)
            wait_for(lambda: len(quick.seen) > came, 5)
        assert "Traceback" not in (tmp_path / "output").read_text()
