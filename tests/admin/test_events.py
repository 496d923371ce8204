"""Events in the admin: what happened, the newest first, each as others are told of it."""

import html
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cards import customers
from cards.models import Card, Customer
from events.admin import events as listing
from events.models import Event, EventType
from loyalty import ids
from loyalty.models import Program
from points import definitions, ledger
from points.models import AccountRef
from rewards import persons
from tests.admin import hooks, pages
from tests.admin.conftest import VIEWER, Browser, staff
from tests.api.v1.client import Client, done
from tests.factories import CustomerFactory
from tests.points.till import NOON, Till


@pytest.fixture
def program(program: Program) -> Program:
    """One that keeps its events."""
    program.keeps_events = True
    program.save(update_fields=["keeps_events"])
    return program


@pytest.fixture
def bob(program: Program, till: Till) -> Till:
    customer = CustomerFactory(program=program, name="Bob", email=f"bob-{program.slug}@example.com")
    return Till(AccountRef(program=program, definition=till.account.definition, customer_id=customer.pk))


def listed(browser: Browser, **asked: Any) -> list[str]:
    """This will answer the types of the events that are listed, in their order."""
    answer = browser.get(pages.listing(Event), asked)
    assert answer.status_code == 200
    return [event.type for event in answer.context["cl"].result_list]


def told(browser: Browser, event: Event) -> str:
    """This will answer the event as its page shows it."""
    page = browser.get(pages.of(event)).content.decode()
    [text] = re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    return html.unescape(text)


def test_lists_what_happened_in_words(viewer: Browser, program: Program, customer: Customer, till: Till) -> None:
    till.award(100)
    till.redeem(30)

    answer = viewer.get(pages.listing(Event), {"program": program.pk})

    at = "2 Mar 2026, 14:00 EET"
    told = f"{at} Points redeemed Alice Adams #2 Corner Shop {at} Points earned Alice Adams #1 Corner Shop"
    assert told in pages.text(answer)
    assert pages.of(customer) in answer.content.decode()
    assert all(pages.of(event) in answer.content.decode() for event in program.events.all())


def test_keeps_programmes_apart(viewer: Browser, program: Program, till: Till) -> None:
    other = definitions.create_program(slug=f"other-{program.slug}")
    till.award(100)

    assert listed(viewer, program=program.pk) == ["points.earned"]
    assert listed(viewer, program=other.pk) == []


def test_filters_by_type(viewer: Browser, program: Program, till: Till) -> None:
    till.award(100)
    till.redeem(30)

    assert listed(viewer, program=program.pk, type="points.redeemed") == ["points.redeemed"]
    assert listed(viewer, program=program.pk, type="card.created") == []


def test_looks_for_a_type_among_the_newest(
    viewer: Browser, program: Program, customer: Customer, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_THROUGH", 2)
    till.award(100)
    till.redeem(30)
    assert listed(viewer, program=program.pk, type="points.earned") == ["points.earned"]
    till.redeem(30)

    assert listed(viewer, program=program.pk, type="points.earned") == []
    assert listed(viewer, q=customer.email, type="points.earned") == ["points.earned"]


def test_finds_the_events_of_a_customer(viewer: Browser, customer: Customer, card: Card, till: Till, bob: Till) -> None:
    till.award(100)
    bob.award(100)
    record_card(card)
    for term in (customer.email, card.number, ids.public("cus", customer.pk), str(customer.pk)):
        assert listed(viewer, q=term) == ["card.created", "points.earned"], term
    assert listed(viewer, q="nobody@example.com") == []


def test_finds_what_happened_before_a_merge(viewer: Browser, customer: Customer, till: Till, bob: Till) -> None:
    till.award(100)
    bob.award(50)
    owner = Customer.objects.get(pk=bob.account.customer_id)
    persons.merge(customer=customer, into=owner, actor="staff", at=NOON)

    found = listed(viewer, q=owner.email)

    assert found.count("points.earned") == 2
    assert "customer.merged" in found


def test_finds_an_event_by_its_id(viewer: Browser, program: Program, till: Till) -> None:
    till.award(100)
    till.redeem(30)
    event = program.events.get(type="points.earned")

    assert listed(viewer, q=f" {ids.public('evt', event.pk)} ") == ["points.earned"]


@pytest.mark.parametrize(
    "asked", [{"program": "nonsense"}, {"type": "nonsense"}, {"q": "a\0b"}, {"q": "evt_0"}, {"p": "99999"}]
)
def test_lists_no_fault_whatever_is_asked(viewer: Browser, till: Till, asked: dict[str, str]) -> None:
    till.award(100)

    assert viewer.get(pages.listing(Event), asked, follow=True).status_code == 200


def test_asks_the_database_as_often_however_long_the_list_is(viewer: Browser, program: Program, till: Till) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            listed(viewer, program=program.pk)
        return len(queries)

    till.award(100)
    once = asked()
    for _ in range(5):
        till.award(100)
    assert asked() == once


# The page


def test_tells_an_event_as_the_api_does(viewer: Browser, program: Program, till: Till) -> None:
    entry = till.award(100)
    event = program.events.get()

    page = pages.text(viewer.get(pages.of(event)))

    assert json.loads(told(viewer, event)) == done(Client(program).get(f"events/{ids.public('evt', event.pk)}"))
    assert '\n  "sequence": 1,\n' in told(viewer, event)
    assert "Type Points earned (points.earned) When 2 Mar 2026, 14:00 EET Customer Alice Adams" in page
    assert "Number in the account #1" in page
    assert pages.of(entry) in viewer.get(pages.of(event)).content.decode()


def test_writes_numbers_with_all_their_digits(viewer: Browser, program: Program) -> None:
    metadata = {"long": 123456789012345678901234567890, "small": 0.1}
    customers.create(program=program, email=f"alice-{program.slug}@example.com", metadata=metadata)

    text = told(viewer, program.events.get())

    assert '"long": 123456789012345678901234567890' in text
    assert '"small": 0.1' in text


def test_writes_what_callers_said_as_text(viewer: Browser, program: Program, till: Till) -> None:
    till.award(100, note=ledger.Note(reason="<script>alert(1)</script>", actor="till"))
    event = program.events.get()

    assert "<script>alert(1)" not in viewer.get(pages.of(event)).content.decode()
    assert '"reason": "<script>alert(1)</script>"' in told(viewer, event)


def test_tells_nothing_of_a_person_who_was_erased(viewer: Browser, program: Program) -> None:
    alice = customers.create(program=program, name="Alice Adams", email=f"alice-{program.slug}@example.com")
    event = program.events.get(type=EventType.CUSTOMER_CREATED)
    assert "Alice Adams" in told(viewer, event)
    persons.erase(customer=alice, actor="staff", at=NOON)

    page = pages.text(viewer.get(pages.of(event)))

    assert "Alice" not in page
    assert alice.email not in page


def test_shows_where_an_event_was_sent(viewer: Browser, program: Program, till: Till) -> None:
    endpoint = hooks.make(program, "http://127.0.0.1:1/nobody-is-there")
    till.award(100)
    hooks.deliver()
    event = program.events.get()

    page = pages.text(viewer.get(pages.of(event)))

    assert f"{endpoint} Failed 1 No connection came about" in page
    blind = staff("Bea", [name for name in VIEWER if name != "view_delivery"])
    assert str(endpoint) not in pages.text(blind.get(pages.of(event)))


def test_is_gone_when_it_was_purged_meanwhile(viewer: Browser) -> None:
    gone = Event(pk=ids.new_id())

    assert "Perhaps it was deleted?" in pages.text(viewer.get(pages.of(gone), follow=True))
    assert viewer.get(pages.of(gone).replace(str(gone.pk), "nonsense"), follow=True).status_code == 200


# On the page of a customer


def test_shows_the_newest_events_of_a_customer(
    viewer: Browser, program: Program, customer: Customer, till: Till
) -> None:
    for _ in range(11):
        till.award(1)
    till.redeem(1)

    page = viewer.get(pages.of(customer))

    text = pages.text(page)
    assert "Events, newest first ( all )" in text
    assert "2 Mar 2026, 14:00 EET Points redeemed #12 2 Mar 2026, 14:00 EET Points earned #11" in text
    assert text.count("Points earned #") == 9
    address = f"{reverse('admin:events_event_changelist')}?q={ids.public('cus', customer.pk)}"
    assert address in page.content.decode()
    assert len(listed(viewer, q=ids.public("cus", customer.pk))) == 12


def test_shows_none_where_none_are_kept(viewer: Browser, customer: Customer) -> None:
    assert "Events, newest first" not in pages.text(viewer.get(pages.of(customer)))


def test_shows_none_to_somebody_who_may_not_see_events(customer: Customer, till: Till) -> None:
    till.award(100)
    blind = staff("Bea", [name for name in VIEWER if name != "view_event"])

    assert "Events, newest first" not in pages.text(blind.get(pages.of(customer)))
    assert blind.get(pages.listing(Event)).status_code == 403


def record_card(card: Card) -> None:
    """This will write the event of a card that a factory made."""
    card.program.events.create(
        account_id=card.customer_id,
        customer_id=card.customer_id,
        type=EventType.CARD_CREATED,
        data={"id": ids.public("card", card.pk)},
        created_at=NOON,
    )


def test_says_no_more_of_customers_than_their_names_to_whoever_may_not_see_them(
    customer: Customer, program: Program
) -> None:
    customers.change(customer=customer, changes={"phone": "+370 600 55555"})
    event = program.events.get(type="customer.updated")
    assert "+370 600 55555" in told(staff("Vera", VIEWER), event)
    page = staff("Eve", ["view_event", "view_delivery"]).get(pages.of(event)).content.decode()
    assert "Customer updated" in page
    assert "+370 600 55555" not in page
    assert "<pre" not in page


def test_are_written_of_what_staff_do_and_not_of_saving_what_is_there(
    manager: Browser, program: Program, customer: Customer
) -> None:
    said = {
        "name": "Carol",
        "email": "carol@example.com",
        "phone": "",
        "external_id": "",
        "locale": "",
        "metadata": "{}",
    }
    manager.post(pages.adding(Customer), said | {"program": program.pk, "email": "dave@example.com"})
    for _ in range(2):
        manager.post(pages.of(customer), said)
    assert [event.type for event in program.events.order_by("id")] == ["customer.created", "customer.updated"]
