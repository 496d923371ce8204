"""The till's search field: what staff scan or type, and who it means in this programme."""

import secrets
from typing import Any

import pytest
from django.urls import reverse

from cards.models import Card, Customer
from loyalty import ids
from loyalty.models import Program
from points import definitions
from rewards import persons
from tests.admin import counter, pages
from tests.admin.conftest import Browser, staff
from tests.factories import CardFactory, CustomerFactory
from tests.points.till import NOON


def asked(browser: Browser, program: Program, term: str) -> Any:
    return browser.get(counter.search(program), {"q": term})


@pytest.fixture
def bob(program: Program) -> Customer:
    return CustomerFactory(
        program=program, name="Bob Brown", email="bob@example.com", external_id="17", phone="555 017"
    )


def test_leads_to_whom_a_term_means(cashier: Browser, program: Program, customer: Customer, bob: Customer) -> None:
    assert customer.email is not None
    for term in (
        customer.email.upper(),
        "adams alice",
        "+37060011111",
        str(customer.pk),
        ids.public("cus", customer.pk),
    ):
        assert asked(cashier, program, term)["Location"] == counter.of(customer), term
    # The shop's own id means that customer, although it is in the other's phone number, too.
    CustomerFactory(program=program, name="Dora", phone="17171")
    assert asked(cashier, program, " 17 ")["Location"] == counter.of(bob)


def test_leads_to_a_customer_with_the_card_in_hand(cashier: Browser, program: Program, card: Card) -> None:
    address = f"{counter.of(card.customer)}?card={card.number}"

    spoken = f"{card.number[:2].lower()} {card.number[2:8]} {card.number[8:]}"
    for term in (card.number, spoken, ids.public("card", card.pk)):
        assert asked(cashier, program, term)["Location"] == address, term
    assert f"Card {card.number} Active" in pages.text(cashier.get(address))


def test_lists_at_most_twenty_to_choose_from(cashier: Browser, program: Program) -> None:
    # Without an address, in which there could be a number, too.
    people = [CustomerFactory(program=program, name=f"Twin {n:02}", email=None) for n in range(21)]

    page = asked(cashier, program, "twin")

    assert "Twin 19" in pages.text(page)
    assert "Twin 20" not in pages.text(page)
    assert "There are more" in pages.text(page)
    assert counter.of(people[0]) in page.content.decode()
    assert "There are more" not in pages.text(asked(cashier, program, "twin 1"))


@pytest.mark.parametrize(
    "term",
    ["nobody", "LC999999999999", "cus_" + 32 * "0", "card_" + 32 * "0", "REDEEM-222222", "redeem-", "%", "' OR 1=1 --"],
)
def test_says_that_nobody_is_found(cashier: Browser, program: Program, card: Card, term: str) -> None:
    page = asked(cashier, program, term)

    assert "Nobody in Corner Shop is found" in pages.text(page)
    assert "Alice" not in pages.text(page)


@pytest.mark.parametrize(
    ("term", "complaint"),
    [("a\0b", "Null characters are not allowed."), ("x" * 256, "at most 255 characters"), ("  ", "required")],
)
def test_says_what_it_cannot_look_for(
    cashier: Browser, program: Program, card: Card, term: str, complaint: str
) -> None:
    assert complaint in pages.text(asked(cashier, program, term))


def test_finds_nobody_of_another_programme(cashier: Browser, program: Program, card: Card) -> None:
    other = definitions.create_program(slug=f"other-{secrets.token_hex(6)}", name="Other Shop")
    customer = card.customer

    for term in (card.number, customer.email, customer.name, str(customer.pk)):
        assert "Nobody in Other Shop is found" in pages.text(asked(cashier, other, str(term)))
    elsewhere = reverse("till_customer", args=[other.slug, customer.pk])
    assert cashier.get(elsewhere).status_code == 404
    assert cashier.post(elsewhere, {"deed": "award"}).status_code == 404


def test_leads_to_whom_a_customer_was_merged_into(
    cashier: Browser, program: Program, card: Card, bob: Customer
) -> None:
    persons.merge(customer=card.customer, into=bob, actor="test", at=NOON)

    assert asked(cashier, program, "Alice Adams")["Location"] == counter.of(bob)
    assert asked(cashier, program, card.number)["Location"] == f"{counter.of(bob)}?card={card.number}"
    assert cashier.get(counter.of(card.customer))["Location"] == counter.of(bob)
    # What was asked for of the one, but not a card that may be another's by now.
    said = cashier.get(counter.of(card.customer), {"points": "points", "from": "customer", "card": card.number})
    assert said["Location"] == f"{counter.of(bob)}?from=customer&points=points"


def test_knows_nobody_who_was_erased(cashier: Browser, program: Program, card: Card) -> None:
    persons.erase(customer=card.customer, actor="test", at=NOON)

    for term in (str(card.customer.pk), card.number):
        assert "Nobody in Corner Shop is found" in pages.text(asked(cashier, program, term))
    assert cashier.get(counter.of(card.customer)).status_code == 404


def test_remembers_the_programme(cashier: Browser, program: Program) -> None:
    other = definitions.create_program(slug=f"other-{secrets.token_hex(6)}", name="Other Shop")

    for known in (program, other, program):
        page = cashier.get(counter.search(known))
        assert counter.search(other) in page.content.decode()
        assert cashier.get(reverse("till"))["Location"] == counter.search(known)


def test_asks_for_the_programme_where_there_are_several(cashier: Browser, program: Program) -> None:
    definitions.create_program(slug=f"other-{secrets.token_hex(6)}", name="Other Shop")

    page = cashier.get(reverse("till"))

    assert "Which programme is it for?" in pages.text(page)
    assert counter.search(program) in page.content.decode()
    assert 'role="search"' not in page.content.decode()


@pytest.mark.parametrize("query", ["points=nonsense", "points=%00", "card=nonsense", "card=%00", "card=LC000000000000"])
def test_passes_by_what_an_address_has_wrong(cashier: Browser, card: Card, query: str) -> None:
    page = pages.text(cashier.get(f"{counter.of(card.customer)}?{query}"))

    assert "Award for a purchase" in page
    assert f"Card {card.number}" not in page


def test_passes_by_a_card_of_somebody_else(cashier: Browser, card: Card, bob: Customer) -> None:
    CardFactory(customer=bob)

    assert card.number not in pages.text(cashier.get(f"{counter.of(bob)}?card={card.number}"))


def test_is_not_there_for_a_programme_that_is_none(cashier: Browser, customer: Customer) -> None:
    for address in ("/admin/till/nowhere/", f"/admin/till/nowhere/customers/{customer.pk}/", "/admin/till/a%00b/"):
        assert cashier.get(address).status_code == 404


def test_is_for_those_who_may_use_it(viewer: Browser, manager: Browser, program: Program, customer: Customer) -> None:
    for address in (reverse("till"), counter.search(program), counter.of(customer), counter.of_code(program, "X")):
        for browser in (viewer, manager, staff("Nora", [])):
            assert browser.get(address).status_code == 403
            assert browser.post(address, {"deed": "award"}).status_code == 403


def test_is_the_first_thing_in_the_sidebar(cashier: Browser, superuser: Browser, viewer: Browser) -> None:
    first, till, customers = (f'href="{page}"' for page in ("/admin/", reverse("till"), pages.listing(Customer)))
    of_cashier, of_superuser, of_viewer = (
        browser.get(reverse("admin:index")).content.decode() for browser in (cashier, superuser, viewer)
    )

    assert till in of_cashier
    assert customers not in of_cashier
    assert of_superuser.index(first) < of_superuser.index(till) < of_superuser.index(customers)
    assert till not in of_viewer


def test_has_the_cursor_in_the_search_field(cashier: Browser, program: Program, customer: Customer) -> None:
    for address in (counter.search(program), counter.of(customer)):
        assert 'type="search" name="q" value="" autofocus' in cashier.get(address).content.decode()
