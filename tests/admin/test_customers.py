"""Customers in the admin: found by whatever staff have in hand, shown with their points and cards."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cards import search
from cards.models import Card, Customer
from loyalty import console, ids
from loyalty.models import Program
from points import definitions, ledger
from points.models import AccountRef
from rewards import catalogue
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.factories import CardFactory, CustomerFactory
from tests.points.till import NOON, Till
from tests.rewards.shop import Shop


def found(browser: Browser, program: Program, term: str) -> set[str]:
    """This will answer the names of the programme's customers that a search lists."""
    answer = browser.get(pages.listing(Customer), {"q": term, "program__id__exact": program.pk})
    assert answer.status_code == 200
    return {customer.name for customer in answer.context["cl"].result_list}


@pytest.fixture
def bob(program: Program) -> Customer:
    return CustomerFactory(program=program, name="Bob Brown", email="bob.alice@example.com", external_id="C-17")


def test_finds_by_what_staff_have_in_hand(viewer: Browser, program: Program, card: Card, bob: Customer) -> None:
    alice = {"Alice Adams"}
    assert found(viewer, program, card.number) == alice
    assert found(viewer, program, f"{card.number[:2].lower()} {card.number[2:8]} {card.number[8:]}") == alice
    assert found(viewer, program, ids.public("card", card.pk)) == alice
    assert found(viewer, program, ids.public("cus", card.customer.pk)) == alice
    assert found(viewer, program, str(card.customer.pk)) == alice
    assert found(viewer, program, card.customer.email.upper()) == alice
    assert found(viewer, program, "adams alice") == alice
    assert found(viewer, program, "600 11111") == alice
    assert found(viewer, program, "+37060011111") == alice
    assert found(viewer, program, "(600) 11-111") == alice
    assert found(viewer, program, "alice") == alice | {"Bob Brown"}
    assert found(viewer, program, "C-17") == {"Bob Brown"}
    assert found(viewer, program, "@example.com") == alice | {"Bob Brown"}
    assert found(viewer, program, "ad") == alice
    assert found(viewer, program, "b B") == {"Bob Brown"}


@pytest.mark.parametrize(
    "term",
    ["+370\u2013600\u201311111", "370,600,11111", "\u202a+370 600 11111\u202c", "(600) 11111", "370600", "600 11"],
)
@pytest.mark.parametrize("phone", ["+37060011111", "+370 600 11111"])
def test_finds_a_telephone_number_however_it_is_written(
    viewer: Browser, program: Program, bob: Customer, phone: str, term: str
) -> None:
    CustomerFactory(program=program, name="Carol", phone=phone)
    assert found(viewer, program, term) == {"Carol"}


def test_finds_an_id_that_looks_like_a_telephone_number(viewer: Browser, program: Program, bob: Customer) -> None:
    CustomerFactory(program=program, name="Carol", external_id="12-345-67")
    assert found(viewer, program, "12-345-67") == {"Carol"}


@pytest.mark.parametrize("name", ["\u039d\u0399\u039a\u039f\u03a3 Papas", "\u0130brahim Kaya", "\u0130g"])
def test_finds_letters_that_languages_make_small_in_several_ways(viewer: Browser, program: Program, name: str) -> None:
    CustomerFactory(program=program, name=name)
    for term in (name, name.split(maxsplit=1)[0]):
        assert found(viewer, program, term) == {name}


@pytest.mark.parametrize("space", [" ", "\u3000", "\u00a0", "\t"])
@pytest.mark.parametrize(
    "name", ["\u5c71\u7530{}\u592a\u90ce", "\u041f\u0435\u0442\u0440\u043e\u0432\u0430{}\u042f", "Ng{}Li"]
)
def test_finds_names_of_any_script(viewer: Browser, program: Program, name: str, space: str) -> None:
    CustomerFactory(program=program, name=name.format(space))
    terms = [name.format(space), name.format(" "), name.format("\u3000"), *name.split("{}")]
    for term in terms:
        assert found(viewer, program, term) == {name.format(space)}, term


@pytest.mark.parametrize("term", ["%", "@", "- -", "\U0001f600"])
def test_looks_for_no_signs_alone(viewer: Browser, program: Program, term: str) -> None:
    CustomerFactory(program=program, name=f"Carol {term}")
    assert found(viewer, program, term) == set()
    assert found(viewer, program, f"{term} carol carol") == {f"Carol {term}"}


def test_looks_for_the_longest_of_many_words(viewer: Browser, program: Program) -> None:
    names = [f"Maria del Carmen de la Cruz {name}" for name in ("Garcia", "Lopez")]
    for name in names:
        CustomerFactory(program=program, name=name)
    for name in names:
        assert found(viewer, program, name) == {name}


def test_says_that_there_are_others(viewer: Browser, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    assert search.MOST == console.MOST_COUNTED + 1
    monkeypatch.setattr(search, "MOST", 28)
    monkeypatch.setattr(console, "MOST_COUNTED", 27)
    for count in (27, 28):
        while Customer.objects.filter(program=program).count() < count:
            CustomerFactory(program=program, name="Carol Clark")
        answer = viewer.get(pages.listing(Customer), {"q": "carol", "program__id__exact": program.pk})
        assert len(answer.context["cl"].result_list) == 25
        assert ("The first 27 customers: search or filter for others" in pages.text(answer)) is (count == 28)


@pytest.mark.parametrize(
    "said", ["term=a&program__id__exact=nonsense", "term=nobody%00here", "term=a&program__id__exact=%00"]
)
@pytest.mark.parametrize("field", ["customer", "replaced_by"])
def test_finds_nobody_by_an_address_written_by_hand(superuser: Browser, field: str, said: str) -> None:
    address = f"{reverse('admin:autocomplete')}?app_label=cards&model_name=card&field_name={field}&{said}"
    answer = superuser.get(address)
    assert (answer.status_code, answer.json()["results"]) == (200, [])


def test_finds_who_placed_an_order(viewer: Browser, program: Program, till: Till, bob: Customer) -> None:
    till.award(10, note=ledger.Note(reason="Order", actor="till", reference="order 77/b"))
    assert found(viewer, program, " order 77/b ") == {"Alice Adams"}
    assert found(viewer, program, "order 77") == set()


def test_shows_what_ends_when_and_what_happened(viewer: Browser, program: Program, card: Card, till: Till) -> None:
    till.award(100, expires_at=NOON + datetime.timedelta(days=9))
    till.award(30)
    till.redeem(10)
    reward = catalogue.create(program=program, name="Coffee", points_cost=Decimal(5))
    code = Shop(program).redeem(till, reward)
    page = pages.text(viewer.get(pages.of(card.customer)))
    assert "Points that end When Points 11 Mar 2026, 14:00 EET in 9 days 85" in page
    assert "what happened, newest first ( all )" in page
    assert "Redeem -10 120" in page
    assert f"{code.code} Active Coffee 5" in page


def test_leads_to_the_till(cashier: Browser, adjuster: Browser, card: Card) -> None:
    answer = cashier.get(pages.of(card.customer, "serve"))
    assert answer["Location"].endswith(f"/customers/{card.customer_id}/")
    assert adjuster.get(pages.of(card.customer, "serve")).status_code == 403


@pytest.mark.parametrize("term", ["nobody", "LC999999999999", "cus_" + 32 * "0", "%", "x" * 5000, "' OR 1=1 --"])
def test_finds_nobody(viewer: Browser, program: Program, card: Card, term: str) -> None:
    assert found(viewer, program, term) == set()


def test_says_that_it_cannot_look_for_a_null_character(viewer: Browser) -> None:
    assert "Null characters are not allowed." in pages.text(viewer.get(pages.listing(Customer), {"q": "a\0b"}))


def test_lists_everybody_without_a_search(viewer: Browser, program: Program, card: Card, bob: Customer) -> None:
    assert found(viewer, program, " ") == {"Alice Adams", "Bob Brown"}


def test_asks_the_database_no_more_for_more_customers(viewer: Browser, program: Program) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            viewer.get(pages.listing(Customer), {"program__id__exact": program.pk})
        return len(captured)

    CardFactory(customer=CustomerFactory(program=program))
    few = queries()
    for _ in range(5):
        CardFactory(customer=CustomerFactory(program=program))
    assert queries() == few


def test_shows_points_and_cards(viewer: Browser, program: Program, card: Card, till: Till) -> None:
    definitions.create_definition(program=program, code="miles", name="Miles", decimal_places=2)
    till.award(1250)
    till.redeem(250)
    till.award(7, valid_from=NOON + datetime.timedelta(days=1))

    page = viewer.get(pages.of(card.customer))

    assert "Points 1,000 7 0 1,250 250 0" in pages.text(page)
    assert "Miles (nothing posted yet) 0.00 0.00 0.00 0.00 0.00 0.00" in pages.text(page)
    assert f"{card.number} Active default" in pages.text(page)
    assert pages.of(card) in page.content.decode()
    assert pages.of(till.row()) in page.content.decode()


def test_shows_balances_by_the_clock(viewer: Browser, card: Card, till: Till) -> None:
    till.award(100, at=NOON - datetime.timedelta(days=60), expires_at=NOON)

    assert "Points 0 0 0 100 0 100" in pages.text(viewer.get(pages.of(card.customer)))


def form(program: Program, **said: Any) -> dict[str, Any]:
    return {"program": program.pk, "name": "Carol", "email": "carol@example.com", "metadata": "{}"} | said


def test_adds_a_customer(manager: Browser, program: Program) -> None:
    answer = manager.post(pages.adding(Customer), form(program, external_id="C-1", metadata='{"vip": true}'))

    assert answer.status_code == 302
    made = program.customers.get()
    assert (made.name, made.email, made.external_id, made.metadata) == (
        "Carol",
        "carol@example.com",
        "C-1",
        {"vip": True},
    )


def test_keeps_an_address_that_is_not_there_empty_for_many(manager: Browser, program: Program) -> None:
    for name in ("Carol", "Dave"):
        manager.post(pages.adding(Customer), form(program, name=name, email=""))

    assert list(program.customers.values_list("email", "external_id")) == [(None, None)] * 2


@pytest.mark.parametrize(("field", "value"), [("email", "Bob.Alice@EXAMPLE.com"), ("external_id", "C-17")])
def test_names_who_has_the_address_or_the_id_already(
    *, manager: Browser, program: Program, customer: Customer, bob: Customer, field: str, value: str
) -> None:
    added = manager.post(pages.adding(Customer), form(program, **{field: value}))
    changed = manager.post(pages.of(customer), form(program, **{field: value}))

    assert "Bob Brown has it already." in pages.text(added)
    assert "Bob Brown has it already." in pages.text(changed)
    assert "Constraint" not in pages.text(added)
    assert set(program.customers.values_list("name", flat=True)) == {"Alice Adams", "Bob Brown"}


def test_changes_a_customer_but_not_the_programme(manager: Browser, program: Program, customer: Customer) -> None:
    other = definitions.create_program(slug=f"other-{program.slug}")

    manager.post(pages.of(customer), form(other))

    changed = Customer.objects.get(pk=customer.pk)
    assert (changed.name, changed.program) == ("Carol", program)


def test_issues_a_card(manager: Browser, customer: Customer) -> None:
    page = manager.post(pages.of(customer, "issue"), {"design": "gold", "valid_through": "2026-03-28"}, follow=True)

    card = customer.cards.get()
    assert f"Alice Adams has the card {card.number} now." in pages.text(page)
    assert (card.design, card.status) == ("gold", "active")
    # Through that day in Vilnius, where the clocks go forward on the next.
    assert card.expires_at == datetime.datetime(2026, 3, 28, 22, tzinfo=datetime.UTC)


def test_issues_a_card_for_today_and_for_ever(manager: Browser, customer: Customer) -> None:
    manager.post(pages.of(customer, "issue"), {"design": "default", "valid_through": "2026-03-02"})
    manager.post(pages.of(customer, "issue"), {"design": "default", "valid_through": ""})

    ends = set(customer.cards.values_list("expires_at", flat=True))
    assert ends == {datetime.datetime(2026, 3, 2, 22, tzinfo=datetime.UTC), None}


@pytest.mark.parametrize("day", ["2026-03-01", "9999-12-31", "soon"])
def test_issues_no_card_that_has_ended(manager: Browser, customer: Customer, day: str) -> None:
    answer = manager.post(pages.of(customer, "issue"), {"design": "default", "valid_through": day})

    assert answer.status_code == 200
    assert not customer.cards.exists()


def test_writes_what_a_customer_is_called_as_text(viewer: Browser, program: Program) -> None:
    mallory = CustomerFactory(program=program, name="<script>alert(1)</script>")

    for address in (pages.of(mallory), pages.listing(Customer)):
        assert b"<script>alert(1)" not in viewer.get(address).content


def test_shows_points_as_their_definition_writes_them(viewer: Browser, program: Program, customer: Customer) -> None:
    miles = definitions.create_definition(program=program, code="miles", name="Miles", decimal_places=2)
    Till(AccountRef(program=program, definition=miles, customer_id=customer.pk)).award(Decimal("1234.50"))

    assert "Miles 1,234.50 0.00" in pages.text(viewer.get(pages.of(customer)))
