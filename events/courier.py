"""Sending to many endpoints at the same time from one process, to each a few events at once and each customer's in
their order. A receiver that is slow or dead keeps nobody waiting but those who come after it in its own lane.

Requests run on an event loop; what has to do with the database runs in a few threads beside it.
"""

import asyncio
import dataclasses
import functools
import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django.utils import timezone

from events import claims, rounds
from events.sending import SECONDS, Outcome, Parcel, Post, Target

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

# Endpoints that a worker sends to at the same time, and requests that are under way to one of them: together fewer than
# the files that a process may usually have open.
MOST_ENDPOINTS = 100
AT_ONCE = 8
# Deliveries of an endpoint that are held in memory.
AHEAD = 50
LOOK_SECONDS = 0.5
RENEW_SECONDS = 2
# What is answered within this time is written down together.
GATHER_SECONDS = 0.02
# How long requests that are under way may take when it is to stop; the rest is sent again later.
GRACE_SECONDS = 2
_SOON_SECONDS = 0.1
# What was read longer ago is read again before it is sent: its customer may have been erased since.
FRESH_SECONDS = 1
_DATABASE_THREADS = 4
_AWAY = (OperationalError, InterfaceError)


class Stop:
    """Tells the sending to end, from whatever thread or signal handler."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        """This will end the sending soon."""
        self.is_set = True


@dataclasses.dataclass(slots=True)
class Tally:
    """How many attempts were made, and how many of them failed."""

    attempts: int = 0
    failed: int = 0


def deliver(*, writers: rounds.Writers, seconds: float, stop: Stop | None = None, until_idle: bool = False) -> Tally:
    """This will send events to endpoints for so many seconds, or until there is nothing to send; requests that are
    under way then get a moment to end."""
    office = _Office(writers, stop or Stop())
    asyncio.run(office.work(seconds, until_idle=until_idle))
    return office.tally


class _Office:
    """The endpoints that this worker has, and its threads for the database."""

    def __init__(self, writers: rounds.Writers, stop: Stop) -> None:
        self.worker = uuid.uuid4()
        self.writers = writers
        self.stop = stop
        self.is_ending = False
        self.tally = Tally()
        self.couriers: dict[uuid.UUID, asyncio.Task[None]] = {}
        self.leases: dict[uuid.UUID, float] = {}
        self.threads = ThreadPoolExecutor(_DATABASE_THREADS, "deliveries")

    async def work(self, seconds: float, *, until_idle: bool) -> None:
        """This will look for endpoints that have something to send until the time is up."""
        end = time.monotonic() + seconds
        renewing = asyncio.create_task(self._keep_leases())
        try:
            while not self.is_ending:
                await self._look()
                if until_idle and not self.couriers:
                    break
                await self._pause(min(LOOK_SECONDS, end - time.monotonic()))
                self._bury()
                self.is_ending = self.stop.is_set or time.monotonic() >= end
            await self._finish()
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            self._close_threads()

    async def in_database(self, work: Callable[[], Result]) -> Result:
        """This will do work in a thread that has a connection to the database."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, _connected, work)

    async def release(self, endpoint_id: uuid.UUID) -> None:
        """This will let other workers have an endpoint."""
        await self.in_database(lambda: claims.release(worker=self.worker, endpoint_ids=[endpoint_id]))

    def holds(self, endpoint_id: uuid.UUID, seconds: float) -> bool:
        """This will tell whether no other worker can get an endpoint within so many seconds."""
        return self.leases.get(endpoint_id, 0) - time.monotonic() > seconds

    async def _look(self) -> None:
        room = MOST_ENDPOINTS - len(self.couriers)
        if room <= 0:
            return
        asked, at = time.monotonic(), timezone.now()
        try:
            claimed = await self.in_database(lambda: claims.claim(worker=self.worker, most=room, at=at))
        except _AWAY as failure:
            logger.warning("Deliveries wait for the database: %s", failure)
            return
        for endpoint_id in claimed:
            self.leases[endpoint_id] = asked + claims.LEASE_SECONDS
            self.couriers[endpoint_id] = asyncio.create_task(_Courier(self, endpoint_id).serve())

    async def _pause(self, seconds: float) -> None:
        # A courier that is through makes room, and a signal should not wait.
        end = time.monotonic() + seconds
        while not self.stop.is_set and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _SOON_SECONDS))

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            mine = [*self.couriers]
            asked = time.monotonic()
            try:
                kept, lost = await self.in_database(
                    functools.partial(claims.renew, worker=self.worker, endpoint_ids=mine)
                )
            except _AWAY as failure:
                logger.warning("Leases of endpoints wait for the database: %s", failure)
                continue
            for endpoint_id in self.couriers:
                if endpoint_id in kept:
                    self.leases[endpoint_id] = asked + claims.LEASE_SECONDS
                elif endpoint_id in lost:
                    self.leases[endpoint_id] = 0

    def _bury(self) -> None:
        for endpoint_id, courier in [*self.couriers.items()]:
            if not courier.done():
                continue
            del self.couriers[endpoint_id], self.leases[endpoint_id]
            if not courier.cancelled() and (failure := courier.exception()):
                # Its lease ends by itself, which keeps it from failing without a pause.
                logger.error("Sending to the endpoint %s failed", endpoint_id, exc_info=failure)

    async def _finish(self) -> None:
        mine = [*self.couriers]
        if not mine:
            return
        _, slow = await asyncio.wait(self.couriers.values(), timeout=GRACE_SECONDS)
        for courier in slow:
            courier.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        self._bury()
        try:
            await self.in_database(lambda: claims.release(worker=self.worker, endpoint_ids=mine))
        except _AWAY as failure:
            logger.warning("Endpoints could not be let go: %s", failure)

    def _close_threads(self) -> None:
        together = threading.Barrier(_DATABASE_THREADS)

        def close() -> None:
            together.wait()
            connections.close_all()

        for _ in range(_DATABASE_THREADS):
            self.threads.submit(close)
        self.threads.shutdown()


def _connected(work: Callable[[], Result]) -> Result:
    try:
        return work()
    finally:
        close_old_connections()


class _Courier:
    """Sends to one endpoint until there is nothing to send."""

    def __init__(self, office: _Office, endpoint_id: uuid.UUID) -> None:
        self.office = office
        self.endpoint_id = endpoint_id
        self.lanes: dict[uuid.UUID, asyncio.Task[None]] = {}
        self.attempted: dict[Parcel, Outcome] = {}
        self.failures = 0
        self.held = 0
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.post = Post(at_once=AT_ONCE)
        self.target: Target | None = None
        self.news = asyncio.Event()
        self.is_over = False

    async def serve(self) -> None:
        """This will send what there is, and then let the endpoint go."""
        try:
            while await self._round():
                await self._gather()
            await self.office.release(self.endpoint_id)
        except _AWAY as failure:
            # Its lease ends by itself, and what was not written down is sent again.
            logger.warning("Deliveries to the endpoint %s wait for the database: %s", self.endpoint_id, failure)
        finally:
            await self._end()

    async def _round(self) -> bool:
        attempted, self.attempted = self.attempted, {}
        self.news.clear()
        # A lane is busy until what came of it is written down: before that the database would give it out again.
        for task in self.lanes.values():
            if task.done():
                # What failed in here would be sent again and again.
                task.result()
        self.lanes = {lane: task for lane, task in self.lanes.items() if not task.done()}
        busy, at, asked = [*self.lanes], timezone.now(), time.monotonic()
        room = 0 if self.office.is_ending or self.is_over else AHEAD - self.held
        found = await self.office.in_database(
            lambda: rounds.next_round(
                endpoint_id=self.endpoint_id,
                worker=self.office.worker,
                attempted=attempted,
                busy=busy,
                room=room,
                writers=self.office.writers,
                at=at,
            )
        )
        if found is None:
            self.is_over = True
        else:
            self.target, self.failures = found.target, found.failures
            for parcel, outcome in self.attempted.items():
                self._count(parcel, outcome)
            self._start(found.parcels, fresh_until=asked + FRESH_SECONDS)
        return bool(self.lanes or self.attempted)

    def _start(self, parcels: list[Parcel], *, fresh_until: float) -> None:
        lanes: dict[uuid.UUID, list[Parcel]] = {}
        for parcel in parcels:
            lanes.setdefault(parcel.lane, []).append(parcel)
        for lane, own in lanes.items():
            self.held += len(own)
            self.lanes[lane] = asyncio.create_task(self._send_in_order(own, fresh_until))

    async def _send_in_order(self, parcels: list[Parcel], fresh_until: float) -> None:
        try:
            for parcel in parcels:
                async with self.slots:
                    if time.monotonic() > fresh_until or not await self._may_send():
                        return
                    assert self.target is not None
                    outcome = await self.post.send(parcel, self.target, at=timezone.now())
                self.attempted[parcel] = outcome
                self.office.tally.attempts += 1
                self.office.tally.failed += outcome.fault is not None
                self._count(parcel, outcome)
                self.news.set()
                if outcome.fault:
                    return
        finally:
            self.held -= len(parcels)
            self.news.set()

    def _count(self, parcel: Parcel, outcome: Outcome) -> None:
        self.failures = self.failures + (parcel.retries == 0) if outcome.fault else 0

    async def _may_send(self) -> bool:
        # An attempt has to be over before another worker can have the endpoint.
        while self.office.holds(self.endpoint_id, 0) and not self.office.holds(self.endpoint_id, SECONDS + 1):
            await asyncio.sleep(_SOON_SECONDS)
        self.is_over = self.is_over or not self.office.holds(self.endpoint_id, 0)
        if self.is_over or self.office.is_ending:
            return False
        return self.failures < rounds.DOWN_AFTER or len(self.lanes) == 1

    async def _gather(self) -> None:
        """This will wait until there is something to write down, or it is time to look for new events."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self.news.wait()
        except TimeoutError:
            return
        if any(not task.done() for task in self.lanes.values()):
            await asyncio.sleep(GATHER_SECONDS)

    async def _end(self) -> None:
        for task in self.lanes.values():
            task.cancel()
        await asyncio.gather(*self.lanes.values(), return_exceptions=True)
        await self.post.close()
