"""What is sent and kept of somebody who is erased while events wait."""

import threading

from cards.models import Customer
from loyalty import ids
from tests.api.v1.client import Client, done
from tests.events.hooks import award, deliver, deliveries, hook
from tests.events.receivers import Handler, Seen, receiving


def test_sends_nothing_of_a_person_soon_after_the_erasure_was_answered(shop: Client, alice: Customer) -> None:
    name = ids.public("cus", alice.pk)
    erased_after: list[int] = []

    def slowly(handler: Handler, seen: Seen) -> int:
        threading.Event().wait(0.6)
        return 200

    with receiving(slowly) as receiver:
        hook(shop, receiver.url)
        for number in range(10):
            done(shop.patch(f"customers/{name}", {"name": f"Jane {number}"}))
        sending = threading.Thread(target=deliver)
        sending.start()
        while len(receiver.seen) < 2:
            threading.Event().wait(0.05)
        done(shop.delete(f"customers/{name}"), 204)
        erased_after.append(len(receiver.seen))
        sending.join()
        late = [seen for seen in receiver.seen[erased_after[0] :] if b"Jane" in seen.body]
    assert len(receiver.seen) >= 10
    # What was read within the last second, and is on its way.
    assert len(late) <= 3


def test_keeps_no_answer_that_comes_after_the_erasure(shop: Client, alice: Customer) -> None:
    name = ids.public("cus", alice.pk)
    asked, go_on = threading.Event(), threading.Event()

    def echo(handler: Handler, seen: Seen) -> int | None:
        asked.set()
        assert go_on.wait(5)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(seen.body)))
        handler.end_headers()
        handler.wfile.write(seen.body)
        return None

    with receiving(echo) as receiver:
        endpoint = hook(shop, receiver.url, events=["points.earned"])
        body = {"customer_id": name, "points": 100, "reason": "For Jane"}
        done(shop.post("points/award", body), 201)
        sending = threading.Thread(target=deliver)
        sending.start()
        assert asked.wait(20)
        done(shop.delete(f"customers/{name}"), 204)
        go_on.set()
        sending.join()
    assert b"For Jane" in receiver.seen[0].body
    [delivery] = deliveries(shop, endpoint)
    assert (delivery["status"], delivery["response_body"]) == ("delivered", "")


def test_keeps_the_answers_of_others(shop: Client, alice: Customer, bob: Customer) -> None:
    with receiving() as receiver:
        endpoint = hook(shop, receiver.url, events=["points.earned"])
        award(shop, alice)
        award(shop, bob)
        deliver()
        done(shop.delete(f"customers/{ids.public('cus', alice.pk)}"), 204)
        assert len(deliveries(shop, endpoint)) == 2
