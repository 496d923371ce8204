"""Each event is sent, and those of a customer in their order."""

import threading
from typing import Any

import pytest
from django.db import connection, connections, transaction

from cards.models import Customer
from events import fan_out
from loyalty.models import Program
from tests.api.management.till import Till, data
from tests.api.v1.client import Client, done
from tests.events.hooks import award, deliver, deliver_for, deliveries, hook
from tests.events.receivers import Handler, Receiver, Seen, receiving
from tests.factories import CardFactory, CustomerFactory

PATIENCE = 20


def sequences(receiver: Receiver, customer: Customer) -> list[int]:
    mine = f"cus_{customer.pk.hex}"
    return [seen.told["sequence"] for seen in receiver.seen if seen.told["customer_id"] == mine]


def test_sends_each_event_once_and_in_order(shop: Client, alice: Customer, bob: Customer) -> None:
    with receiving() as receiver:
        hook(shop, receiver.url, events=["points.earned"])
        for _ in range(20):
            award(shop, alice)
            award(shop, bob)
        deliver()
        award(shop, alice)
        deliver()
        deliver()
    assert sequences(receiver, alice) == list(range(1, 22))
    assert sequences(receiver, bob) == list(range(1, 21))
    told = done(shop.get("events", limit=100, type="points.earned"))["data"]
    assert sorted(event["id"] for event in told) == sorted(seen.id for seen in receiver.seen)


def test_sends_what_happens_from_its_making_on(shop: Client, alice: Customer, program: Program) -> None:
    program.keeps_events = True
    program.save(update_fields=["keeps_events"])
    award(shop, alice, 1)
    with receiving() as receiver, Running() as running:
        # What was there is not sent, though a transaction that began before it still runs.
        award(shop, alice, 2)
        hook(shop, receiver.url)
        award(shop, alice, 4)
        running.end()
        deliver()
    assert [seen.told["data"]["points"] for seen in receiver.seen] == [4]


def test_sends_the_types_that_are_asked_for(shop: Client, alice: Customer) -> None:
    with receiving() as all_of_them, receiving() as one_type, receiving() as others:
        hook(shop, all_of_them.url)
        hook(shop, one_type.url, events=["points.adjusted"])
        changed = hook(shop, others.url, events=["points.redeemed", "points.expired"])
        award(shop, alice)
        adjusted = {"customer_id": f"cus_{alice.pk.hex}", "points": -10, "reason": "Counted again"}
        done(shop.post("points/adjust", adjusted), 201)
        deliver()
        done(shop.patch(f"webhook-endpoints/{changed['id']}", {"events": ["points.earned"]}))
        award(shop, alice)
        deliver()
    assert [seen.told["type"] for seen in all_of_them.seen] == ["points.earned", "points.adjusted", "points.earned"]
    assert [seen.told["type"] for seen in one_type.seen] == ["points.adjusted"]
    assert [seen.told["sequence"] for seen in others.seen] == [3]


class Running:
    """A transaction in another thread that has its number, does a work when it is told to, and ends."""

    def __init__(self, work: Any = None) -> None:
        self._work = work
        self._begun, self._go_on = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Running":
        self._thread.start()
        assert self._begun.wait(PATIENCE)
        return self

    def __exit__(self, *_: Any) -> None:
        self.end()

    def end(self) -> None:
        self._go_on.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_current_xact_id()")
                self._begun.set()
                self._go_on.wait(PATIENCE)
                if self._work:
                    self._work()
        finally:
            connections.close_all()


def test_sends_an_account_in_order_though_a_transaction_of_lower_number_came_second(
    shop: Client, alice: Customer, bob: Customer
) -> None:
    with receiving() as receiver:
        hook(shop, receiver.url)
        with Running(lambda: award(shop, alice, 2)) as second, Running() as between:
            award(shop, bob)
            award(shop, alice, 1)
            second.end()
            # What alice's second waits for is not settled, as long as the other one runs.
            deliver_for(1)
            assert sequences(receiver, alice) == []
            between.end()
        deliver()
    assert sequences(receiver, alice) == [1, 2]
    assert sequences(receiver, bob) == [1]


def test_looks_further_than_a_page_for_what_comes_first(
    shop: Client, alice: Customer, bob: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 3)
    with receiving() as receiver:
        hook(shop, receiver.url)

        def both() -> None:
            award(shop, alice, 2)
            award(shop, bob, 11)

        with Running(both) as second:
            for points in range(1, 11):
                award(shop, bob, points)
            award(shop, alice, 1)
            second.end()
        deliver()
    assert sequences(receiver, alice) == [1, 2]
    assert sequences(receiver, bob) == list(range(1, 12))


def test_holds_back_nobody_but_the_customer_whose_event_fails(shop: Client, alice: Customer, bob: Customer) -> None:
    def conduct(_: Handler, seen: Seen) -> int:
        return 500 if seen.told["customer_id"] == f"cus_{alice.pk.hex}" else 200

    with receiving(conduct) as receiver:
        endpoint = hook(shop, receiver.url)
        for _ in range(3):
            award(shop, alice)
            award(shop, bob)
        deliver()
        # Also what comes later waits.
        award(shop, alice)
        deliver()
        assert sequences(receiver, alice) == [1]
        assert sequences(receiver, bob) == [1, 2, 3]
        waiting = deliveries(shop, endpoint, status="pending") + deliveries(shop, endpoint, status="failed")
        assert len({one["next_attempt_at"] for one in waiting}) == 1
        assert len(waiting) == 4


def test_sends_to_several_programmes_what_is_theirs(shop: Client, alice: Customer, stranger: Client) -> None:
    other = CustomerFactory(program=stranger.program)
    with receiving() as ours, receiving() as theirs:
        hook(shop, ours.url)
        hook(stranger, theirs.url)
        award(shop, alice)
        award(stranger, other)
        deliver()
    assert [seen.told["customer_id"] for seen in ours.seen] == [f"cus_{alice.pk.hex}"]
    assert [seen.told["customer_id"] for seen in theirs.seen] == [f"cus_{other.pk.hex}"]


def test_sends_changes_of_a_card_in_the_order_in_which_they_were_made(
    shop: Client, program: Program, alice: Customer
) -> None:
    till = Till(program, CardFactory(customer=alice))
    with receiving() as receiver:
        hook(shop, receiver.url)

        def block() -> None:
            data(till.post(f"loyalty-cards/{till.card_id}/block", {"reason": "Stolen"}))

        block()
        with Running(block) as second:
            data(till.post(f"loyalty-cards/{till.card_id}/unblock", {"reason": "Found"}))
            second.end()
        deliver()
    assert [seen.told["type"] for seen in receiver.seen] == ["card.blocked", "card.unblocked", "card.blocked"]
