"""Webhook endpoints in the admin: made with a secret that is shown once, looked after, and deleted."""

import datetime
import html
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events import deliveries, endpoints
from events.models import TEST, Delivery, Fault, WebhookEndpoint
from loyalty import ids
from loyalty.models import Program
from tests.admin import hooks, pages
from tests.admin.conftest import VIEWER, Browser, staff
from tests.api.management.conftest import make_program
from tests.points.threads import Waiting
from tests.points.till import NOON, Till, days

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")
HARM = "<script>alert(1)</script>"


def form(program: Program, /, **said: Any) -> dict[str, Any]:
    return {"program": program.pk, "url": hooks.URL, "event_types": ["points.earned"]} | said


def row(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=endpoint.pk)


def listed(browser: Browser, program: Program) -> str:
    return pages.text(browser.get(pages.listing(WebhookEndpoint), {"program__id__exact": program.pk}))


def links(browser: Browser, endpoint: WebhookEndpoint) -> list[str]:
    """This will answer what the endpoint's page offers to do."""
    page = browser.get(pages.of(endpoint)).content.decode()
    return [deed for deed in ("test", "pause", "resume", "rotate", "remove") if pages.of(endpoint, deed) in page]


@pytest.fixture
def endpoint(program: Program) -> WebhookEndpoint:
    return hooks.make(program)


# Making


def test_shows_the_secret_once(manager: Browser, program: Program) -> None:
    answer = manager.post(pages.adding(WebhookEndpoint), form(program))

    endpoint = program.webhook_endpoints.get()
    page = pages.text(answer)
    [secret] = set(SECRET.findall(page))
    assert endpoints.secrets_of(endpoint, at=NOON) == [secret]
    assert f"WEBHOOK_SECRET={secret}" in page
    assert "no-store" in answer["Cache-Control"]


def test_keeps_the_secret_nowhere_that_could_be_read(manager: Browser, program: Program) -> None:
    answer = manager.post(pages.adding(WebhookEndpoint), form(program))
    [secret] = set(SECRET.findall(pages.text(answer)))

    endpoint = program.webhook_endpoints.get()
    assert "whsec_" not in pages.text(manager.get(pages.of(endpoint)))
    assert "whsec_" not in listed(manager, program)
    assert secret not in endpoint.sealed_secret
    assert secret not in str(answer.cookies) + str(manager.cookies)
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    log = LogEntry.objects.filter(object_id=str(endpoint.pk))
    assert [secret in entry.change_message + entry.object_repr for entry in log] == [False]


def test_takes_what_is_said(manager: Browser, program: Program) -> None:
    said = {"event_types": ["card.created", "points.earned"], "description": "Web shop", "signs_body": "on"}

    manager.post(pages.adding(WebhookEndpoint), form(program, **said))

    endpoint = program.webhook_endpoints.get()
    assert set(endpoint.event_types) == {"card.created", "points.earned"}
    assert (endpoint.url, endpoint.description, endpoint.signs_body) == (hooks.URL, "Web shop", True)


def test_takes_all_events_for_all_whatever_is_chosen_beside(manager: Browser, program: Program) -> None:
    manager.post(pages.adding(WebhookEndpoint), form(program, event_types=["*", "points.earned"]))

    assert program.webhook_endpoints.get().event_types == ["*"]


def test_offers_types_in_groups(manager: Browser) -> None:
    page = pages.text(manager.get(pages.adding(WebhookEndpoint)))

    assert "Points Points earned (points.earned) Points redeemed (points.redeemed)" in page
    assert "Redemption Code created (redemption.created)" in page


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"url": ""}, "This field is required."),
        ({"url": "nonsense"}, "An http or https address with a host"),
        ({"url": "ftp://shop.example/"}, "An http or https address with a host"),
        ({"url": "https://user:secret@shop.example/"}, "without a user name or password"),
        ({"url": f"https://shop.example/{'a' * 2000}"}, "at most 2000 characters"),
        ({"event_types": []}, "This field is required."),
        ({"event_types": ["points.stolen"]}, "Select a valid choice."),
        ({"program": ""}, "This field is required."),
    ],
)
def test_refuses_what_makes_no_sense(manager: Browser, program: Program, said: dict[str, Any], complaint: str) -> None:
    assert complaint in pages.text(manager.post(pages.adding(WebhookEndpoint), form(program, **said)))
    assert not program.webhook_endpoints.exists()


def test_refuses_one_more_than_a_programme_may_have(manager: Browser, program: Program) -> None:
    for number in range(endpoints.MOST):
        hooks.make(program, f"https://shop.example/{number}")

    answer = manager.post(pages.adding(WebhookEndpoint), form(program))

    assert "A programme has at most 20 webhook endpoints." in pages.text(answer)
    assert program.webhook_endpoints.count() == endpoints.MOST


def test_refuses_one_more_that_somebody_made_since_the_form_was_checked(manager: Browser, program: Program) -> None:
    for number in range(endpoints.MOST - 1):
        hooks.make(program, f"https://shop.example/{number}")
    with transaction.atomic():
        hooks.make(program, "https://shop.example/the-last")
        late = Waiting(lambda: manager.post(pages.adding(WebhookEndpoint), form(program), follow=True))

    assert "A programme has at most 20 webhook endpoints." in pages.text(late.result())
    assert program.webhook_endpoints.count() == endpoints.MOST


# Changing


def test_changes_what_it_gets_and_never_the_secret(manager: Browser, endpoint: WebhookEndpoint) -> None:
    other, sealed = make_program(), endpoint.sealed_secret
    said = form(other, url="https://shop.example/new", event_types=["card.blocked"], sealed_secret="mine")

    manager.post(pages.of(endpoint), said)

    changed = row(endpoint)
    assert (changed.url, changed.event_types) == ("https://shop.example/new", ["card.blocked"])
    assert (changed.program, changed.sealed_secret) == (endpoint.program, sealed)


def test_leaves_alone_what_was_not_changed(manager: Browser, endpoint: WebhookEndpoint) -> None:
    page = manager.get(pages.of(endpoint)).content.decode()
    assert re.search(r'value="\*"[^>]* checked', page)
    hooks.pause(endpoint)

    manager.post(pages.of(endpoint), form(endpoint.program, event_types=["*"], description="Renamed"))

    changed = row(endpoint)
    assert (changed.description, changed.event_types, changed.paused_at) == ("Renamed", ["*"], NOON)


# What can be done


def test_pauses(manager: Browser, endpoint: WebhookEndpoint) -> None:
    assert links(manager, endpoint) == ["test", "pause", "rotate", "remove"]
    assert "Nothing is sent to it until it is resumed." in pages.text(manager.get(pages.of(endpoint, "pause")))
    assert row(endpoint).paused_at is None

    page = pages.text(manager.post(pages.of(endpoint, "pause"), follow=True))

    assert "Paused: nothing is sent until it is resumed." in page
    assert "State Paused Since 2 Mar 2026, 14:00 EET" in page
    assert (row(endpoint).paused_at, row(endpoint).gave_up) == (NOON, False)
    assert links(manager, endpoint) == ["resume", "rotate", "remove"]
    assert "Paused." in str(LogEntry.objects.get(object_id=str(endpoint.pk)).get_change_message())


def test_resumes_one_that_was_given_up(manager: Browser, endpoint: WebhookEndpoint) -> None:
    hooks.pause(endpoint, gave_up=True, failures=7)
    assert "It goes on where it stopped" in pages.text(manager.get(pages.of(endpoint, "resume")))

    page = pages.text(manager.post(pages.of(endpoint, "resume"), follow=True))

    assert "State Sending Since –" in page  # noqa: RUF001
    assert (row(endpoint).paused_at, row(endpoint).gave_up, row(endpoint).failures) == (None, False, 0)


def test_rotates_the_secret_and_shows_the_new_one_once(manager: Browser, endpoint: WebhookEndpoint) -> None:
    [old] = endpoints.secrets_of(endpoint, at=NOON)
    assert "whsec_" not in pages.text(manager.get(pages.of(endpoint, "rotate")))
    assert endpoints.secrets_of(row(endpoint), at=NOON) == [old]

    answer = manager.post(pages.of(endpoint, "rotate"))

    [new] = set(SECRET.findall(pages.text(answer)))
    assert "no-store" in answer["Cache-Control"]
    assert endpoints.secrets_of(row(endpoint), at=NOON) == [new, old]
    assert endpoints.secrets_of(row(endpoint), at=days(1)) == [new]
    page = pages.text(manager.get(pages.of(endpoint)))
    assert "The former one signs, too, until 3 Mar 2026, 14:00 EET" in page
    assert "whsec_" not in page
    [entry] = LogEntry.objects.filter(object_id=str(endpoint.pk))
    assert new not in entry.change_message + entry.object_repr


def test_warns_that_the_secret_before_the_present_one_ends(manager: Browser, endpoint: WebhookEndpoint) -> None:
    warning = "The one before the present one signs no more from now on."
    assert warning not in pages.text(manager.get(pages.of(endpoint, "rotate")))

    manager.post(pages.of(endpoint, "rotate"))

    assert warning in pages.text(manager.get(pages.of(endpoint, "rotate")))


def test_sends_a_test(manager: Browser, endpoint: WebhookEndpoint) -> None:
    assert "of the type webhook.test" in pages.text(manager.get(pages.of(endpoint, "test")))
    assert not endpoint.deliveries.exists()

    page = pages.text(manager.post(pages.of(endpoint, "test"), follow=True))

    sent = endpoint.deliveries.get()
    assert (sent.event_type, sent.next_attempt_at) == (TEST, NOON)
    assert "A test is on its way." in page
    assert f"Delivery id {ids.public('dlv', sent.pk)}" in page


def test_sends_no_test_while_it_is_paused(manager: Browser, endpoint: WebhookEndpoint) -> None:
    hooks.pause(endpoint)

    assert "The webhook endpoint is paused." in pages.text(manager.post(pages.of(endpoint, "test")))
    assert not endpoint.deliveries.exists()


def test_tells_of_a_test_whoever_may_not_see_deliveries(endpoint: WebhookEndpoint) -> None:
    somebody = staff("Tess", ["change_webhookendpoint"])

    page = pages.text(somebody.post(pages.of(endpoint, "test"), follow=True))

    assert "A test is on its way." in page
    assert "Deliveries, newest first" not in page


def test_deletes(manager: Browser, endpoint: WebhookEndpoint) -> None:
    delivery = deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)
    asked = pages.text(manager.get(pages.of(endpoint, "remove")))
    assert "It cannot be undone." in asked
    assert "Waiting 1" in asked
    assert row(endpoint).deleted_at is None

    page = pages.text(manager.post(pages.of(endpoint, "remove"), follow=True))

    assert f"{hooks.HOST} is deleted: nothing is sent to it any more." in page
    assert (row(endpoint).deleted_at, row(endpoint).sealed_secret) == (NOON, "")
    assert hooks.HOST not in listed(manager, endpoint.program)
    assert f"{hooks.HOST} (deleted) State Not sent any more" in pages.text(manager.get(pages.of(delivery)))


@pytest.mark.parametrize("deed", ["test", "pause", "resume", "rotate", "remove"])
def test_does_nothing_with_one_that_was_deleted_meanwhile(
    manager: Browser, endpoint: WebhookEndpoint, deed: str
) -> None:
    endpoints.delete(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)

    assert manager.get(pages.of(endpoint, deed)).status_code == 404
    assert manager.post(pages.of(endpoint, deed)).status_code == 404
    assert not endpoint.deliveries.exists()


def test_saves_nothing_of_one_that_was_deleted_meanwhile(manager: Browser, endpoint: WebhookEndpoint) -> None:
    endpoints.delete(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)

    page = pages.text(manager.post(pages.of(endpoint), form(endpoint.program, description="Mine"), follow=True))

    assert "Perhaps it was deleted?" in page
    assert row(endpoint).description == ""


def test_saves_nothing_of_one_that_is_deleted_at_that_moment(manager: Browser, endpoint: WebhookEndpoint) -> None:
    said = form(endpoint.program, description="Mine")
    with transaction.atomic():
        endpoints.delete(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)
        late = Waiting(lambda: manager.post(pages.of(endpoint), said, follow=True))

    assert "There is no such webhook endpoint." in pages.text(late.result())
    assert row(endpoint).description == ""


# How it is with an endpoint


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, "Sending –"),  # noqa: RUF001
        ({"paused_at": NOON}, "Paused 2 Mar 2026, 14:00 EET"),
        ({"paused_at": NOON, "gave_up": True}, "Gave up 2 Mar 2026, 14:00 EET"),
    ],
)
def test_says_how_it_is(viewer: Browser, endpoint: WebhookEndpoint, facts: dict[str, Any], told: str) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**facts)

    assert f"{hooks.HOST} Corner Shop All events {told} Nothing" in listed(viewer, endpoint.program)


@pytest.mark.parametrize(("failures", "told"), [(3, "Failing"), (0, "Sending, some fail")])
def test_says_since_when_it_fails(viewer: Browser, endpoint: WebhookEndpoint, failures: int, told: str) -> None:
    _fail(endpoint, since=days(-1))
    _fail(endpoint, since=days(-2))
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=failures)

    assert f"{told} 28 Feb 2026, 14:00 EET 2 –" in listed(viewer, endpoint.program)  # noqa: RUF001


def test_says_why_it_fails(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    _fail(endpoint, since=days(-1), fault=Fault.TIMEOUT)

    page = pages.text(viewer.get(pages.of(endpoint)))

    assert "The first delivery that waits has failed. It did not answer in time." in page


def test_does_not_call_a_test_that_failed_a_failure(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    _fail(endpoint, since=days(-1), next_attempt_at=None)

    assert "Sending – Nothing" in listed(viewer, endpoint.program)  # noqa: RUF001


def test_counts_what_waits(viewer: Browser, endpoint: WebhookEndpoint, till: Till) -> None:
    narrow = hooks.make(endpoint.program, "https://narrow.example/", event_types=["points.redeemed"])
    till.award(100)
    till.redeem(10)
    deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)
    late = hooks.make(endpoint.program, "https://late.example/")

    page = listed(viewer, endpoint.program)

    # Two events and a test; one event; nothing of what was before.
    assert f"{hooks.HOST} Corner Shop All events Sending – 3 –" in page  # noqa: RUF001
    assert f"{narrow} Corner Shop Points redeemed Sending – 1 –" in page  # noqa: RUF001
    assert f"{late} Corner Shop All events Sending – Nothing –" in page  # noqa: RUF001


def test_counts_nothing_of_before_also_while_a_transaction_runs(viewer: Browser, program: Program, till: Till) -> None:
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        # The endpoint looks for events from this transaction on.
        cursor.execute("SELECT pg_current_xact_id()")
        hooks.make(program)
        till.award(100)
        late = hooks.make(program, "https://late.example/")
    till.redeem(10)

    page = listed(viewer, program)

    assert f"{hooks.HOST} Corner Shop All events Sending – 2 –" in page  # noqa: RUF001
    assert f"{late} Corner Shop All events Sending – 1 –" in page  # noqa: RUF001


def test_counts_no_further_than_a_thousand(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    waiting = [
        Delivery(
            endpoint=endpoint,
            position=number,
            event_id=endpoint.pk,
            event_type=TEST,
            lane=endpoint.pk,
            created_at=NOON,
            next_attempt_at=NOON,
        )
        for number in range(1, 1102)
    ]
    Delivery.objects.bulk_create(waiting)

    assert "Sending – 1,000 or more" in listed(viewer, endpoint.program)  # noqa: RUF001


def test_says_when_something_last_arrived(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    for delivered_at in (days(-3), days(-2), None):
        sent = deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)
        Delivery.objects.filter(pk=sent.pk).update(delivered_at=delivered_at)

    assert "Sending – 1 28 Feb 2026, 14:00 EET" in listed(viewer, endpoint.program)  # noqa: RUF001


def test_asks_the_database_as_often_however_many_there_are(viewer: Browser, program: Program) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            listed(viewer, program)
        return len(queries)

    hooks.make(program, "https://shop.example/0")
    once = asked()
    for number in range(1, 6):
        hooks.make(program, f"https://shop.example/{number}")
    assert asked() == once


def test_finds_by_state(viewer: Browser, program: Program) -> None:
    states: dict[str, dict[str, Any]] = {"sending": {}, "paused": {}, "gave-up": {"gave_up": True}}
    made = {state: hooks.make(program, description=f"A shop that is {state}") for state in states}
    hooks.pause(made["paused"])
    hooks.pause(made["gave-up"], gave_up=True)

    for state in states:
        asked = {"program__id__exact": program.pk, "state": state}
        page = pages.text(viewer.get(pages.listing(WebhookEndpoint), asked))
        assert [other for other in states if f"A shop that is {other} Corner Shop" in page] == [state]


def test_shows_the_newest_deliveries(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    for _ in range(12):
        sent = deliveries.send_test(program=endpoint.program, endpoint_id=endpoint.pk, at=NOON)

    page = viewer.get(pages.of(endpoint))

    assert pages.text(page).count("2 Mar 2026, 14:00 EET Test Waiting 0") == 10
    assert pages.of(sent) in page.content.decode()
    assert f"{pages.listing(Delivery)}?endpoint={endpoint.pk}" in page.content.decode()


def test_says_that_a_secret_cannot_be_decrypted(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    complaint = "Its secret cannot be decrypted"
    assert complaint not in pages.text(viewer.get(pages.of(endpoint)))

    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(sealed_secret="sealed under another key")

    assert complaint in pages.text(viewer.get(pages.of(endpoint)))


def test_writes_addresses_as_text(superuser: Browser, program: Program) -> None:
    endpoint = hooks.make(program, f"https://shop.example/{HARM}", description=HARM)
    hooks.pause(endpoint, gave_up=True)
    delivery = _fail(endpoint, since=NOON)

    addresses = [pages.listing(WebhookEndpoint), pages.of(endpoint), reverse("admin:index"), pages.listing(Delivery)]
    addresses += [pages.of(endpoint, deed) for deed in ("pause", "rotate", "remove")]
    addresses += [pages.of(delivery), pages.of(delivery, "redeliver")]
    for address in addresses:
        page = superuser.get(address).content.decode()
        assert html.escape(HARM) in page, address
        assert HARM not in page, address


# Who may do what


def test_offers_a_viewer_nothing_to_do(viewer: Browser, program: Program) -> None:
    endpoint = hooks.make(program, event_types=["points.earned", "card.created"], description="Web shop")

    page = viewer.get(pages.of(endpoint))

    assert "What it gets Points earned, Card created" in pages.text(page)
    assert links(viewer, endpoint) == []
    assert 'type="checkbox"' not in page.content.decode()
    assert viewer.post(pages.of(endpoint), form(program, description="Mine")).status_code == 403
    assert row(endpoint).description == "Web shop"


def test_shows_a_whole_address_to_nobody_who_may_not_change_it(
    viewer: Browser, manager: Browser, endpoint: WebhookEndpoint
) -> None:
    hooks.pause(endpoint, gave_up=True)
    delivery = _fail(endpoint, since=NOON)
    assert "a-word-of-the-shop" in manager.get(pages.of(endpoint)).content.decode()

    addresses = [pages.listing(WebhookEndpoint), pages.of(endpoint), reverse("admin:index"), pages.listing(Delivery)]
    for address in [*addresses, pages.of(delivery)]:
        page = viewer.get(address).content.decode()
        assert hooks.HOST in page, address
        assert "a-word-of-the-shop" not in page, address
    found = viewer.get(pages.listing(WebhookEndpoint), {"q": "a-word-of-the-shop"}).context["cl"].result_list
    assert found == []


def test_lets_deleting_be_a_thing_of_its_own(endpoint: WebhookEndpoint) -> None:
    changer = staff("Chris", [*VIEWER, "change_webhookendpoint"])

    assert links(changer, endpoint) == ["test", "pause", "rotate"]
    assert changer.post(pages.of(endpoint, "remove")).status_code == 403
    assert row(endpoint).deleted_at is None


# The first page


def test_says_on_the_first_page_what_was_given_up(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    paused = hooks.make(endpoint.program, "https://paused.example/")
    hooks.pause(paused)
    hooks.pause(endpoint, gave_up=True)

    page = viewer.get(reverse("admin:index"))

    told = f"could not be delivered to {hooks.HOST} of Corner Shop for three days: since 2 Mar 2026, 14:00 EET"
    assert told in pages.text(page)
    assert pages.of(endpoint) in page.content.decode()
    assert str(paused) not in pages.text(page)


@pytest.mark.parametrize("facts", [{"deleted_at": NOON}, {"gave_up": False}])
def test_says_no_more_of_it_when_somebody_saw_to_it(
    viewer: Browser, endpoint: WebhookEndpoint, facts: dict[str, Any]
) -> None:
    hooks.pause(endpoint, **{"gave_up": True} | facts)

    assert "for three days" not in pages.text(viewer.get(reverse("admin:index")))


def test_says_it_to_nobody_who_may_not_see_endpoints(endpoint: WebhookEndpoint) -> None:
    hooks.pause(endpoint, gave_up=True)

    assert "for three days" not in pages.text(staff("Nora", []).get(reverse("admin:index")))


def _fail(endpoint: WebhookEndpoint, *, since: datetime.datetime, **facts: Any) -> Delivery:
    return Delivery.objects.create(
        endpoint=endpoint,
        position=(endpoint.deliveries.count() + 1),
        event_id=endpoint.pk,
        event_type=TEST,
        lane=ids.new_id(),
        created_at=since,
        **{
            "next_attempt_at": NOON,
            "attempts": 1,
            "retries": 1,
            "failing_since": since,
            "attempted_at": since,
            "milliseconds": 12,
            "fault": Fault.CONNECTION,
        }
        | facts,
    )
