"""What fails is tried again, for three days; then the endpoint is paused."""

import datetime
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from cards.models import Customer
from events import backoff, rounds
from loyalty.models import Program
from tests.api.v1.client import Client, done, refused
from tests.events.hooks import award, deliver, deliveries, hook, row
from tests.events.receivers import Handler, Seen, receiving
from tests.factories import CustomerFactory

MINUTE, HOUR = 60, 3600
SCHEDULE = (5, 30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, 6 * HOUR, 6 * HOUR)
DAY = datetime.timedelta(days=1)


def seconds_to_next(delivery: dict[str, Any]) -> float:
    return (moment(delivery["next_attempt_at"]) - moment(delivery["attempted_at"])).total_seconds()


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def fail_for_days(shop: Client, endpoint: dict[str, Any]) -> None:
    """This will let the time pass until the endpoint is given up."""
    for _ in range(40):
        if not done(shop.get(f"webhook-endpoints/{endpoint['id']}"))["active"]:
            return
        [delivery] = deliveries(shop, endpoint)
        with time_machine.travel(moment(delivery["next_attempt_at"]) + datetime.timedelta(seconds=1)):
            deliver()
    raise AssertionError("it is not given up")


def test_tries_again_by_the_schedule_under_the_same_id(shop: Client, alice: Customer) -> None:
    with receiving(500) as receiver:
        endpoint = hook(shop, receiver.url)
        award(shop, alice)
        deliver()
        for number, step in enumerate(SCHEDULE, start=1):
            [delivery] = deliveries(shop, endpoint)
            assert (delivery["status"], delivery["attempts"], len(receiver.seen)) == ("failed", number, number)
            assert 0.9 * step <= seconds_to_next(delivery) <= 1.1 * step
            due = moment(delivery["next_attempt_at"])
            with time_machine.travel(due - datetime.timedelta(seconds=1), tick=False):
                deliver()
                assert len(receiver.seen) == number
            with time_machine.travel(due, tick=False):
                deliver()
    assert len({seen.id for seen in receiver.seen}) == 1
    assert len({seen.body for seen in receiver.seen}) == 1
    # Each attempt is signed anew.
    stamps = [int(seen.headers["webhook-timestamp"]) for seen in receiver.seen]
    assert stamps == sorted(set(stamps))


def test_does_not_bring_together_what_failed_together() -> None:
    now = timezone.now()
    moments = {backoff.next_attempt_at(retries=3, failing_since=now, now=now) for _ in range(20)}
    assert len(moments) > 10


def test_pauses_an_endpoint_that_fails_for_three_days_and_goes_on_where_it_stopped(
    shop: Client, alice: Customer, bob: Customer
) -> None:
    statuses = [500]
    with receiving(lambda *_: statuses[0]) as receiver:
        endpoint = hook(shop, receiver.url)
        path = f"webhook-endpoints/{endpoint['id']}"
        award(shop, alice)
        start = timezone.now()
        deliver()
        fail_for_days(shop, endpoint)
        told = done(shop.get(path))
        assert (told["active"], told["paused_reason"]) == (False, "failing")
        assert 3 * DAY <= moment(told["paused_at"]) - start < 3 * DAY + datetime.timedelta(minutes=1)
        tries = len(receiver.seen)
        assert 16 <= tries <= 20
        # Nothing more is sent, whatever happens.
        award(shop, alice)
        award(shop, bob)
        with time_machine.travel(timezone.now() + 4 * DAY):
            deliver()
            assert len(receiver.seen) == tries
            delivery = deliveries(shop, endpoint)[0]
            refused(shop.post(f"{path}/deliveries/{delivery['id']}/redeliver"), 409, "webhook_endpoint_paused")
            refused(shop.post(f"{path}/test"), 409, "webhook_endpoint_paused")
            statuses[0] = 200
            told = done(shop.patch(path, {"active": True}))
            assert (told["active"], told["paused_at"], told["paused_reason"]) == (True, None, None)
            deliver()
    late = [seen.told for seen in receiver.seen[tries:]]
    assert [event["sequence"] for event in late if event["customer_id"] == f"cus_{alice.pk.hex}"] == [1, 2]
    assert [event["sequence"] for event in late if event["customer_id"] == f"cus_{bob.pk.hex}"] == [1]
    assert {one["status"] for one in deliveries(shop, endpoint)} == {"delivered"}


def test_starts_the_schedule_anew_where_it_is_resumed(shop: Client, alice: Customer) -> None:
    with receiving(500) as receiver:
        endpoint = hook(shop, receiver.url)
        award(shop, alice)
        deliver()
        fail_for_days(shop, endpoint)
        with time_machine.travel(timezone.now() + 4 * DAY):
            done(shop.patch(f"webhook-endpoints/{endpoint['id']}", {"active": True}))
            deliver()
            [delivery] = deliveries(shop, endpoint)
            assert 4.5 <= seconds_to_next(delivery) <= 5.5


def test_is_paused_where_somebody_asks(shop: Client, alice: Customer) -> None:
    with receiving() as receiver:
        endpoint = hook(shop, receiver.url)
        path = f"webhook-endpoints/{endpoint['id']}"
        told = done(shop.patch(path, {"active": False}))
        assert (told["active"], told["paused_reason"]) == (False, "asked")
        assert done(shop.patch(path, {"active": False})) == told
        award(shop, alice)
        deliver()
        assert not receiver.seen
        done(shop.patch(path, {"active": True}))
        deliver()
        assert len(receiver.seen) == 1


def test_tries_a_dead_endpoint_with_one_at_a_time(shop: Client) -> None:
    customers = [CustomerFactory(program=shop.program) for _ in range(12)]
    alive: list[bool] = []

    def conduct(_: Handler, __: Seen) -> int:
        return 200 if alive else 503

    with receiving(conduct) as receiver:
        endpoint = hook(shop, receiver.url, events=["points.earned"])
        for customer in customers:
            award(shop, customer)
        deliver()
        # As many as were under way when it became clear.
        first = len(receiver.seen)
        assert rounds.DOWN_AFTER <= first <= 2 * 8
        start = timezone.now()
        for count in range(1, 5):
            for customer in customers:
                award(shop, customer)
            due = row(endpoint).probe_at
            assert due is not None
            with time_machine.travel(due):
                deliver()
            assert len(receiver.seen) == first + count
        assert due - start > datetime.timedelta(minutes=2)
        alive.append(True)
        due = row(endpoint).probe_at
        assert due is not None
        with time_machine.travel(due):
            deliver()
    taken = receiver.seen[first + 4 :]
    assert len(taken) == 12 * 5
    for customer in customers:
        mine = [seen.told["sequence"] for seen in taken if seen.told["customer_id"] == f"cus_{customer.pk.hex}"]
        assert mine == [1, 2, 3, 4, 5]


def test_is_not_held_for_dead_by_one_customer_whose_events_fail(shop: Client, alice: Customer, bob: Customer) -> None:
    def conduct(_: Handler, seen: Seen) -> int:
        return 400 if seen.told["customer_id"] == f"cus_{alice.pk.hex}" else 200

    with receiving(conduct) as receiver:
        endpoint = hook(shop, receiver.url)
        award(shop, alice)
        deliver()
        for _ in range(rounds.DOWN_AFTER + 1):
            due = moment(deliveries(shop, endpoint)[0]["next_attempt_at"])
            with time_machine.travel(due):
                deliver()
        assert row(endpoint).failures == 1
        award(shop, bob)
        deliver()
        assert receiver.seen[-1].told["customer_id"] == f"cus_{bob.pk.hex}"


@pytest.mark.parametrize("status", [200, 202, 299])
def test_takes_every_2xx_for_taken(shop: Client, alice: Customer, status: int) -> None:
    with receiving(status) as receiver:
        endpoint = hook(shop, receiver.url)
        award(shop, alice)
        deliver()
        [delivery] = deliveries(shop, endpoint)
    assert (delivery["status"], delivery["response_status"], len(receiver.seen)) == ("delivered", status, 1)


def test_is_not_taken_for_dead_because_tests_fail(shop: Client, alice: Customer) -> None:
    statuses = [500]
    with receiving(lambda *_: statuses[0]) as receiver:
        endpoint = hook(shop, receiver.url)
        for _ in range(rounds.DOWN_AFTER + 1):
            done(shop.post(f"webhook-endpoints/{endpoint['id']}/test"), 201)
            deliver()
        statuses[0] = 200
        award(shop, alice)
        deliver()
        assert receiver.seen[-1].told["type"] == "points.earned"


@pytest.mark.parametrize("mend", ["url", "secret", "active"])
def test_tries_at_once_what_may_be_mended(shop: Client, program: Program, mend: str) -> None:
    customers = [CustomerFactory(program=program) for _ in range(rounds.DOWN_AFTER)]
    statuses = [500]
    with receiving(lambda *_: statuses[0]) as receiver:
        endpoint = hook(shop, receiver.url)
        path = f"webhook-endpoints/{endpoint['id']}"
        for customer in customers:
            award(shop, customer)
        deliver()
        assert row(endpoint).failures >= rounds.DOWN_AFTER
        statuses[0] = 200
        if mend == "secret":
            done(shop.post(f"{path}/rotate-secret"))
        else:
            done(shop.patch(path, {"url": receiver.url} if mend == "url" else {"active": True}))
        deliver()
    arrived = {seen.told["customer_id"] for seen in receiver.seen[-len(customers) :]}
    assert len(arrived) == len(customers)
