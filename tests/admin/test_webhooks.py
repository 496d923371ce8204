"""Webhook endpoints: which of them take no events, and letting one go on."""

import pytest
from django.utils import timezone

from events import endpoints
from events.models import Delivery, Fault, WebhookEndpoint
from loyalty import ids
from loyalty.models import Program
from tests.admin import pages
from tests.admin.conftest import Browser, staff

LOOKS = ["view_webhookendpoint"]
CHANGES = [*LOOKS, "change_webhookendpoint"]


@pytest.fixture
def endpoint(program: Program) -> WebhookEndpoint:
    url = f"https://hook-{program.slug}.example/path?token=a-word-of-the-shop"
    return endpoints.create(program=program, url=url, event_types=["points.earned"], description="Web shop")


def give_up(endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(paused_at=timezone.now(), gave_up=True)


def failed(endpoint: WebhookEndpoint) -> Delivery:
    key = ids.new_id()
    now = timezone.now()
    return Delivery.objects.create(
        endpoint=endpoint,
        position=1,
        event_id=key,
        event_type="points.earned",
        lane=key,
        created_at=now,
        next_attempt_at=now,
        attempts=3,
        retries=3,
        status_code=500,
        fault=Fault.STATUS,
    )


def test_shows_how_it_is_with_each(program: Program, endpoint: WebhookEndpoint) -> None:
    failed(endpoint)
    browser = staff("Wanda", LOOKS)
    listed = pages.text(browser.get(pages.listing(WebhookEndpoint), {"q": program.slug}))
    assert f"hook-{program.slug}.example" in listed
    assert "Active" in listed
    page = browser.get(pages.of(endpoint))
    told = pages.text(page)
    for words in ("points.earned", "Web shop", "Failed", "500", "It answered with another status than 2xx"):
        assert words in told
    for word in ("a-word-of-the-shop", endpoint.sealed_secret, "whsec_"):
        assert word not in page.content.decode()
    assert "resume" not in page.content.decode()
    assert browser.post(pages.of(endpoint, "pause")).status_code == 403


def test_shows_what_was_given_up_and_lets_it_go_on(program: Program, endpoint: WebhookEndpoint) -> None:
    give_up(endpoint)
    browser = staff("Wanda", CHANGES)
    found = pages.text(browser.get(pages.listing(WebhookEndpoint), {"q": program.slug, "state": "given_up"}))
    assert f"hook-{program.slug}.example Given up" in found
    delivery = failed(endpoint)
    assert "Go on" in pages.text(browser.get(pages.of(endpoint)))
    assert "from where it stopped" in pages.text(browser.get(pages.of(endpoint, "resume")))
    endpoint.refresh_from_db()
    assert endpoint.paused_at is not None
    assert browser.post(pages.of(endpoint, "resume")).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.paused_at, endpoint.gave_up) == (None, False)
    delivery.refresh_from_db()
    assert delivery.retries == 0


def test_pauses_one(endpoint: WebhookEndpoint) -> None:
    browser = staff("Wanda", CHANGES)
    assert browser.post(pages.of(endpoint, "pause")).status_code == 302
    endpoint.refresh_from_db()
    assert endpoint.paused_at is not None
    assert "Paused" in pages.text(browser.get(pages.of(endpoint)))


def test_leaves_out_what_was_deleted(program: Program, endpoint: WebhookEndpoint) -> None:
    endpoints.delete(program=program, endpoint_id=endpoint.pk, at=timezone.now())
    browser = staff("Wanda", CHANGES)
    assert "hook-" not in pages.text(browser.get(pages.listing(WebhookEndpoint), {"q": program.slug}))
    listed = pages.text(browser.get(pages.listing(WebhookEndpoint), {"q": program.slug, "state": "deleted"}))
    assert f"hook-{program.slug}.example Deleted" in listed
    assert "/pause/" not in browser.get(pages.of(endpoint)).content.decode()


def test_is_for_those_alone_who_may_see_it(viewer: Browser, endpoint: WebhookEndpoint) -> None:
    assert viewer.get(pages.listing(WebhookEndpoint)).status_code == 403
    assert viewer.get(pages.of(endpoint)).status_code == 403
