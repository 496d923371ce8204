"""Cards in the admin: found, blocked, unblocked, activated and replaced, always by the verbs that wait for postings."""

import datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cards.models import Card
from loyalty.models import Program
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.factories import CardFactory, CustomerFactory
from tests.points.till import NOON


def found(browser: Browser, program: Program, term: str) -> set[str]:
    """This will answer the numbers of the programme's cards that a search lists."""
    answer = browser.get(pages.listing(Card), {"q": term, "program__id__exact": program.pk})
    return {card.number for card in answer.context["cl"].result_list}


def test_finds_by_number_part_of_it_and_customer(viewer: Browser, program: Program, card: Card) -> None:
    other = CardFactory(customer=CustomerFactory(program=program, name="Bob"), number="LC987654321098")

    assert found(viewer, program, card.number) == {card.number}
    assert found(viewer, program, "54321098") == {other.number}
    assert found(viewer, program, card.customer.email) == {card.number}
    assert found(viewer, program, "bob") == {other.number}
    assert found(viewer, program, "") == {card.number, other.number}


def test_looks_once_for_what_is_searched(viewer: Browser, program: Program) -> None:
    for _ in range(26):
        CardFactory(customer=CustomerFactory(program=program, name="Carol Clark"))
    with CaptureQueriesContext(connection) as asked:
        assert len(found(viewer, program, "carol")) == 25
    assert sum("cards_words" in query["sql"] for query in asked) == 1


def test_blocks(manager: Browser, card: Card) -> None:
    page = manager.post(
        pages.of(card, "block"), {"reason": "Reported stolen", "internal_note": "By phone"}, follow=True
    )

    assert f"Card {card.number} is blocked." in pages.text(page)
    blocked = Card.objects.get(pk=card.pk)
    assert (blocked.status, blocked.status_reason, blocked.internal_note) == ("blocked", "Reported stolen", "By phone")
    assert blocked.blocked_at == NOON
    [log] = LogEntry.objects.filter(object_id=str(card.pk))
    assert (log.user, log.change_message) == (manager.user, "Block: Reported stolen")


def test_blocks_only_for_a_reason(manager: Browser, card: Card) -> None:
    answer = manager.post(pages.of(card, "block"), {"reason": " "})

    assert "This field is required." in pages.text(answer)
    assert Card.objects.get(pk=card.pk).status == "active"


def test_unblocks(manager: Browser, card: Card) -> None:
    Card.objects.filter(pk=card.pk).update(status="blocked", blocked_at=NOON)

    manager.post(pages.of(card, "unblock"), {"reason": "Found again"})

    unblocked = Card.objects.get(pk=card.pk)
    assert (unblocked.status, unblocked.status_reason, unblocked.blocked_at) == ("active", "Found again", None)


def test_activates(manager: Browser, card: Card) -> None:
    Card.objects.filter(pk=card.pk).update(status="inactive")

    page = manager.post(pages.of(card, "activate"), follow=True)

    assert f"Card {card.number} is active." in pages.text(page)
    assert Card.objects.get(pk=card.pk).status == "active"


def test_replaces_and_leads_to_the_new_card(manager: Browser, card: Card) -> None:
    page = manager.post(pages.of(card, "replace"), {"reason": "Lost"}, follow=True)

    lost = Card.objects.select_related("replaced_by").get(pk=card.pk)
    new = lost.replaced_by
    assert new is not None
    assert page.redirect_chain[-1][0] == pages.of(new)
    assert f"Card {new.number} replaces it." in pages.text(page)
    assert (lost.status, lost.status_reason, new.status, new.customer) == ("inactive", "Lost", "active", card.customer)
    assert f"Replaced by {new.number}" in pages.text(manager.get(pages.of(lost)))


def test_says_why_a_card_cannot_be_replaced_twice(manager: Browser, card: Card) -> None:
    manager.post(pages.of(card, "replace"), {"reason": "Lost"})

    answer = manager.post(pages.of(card, "replace"), {"reason": "Lost again"})

    assert "The card was replaced by another one." in pages.text(answer)
    assert card.customer.cards.count() == 2


@pytest.mark.parametrize(
    ("facts", "offered"),
    [
        ({"status": "active"}, {"block", "replace"}),
        ({"status": "inactive"}, {"activate", "block", "replace"}),
        ({"status": "blocked"}, {"unblock", "replace"}),
    ],
)
def test_offers_what_the_state_allows(manager: Browser, card: Card, facts: dict[str, Any], offered: set[str]) -> None:
    Card.objects.filter(pk=card.pk).update(**facts)

    page = manager.get(pages.of(card)).content.decode()

    deeds = {"block", "unblock", "activate", "replace"}
    assert {deed for deed in deeds if f'"{pages.of(card, deed)}"' in page} == offered


def test_shows_an_ended_card_as_expired(viewer: Browser, program: Program, card: Card) -> None:
    Card.objects.filter(pk=card.pk).update(expires_at=NOON - datetime.timedelta(seconds=1))

    assert "State Expired" in pages.text(viewer.get(pages.of(card)))
    assert "Ends 2 Mar 2026, 13:59 EET" in pages.text(viewer.get(pages.of(card)))


def test_saves_design_and_note_and_never_the_state(manager: Browser, card: Card) -> None:
    sent = {"design": "gold", "internal_note": "VIP", "metadata": "{}", "status": "blocked", "number": "LC000000000000"}

    manager.post(pages.of(card), sent)

    saved = Card.objects.get(pk=card.pk)
    assert (saved.design, saved.internal_note, saved.status, saved.number) == ("gold", "VIP", "active", card.number)


@pytest.mark.parametrize(("sent", "kept"), [("", {}), ('{"a": 1.50}', {"a": 1.5}), ('{"ą": [null]}', {"ą": [None]})])
def test_keeps_metadata_as_the_api_does(manager: Browser, card: Card, sent: str, kept: Any) -> None:
    Card.objects.filter(pk=card.pk).update(metadata={"old": True})

    changes = {"design": "gold", "metadata": sent, "initial-metadata": '{"old": true}'}
    assert manager.post(pages.of(card), changes).status_code == 302

    assert Card.objects.get(pk=card.pk).metadata == kept


@pytest.mark.parametrize(
    "sent",
    ["7", "[]", "{", "NaN", '{"a": NaN}', '{"a": 1e400}', '{"a": "\\u0000"}', '{"a": "%s"}' % ("x" * 1024), "[" * 9999],
)
def test_refuses_metadata_that_the_api_would_refuse(manager: Browser, card: Card, sent: str) -> None:
    answer = manager.post(pages.of(card), {"design": "gold", "metadata": sent})

    assert sent in pages.text(answer)
    assert (Card.objects.get(pk=card.pk).design, Card.objects.get(pk=card.pk).metadata) == ("default", {})


@pytest.mark.parametrize(
    "query", [{"status__exact": "\0"}, {"created_at__year": "99999999999"}, {"q": "\0"}, {"p": "x"}]
)
def test_lists_all_where_an_address_makes_no_sense(viewer: Browser, card: Card, query: dict[str, str]) -> None:
    assert card.number in pages.text(viewer.get(pages.listing(Card), query, follow=True))


def test_is_added_from_the_customer_alone(manager: Browser) -> None:
    assert manager.get(pages.adding(Card)).status_code == 403
