"""Deliveries in the admin: what was sent, what came of it, and sending it again."""

import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cards.models import Customer
from events import deliveries, endpoints, log
from events.admin import deliveries as listing
from events.models import TEST, Delivery, Event, WebhookEndpoint
from loyalty import ids
from loyalty.models import Program
from tests.admin import hooks, pages
from tests.admin.conftest import VIEWER, Browser, staff
from tests.events.receivers import Receiver, receiving
from tests.points.till import NOON, Till, days

HARM = "<script>alert(1)</script>"


class Conduct:
    """What the receiver does with what comes."""

    status = 200
    body = b"ok"

    def __call__(self, handler: Any, _: Any) -> None:
        handler.answer(self.status, self.body)


@pytest.fixture
def conduct() -> Conduct:
    return Conduct()


@pytest.fixture
def receiver(conduct: Conduct) -> Iterator[Receiver]:
    with receiving(conduct) as receiver:
        yield receiver


@pytest.fixture
def endpoint(program: Program, receiver: Receiver) -> WebhookEndpoint:
    return hooks.make(program, receiver.url)


@pytest.fixture
def delivery(endpoint: WebhookEndpoint, till: Till) -> Delivery:
    """Of an event that arrived."""
    till.award(100)
    hooks.deliver()
    return hooks.newest(endpoint)


@pytest.fixture
def refused(conduct: Conduct, endpoint: WebhookEndpoint, till: Till) -> Delivery:
    """Of an event that the receiver does not take."""
    conduct.status, conduct.body = 500, HARM.encode()
    till.award(100)
    hooks.deliver()
    return hooks.newest(endpoint)


def listed(browser: Browser, **asked: Any) -> list[Delivery]:
    """This will answer the deliveries that are listed, in their order."""
    answer = browser.get(pages.listing(Delivery), asked)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def texts(browser: Browser, delivery: Delivery) -> list[str]:
    """This will answer the texts on the page of a delivery: what is sent, and the answer."""
    page = browser.get(pages.of(delivery)).content.decode()
    return [html.unescape(text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)]


# The list


def test_tells_what_arrived(viewer: Browser, customer: Customer, endpoint: WebhookEndpoint, delivery: Delivery) -> None:
    answer = viewer.get(pages.listing(Delivery), {"endpoint": endpoint.pk})

    took = f"{delivery.milliseconds}\N{NO-BREAK SPACE}ms".split()
    told = ["Points earned Alice Adams", str(endpoint), "Delivered 1 200 OK", *took]
    assert f"{' '.join(told)} 2 Mar 2026, 14:00 EET – {delivery.event_id.hex[-8:]}" in pages.text(answer)  # noqa: RUF001
    page = answer.content.decode()
    for row in (delivery, customer, endpoint, Event.objects.get(pk=delivery.event_id)):
        assert pages.of(row) in page


def test_tells_what_failed_and_when_it_is_tried_again(
    viewer: Browser, endpoint: WebhookEndpoint, refused: Delivery
) -> None:
    Delivery.objects.filter(pk=refused.pk).update(next_attempt_at=days(1))

    page = pages.text(viewer.get(pages.listing(Delivery), {"endpoint": endpoint.pk}))

    assert f"{endpoint} Failed 1 500 Internal Server Error" in page
    assert "2 Mar 2026, 14:00 EET 3 Mar 2026, 14:00 EET" in page


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, "Now"),
        ({"probe_at": days(2)}, "4 Mar 2026, 14:00 EET"),
        ({"paused_at": NOON}, "When it is resumed"),
    ],
)
def test_says_what_the_next_attempt_waits_for(
    viewer: Browser, endpoint: WebhookEndpoint, till: Till, facts: dict[str, Any], told: str
) -> None:
    sent = deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**facts)

    page = pages.text(viewer.get(pages.of(sent)))

    assert "State Waiting" in page
    assert f"Next attempt {told} Delivered –" in page  # noqa: RUF001


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"status_code": 404, "fault": "status"}, "404 Not Found"),
        ({"status_code": 799, "fault": "status"}, "799"),
        ({"status_code": 302, "fault": "redirect"}, "302 Found: It redirected, which is not followed"),
        ({"status_code": None, "fault": "timeout"}, "It did not answer in time"),
        ({"status_code": 200, "fault": "timeout"}, "200 OK: It did not answer in time"),
    ],
)
def test_writes_answers_in_words(
    viewer: Browser, endpoint: WebhookEndpoint, delivery: Delivery, facts: dict[str, Any], told: str
) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(**{"delivered_at": None, "retries": 1, "attempts": 2} | facts)

    assert f"Failed 2 {told} {delivery.milliseconds}" in pages.text(viewer.get(pages.listing(Delivery)))


def test_lists_the_newest_first(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    sent = [deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON).pk for _ in range(3)]

    assert [row.pk for row in listed(viewer)][:3] == sent[::-1]
    assert [row.pk for row in listed(viewer, endpoint=str(endpoint.pk))] == sent[::-1]


def test_asks_the_database_as_often_however_long_the_list_is(
    viewer: Browser, endpoint: WebhookEndpoint, delivery: Delivery, till: Till
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            listed(viewer, endpoint=str(endpoint.pk))
        return len(queries)

    once = asked()
    for _ in range(5):
        till.award(1)
    hooks.deliver()
    assert len(listed(viewer, endpoint=str(endpoint.pk))) == 6
    assert asked() == once


# Filters and search


def test_filters(viewer: Browser, endpoint: WebhookEndpoint, conduct: Conduct, till: Till) -> None:
    till.award(100)
    hooks.deliver()
    conduct.status = 500
    till.redeem(10)
    hooks.deliver()
    deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)
    other = hooks.make(endpoint.program)
    deliveries.send_test(program=other.program, endpoint_id=other.pk, at=NOON)
    key = str(endpoint.pk)

    def types(**asked: Any) -> list[str]:
        return [row.event_type for row in listed(viewer, endpoint=key, **asked)]

    assert types() == [TEST, "points.redeemed", "points.earned"]
    assert types(state="delivered") == ["points.earned"]
    assert types(state="failed") == ["points.redeemed"]
    assert types(state="pending") == [TEST]
    assert types(type="points.earned") == ["points.earned"]
    assert types(type=TEST) == [TEST]
    assert types(type=TEST, state="failed") == []
    assert {row.endpoint_id for row in listed(viewer, state="pending")} == {endpoint.pk, other.pk}


def test_looks_for_a_type_among_the_newest(
    viewer: Browser, endpoint: WebhookEndpoint, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_THROUGH", 2)
    till.award(100)
    hooks.deliver()
    for asked in ({"endpoint": str(endpoint.pk)}, {}):
        deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)
        found = listed(viewer, type="points.earned", **asked)
        assert [row.endpoint_id for row in found] == ([endpoint.pk] if asked else [])
    assert listed(viewer, type="points.earned", endpoint=str(endpoint.pk)) == []
    # An index finds these among all.
    endpoint.deliveries.update(delivered_at=None, retries=1)
    assert len(listed(viewer, type="points.earned", endpoint=str(endpoint.pk), state="failed")) == 1


def test_lists_nothing_of_an_endpoint_that_was_deleted_meanwhile(
    viewer: Browser, endpoint: WebhookEndpoint, delivery: Delivery
) -> None:
    assert listed(viewer, endpoint=str(endpoint.pk)) == [delivery]

    endpoints.delete(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)

    assert listed(viewer, endpoint=str(endpoint.pk)) == []


@pytest.mark.parametrize(
    "asked", [{"endpoint": "nonsense"}, {"state": "nonsense"}, {"type": "nonsense"}, {"q": "a\0b"}, {"p": "99999"}]
)
def test_lists_no_fault_whatever_is_asked(viewer: Browser, delivery: Delivery, asked: dict[str, str]) -> None:
    assert viewer.get(pages.listing(Delivery), asked, follow=True).status_code == 200


def test_is_found_by_its_customer_its_event_and_its_id(
    viewer: Browser, customer: Customer, delivery: Delivery, till: Till
) -> None:
    till.award(1)
    hooks.deliver()
    later = hooks.newest(delivery.endpoint)
    deliveries.send_test(program=customer.program, endpoint_id=delivery.endpoint_id, at=NOON)

    for term in (customer.email, ids.public("cus", customer.pk)):
        assert listed(viewer, q=term) == [later, delivery], term
    for term in (ids.public("evt", delivery.event_id), f" {ids.public('dlv', delivery.pk)} "):
        assert listed(viewer, q=term) == [delivery], term
    assert listed(viewer, q="nobody@example.com") == []


# The page


def test_shows_what_is_sent_as_it_is_sent(viewer: Browser, receiver: Receiver, delivery: Delivery) -> None:
    [seen] = receiver.seen

    told, answer = texts(viewer, delivery)

    assert json.loads(told) == json.loads(seen.body)
    assert list(json.loads(told)) == list(json.loads(seen.body))
    assert '\n  "type": "points.earned",\n' in told
    assert answer == "ok"


def test_shows_a_test_as_it_is_sent(viewer: Browser, receiver: Receiver, endpoint: WebhookEndpoint) -> None:
    sent = deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)
    hooks.deliver()
    [seen] = receiver.seen

    assert json.loads(texts(viewer, sent)[0]) == json.loads(seen.body)
    assert "Type Test (webhook.test) Customer –" in pages.text(viewer.get(pages.of(sent)))  # noqa: RUF001


def test_tells_all_of_the_last_attempt(viewer: Browser, refused: Delivery) -> None:
    Delivery.objects.filter(pk=refused.pk).update(milliseconds=9876, next_attempt_at=days(1))

    page = pages.text(viewer.get(pages.of(refused)))

    assert "State Failed" in page
    assert f"Event id {ids.public('evt', refused.event_id)} Delivery id {ids.public('dlv', refused.pk)}" in page
    assert "Attempts 1 Last attempt 2 Mar 2026, 14:00 EET" in page
    assert "Status of the last answer 500 Internal Server Error Took 9.9 s" in page
    assert "Why it failed It answered with another status than 2xx Failing since 2 Mar 2026, 14:00 EET" in page
    assert "Next attempt 3 Mar 2026, 14:00 EET Delivered –" in page  # noqa: RUF001


def test_writes_an_answer_as_text(viewer: Browser, refused: Delivery) -> None:
    page = viewer.get(pages.of(refused)).content.decode()

    assert HARM not in page
    assert html.escape(HARM) in page
    assert texts(viewer, refused)[1] == HARM


def test_shows_no_answer_where_there_was_no_attempt(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    sent = deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)

    assert len(texts(viewer, sent)) == 1


def test_says_that_an_event_is_kept_no_more(manager: Browser, delivery: Delivery) -> None:
    log.purge(before=days(1))

    assert texts(manager, delivery)[0] == "The event is kept no more."
    assert "There is no such delivery." in pages.text(manager.post(pages.of(delivery, "redeliver")))


# Sending again


def test_delivers_again(manager: Browser, receiver: Receiver, delivery: Delivery) -> None:
    asked = pages.text(manager.get(pages.of(delivery, "redeliver")))
    assert "under the same id" in asked
    assert "Points earned (points.earned) Customer Alice Adams State Delivered Last answer 200 OK" in asked
    hooks.deliver()
    assert len(receiver.seen) == 1

    page = pages.text(manager.post(pages.of(delivery, "redeliver"), follow=True))

    assert "It is sent again now." in page
    assert "State Waiting" in page
    hooks.deliver()
    first, second = receiver.seen
    assert (second.id, second.told) == (first.id, first.told)
    assert "State Delivered" in pages.text(manager.get(pages.of(delivery)))
    assert Delivery.objects.get(pk=delivery.pk).attempts == 2


def test_delivers_what_failed_now(manager: Browser, conduct: Conduct, refused: Delivery) -> None:
    conduct.status = 200
    hooks.deliver()
    assert Delivery.objects.get(pk=refused.pk).delivered_at is None

    manager.post(pages.of(refused, "redeliver"))
    hooks.deliver()

    assert Delivery.objects.get(pk=refused.pk).delivered_at is not None


def _pause(endpoint: WebhookEndpoint) -> None:
    hooks.pause(endpoint)


def _delete(endpoint: WebhookEndpoint) -> None:
    endpoints.delete(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)


@pytest.mark.parametrize(
    ("happens", "complaint"),
    [(_pause, "The webhook endpoint is paused."), (_delete, "There is no such webhook endpoint.")],
)
def test_says_why_it_is_not_sent_again(
    manager: Browser, delivery: Delivery, happens: Callable[[WebhookEndpoint], None], complaint: str
) -> None:
    happens(delivery.endpoint)

    assert complaint in pages.text(manager.post(pages.of(delivery, "redeliver")))
    assert Delivery.objects.get(pk=delivery.pk).delivered_at is not None


def test_offers_it_to_whoever_may_and_where_it_can_be_done(
    viewer: Browser, manager: Browser, delivery: Delivery
) -> None:
    def is_offered(browser: Browser) -> bool:
        return pages.of(delivery, "redeliver") in browser.get(pages.of(delivery)).content.decode()

    assert is_offered(manager)
    assert not is_offered(viewer)
    _delete(delivery.endpoint)
    assert not is_offered(manager)


def test_does_nothing_for_somebody_who_may_not(viewer: Browser, delivery: Delivery) -> None:
    blind = staff("Bea", [*(name for name in VIEWER if name != "view_delivery"), "change_webhookendpoint"])
    for somebody in (viewer, blind):
        assert somebody.get(pages.of(delivery, "redeliver")).status_code == 403
        assert somebody.post(pages.of(delivery, "redeliver")).status_code == 403
    assert blind.get(pages.of(delivery)).status_code == 403
    assert Delivery.objects.get(pk=delivery.pk).delivered_at is not None


def test_is_gone_for_good_when_it_was_purged_meanwhile(manager: Browser, delivery: Delivery) -> None:
    deliveries.purge(before=days(1))

    assert "Perhaps it was deleted?" in pages.text(manager.get(pages.of(delivery), follow=True))
    assert manager.post(pages.of(delivery, "redeliver")).status_code == 404


def test_shows_neither_body_nor_answer_to_whoever_may_not_see_customers(refused: Delivery) -> None:
    page = pages.text(staff("Eve", ["view_event", "view_delivery"]).get(pages.of(refused)))
    assert "What is sent" not in page
    assert "How the last answer began" not in page
