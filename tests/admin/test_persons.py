"""Customers who became others or nobody: merged by two pages, erased by one, and left alone from then on."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from cards.models import Card, Customer
from loyalty import ids
from loyalty.models import Program
from points import definitions
from points.models import PointDefinition
from rewards import persons
from tests.admin import pages
from tests.admin.conftest import Browser, staff
from tests.factories import CardFactory, CustomerFactory
from tests.points.threads import at_once
from tests.points.till import NOON, Till, breaches


@pytest.fixture
def bob(program: Program) -> Customer:
    return CustomerFactory(program=program, name="Bob Brown", email="Bob@example.com", external_id="B-17")


@pytest.fixture
def his(till: Till, bob: Customer) -> Till:
    return Till(till.account.of(bob.pk))


def both(customer: Customer, into: Customer) -> str:
    """This will answer where both are shown before they are merged."""
    return f"{pages.of(customer, 'merge')}?into={into.pk}"


def test_finds_the_other_by_a_card_an_address_or_an_id(manager: Browser, customer: Customer, bob: Customer) -> None:
    card = CardFactory(customer=bob)
    assert "nothing happens yet" in pages.text(manager.get(pages.of(customer, "merge")))

    for term in (card.number.lower(), "BOB@example.com", "B-17", str(bob.pk), f" {ids.public('cus', bob.pk)} "):
        answer = manager.post(pages.of(customer, "merge"), {"other": term})
        assert answer["Location"] == both(customer, bob), term


def test_names_whom_the_other_was_merged_into(
    manager: Browser, program: Program, customer: Customer, bob: Customer
) -> None:
    carol = CustomerFactory(program=program, name="Carol")
    persons.merge(customer=bob, into=carol, actor="test", at=NOON)

    assert manager.post(pages.of(customer, "merge"), {"other": "B-17"})["Location"] == both(customer, carol)


@pytest.mark.parametrize(
    ("term", "complaint"),
    [
        ("nobody", "Nobody in this programme has this"),
        ("LC999999999999", "Nobody in this programme has this"),
        ("cus_" + 32 * "0", "Nobody in this programme has this"),
        ("elsewhere@example.com", "Nobody in this programme has this"),
        ("erased", "Nobody in this programme has this"),
        ("self", "That is this customer."),
        ("", "This field is required."),
        ("a\0b", "Null characters are not allowed."),
        ("x" * 256, "at most 255 characters"),
    ],
)
def test_says_that_there_is_no_such_other(
    *, manager: Browser, program: Program, customer: Customer, bob: Customer, term: str, complaint: str
) -> None:
    other = definitions.create_program(slug=f"other-{program.slug}")
    CustomerFactory(program=other, email="elsewhere@example.com")
    persons.erase(customer=bob, actor="test", at=NOON)
    named = {"self": str(customer.pk), "erased": str(bob.pk)}.get(term, term)

    answer = manager.post(pages.of(customer, "merge"), {"other": named})

    assert complaint in pages.text(answer)


@pytest.mark.parametrize("key", ["nonsense", 32 * "0", "%00", "self"])
def test_asks_again_where_the_address_names_nobody_else(manager: Browser, customer: Customer, key: str) -> None:
    named = str(customer.pk) if key == "self" else key

    page = pages.text(manager.get(f"{pages.of(customer, 'merge')}?into={named}"))

    assert "nothing happens yet" in page


def test_shows_both_sides_first(manager: Browser, card: Card, till: Till, bob: Customer, his: Till) -> None:
    till.award(100)
    his.award(7)
    theirs = CardFactory(customer=bob)

    page = pages.text(manager.get(both(card.customer, bob)))

    assert "Merge Alice Adams into Bob Brown?" in page
    goes, stays = page.split("This one stays")
    assert f"Customer Alice Adams E-mail {card.customer.email}" in goes
    assert f"Cards {card.number} Balance 100" in goes
    assert f"Cards {theirs.number} Balance 7" in stays
    assert till.history() == [("award", Decimal(100))]


def test_shows_no_balances_to_those_who_may_not_see_them(card: Card, till: Till, bob: Customer) -> None:
    till.award(100)

    page = pages.text(staff("Saul", ["view_customer", "change_customer"]).get(both(card.customer, bob)))

    assert "This one goes" in page
    assert "Balance" not in page
    assert card.number not in page


def test_merges_once_however_often_it_is_sent(
    manager: Browser, card: Card, till: Till, bob: Customer, his: Till
) -> None:
    till.award(100)
    his.award(7)
    customer = card.customer

    clicks = at_once(*[lambda: Browser(manager.user).post(both(customer, bob))["Location"]] * 3)

    assert clicks == [pages.of(bob)] * 3
    assert [kind for kind, _ in his.history()] == ["award", "merge"]
    assert his.balance == 100 + 7
    assert Customer.objects.get(pk=customer.pk).merged_into == bob
    assert Card.objects.get(pk=card.pk).customer == bob
    assert his.entries()[-1].actor == f"staff:{manager.user.username}"
    assert breaches(bob.program) == set()


def test_says_who_is_whom_from_now_on(manager: Browser, customer: Customer, bob: Customer) -> None:
    page = manager.post(both(customer, bob), follow=True)

    assert "Merged. All that both customers had is Bob Brown's now." in pages.text(page)
    assert page.redirect_chain[-1][0] == pages.of(bob)


def test_says_why_they_cannot_be_merged(
    manager: Browser, customer: Customer, till: Till, bob: Customer, his: Till
) -> None:
    till.award("9" * 15)
    his.award("9" * 15)
    before = (till.everything(), his.everything())

    answer = manager.post(both(customer, bob))

    assert "Merge for good" in pages.text(answer)
    assert "errornote" in answer.content.decode()
    assert (till.everything(), his.everything()) == before
    assert Customer.objects.get(pk=customer.pk).merged_into is None


def test_leaves_a_merged_customer_alone(superuser: Browser, customer: Customer, till: Till, bob: Customer) -> None:
    till.award(100)
    persons.merge(customer=customer, into=bob, actor="test", at=NOON)

    page = superuser.get(pages.of(customer))
    assert "Merged into Bob Brown . Nothing is changed here any more." in pages.text(page)
    assert pages.of(bob) in page.content.decode()
    is_left_alone(superuser, customer)
    assert superuser.post(pages.of(customer, "merge"))["Location"] == pages.of(bob)


def is_left_alone(superuser: Browser, customer: Customer) -> None:
    """Nothing can be done to the customer any more, also not by addresses."""
    page = superuser.get(pages.of(customer))
    assert 'name="_save"' not in page.content.decode()
    for deed in ("Adjust points", "Issue a card", "Merge into another", "Erase"):
        assert deed not in pages.text(page).replace("Erased", "")
    before = Customer.objects.values().get(pk=customer.pk)
    sent: dict[str, Any] = {"name": "Mine", "reason": "Mine", "points": "5", "design": "mine", "key": 32 * "0"}
    assert superuser.post(pages.of(customer), sent).status_code == 403
    for action in ("adjust", "issue"):
        assert superuser.get(pages.of(customer, action)).status_code == 404
        assert superuser.post(pages.of(customer, action), sent).status_code == 404
    assert Customer.objects.values().get(pk=customer.pk) == before
    assert not customer.cards.filter(design="mine").exists()


def test_says_what_goes_and_what_stays_before_it_erases(eraser: Browser, card: Card, till: Till) -> None:
    till.award(100)

    page = pages.text(eraser.get(pages.of(card.customer, "erase")))

    assert "Erase Alice Adams?" in page
    assert f"Cards {card.number} Balance 100" in page
    assert "What goes Name, e-mail address, phone" in page
    assert "What stays The entries of the ledger" in page
    assert "All points are forfeited" in page
    assert till.history() == [("award", Decimal(100))]


def test_erases_once(eraser: Browser, program: Program, card: Card, till: Till) -> None:
    till.award(100)
    customer = card.customer

    for _ in range(2):
        page = eraser.post(pages.of(customer, "erase"), follow=True)
        assert page.redirect_chain[-1][0] == pages.of(customer)
        assert "Erased on 2 Mar 2026, 14:00 EET" in pages.text(page)

    erased = Customer.objects.get(pk=customer.pk)
    assert (erased.name, erased.email, erased.phone) == ("", None, "")
    assert Card.objects.get(pk=card.pk).status == "inactive"
    assert (till.balance, len(till.entries())) == (0, 2)
    assert till.entries()[-1].actor == f"staff:{eraser.user.username}"
    assert breaches(program) == set()


def test_erases_the_names_in_the_admins_log(
    manager: Browser, eraser: Browser, card: Card, definition: PointDefinition
) -> None:
    customer = card.customer
    manager.post(pages.of(customer, "issue"), {"design": "gold"})
    manager.post(pages.of(card, "block"), {"reason": "Alice lost it"})
    logged = LogEntry.objects.filter(object_id__in=[str(customer.pk), str(card.pk)])
    assert {("Alice Adams", True), (card.number, True)} == {
        (row.object_repr, bool(row.change_message)) for row in logged
    }

    eraser.post(pages.of(customer, "erase"))

    for row in logged.all():
        assert "Alice" not in row.object_repr
        assert "Alice" not in row.change_message


def test_leaves_an_erased_customer_alone(superuser: Browser, card: Card) -> None:
    customer = card.customer
    persons.erase(customer=customer, actor="test", at=NOON)

    is_left_alone(superuser, customer)
    assert superuser.post(pages.of(customer, "merge"), {"other": "x"}).status_code == 404
    page = superuser.get(pages.of(card))
    assert 'name="_save"' not in page.content.decode()
    for deed in ("Activate", "Block", "Replace"):
        assert deed not in pages.text(page).replace("Blocked since", "").replace("Replaced by", "")
    assert superuser.post(pages.of(card), {"design": "mine"}).status_code == 403


def listed(browser: Browser, program: Program, **asked: str) -> dict[str, str]:
    """This will answer the customers who are listed, by name, and what the list says became of them."""
    answer = browser.get(pages.listing(Customer), {"program__id__exact": program.pk} | asked)
    text = pages.text(answer)
    return {str(customer): text for customer in answer.context["cl"].result_list}


def test_lists_customers_of_today_unless_others_are_asked_for(
    viewer: Browser, program: Program, customer: Customer, bob: Customer
) -> None:
    carol = CustomerFactory(program=program, name="Carol")
    persons.merge(customer=customer, into=bob, actor="test", at=NOON)
    persons.erase(customer=carol, actor="test", at=NOON)

    assert set(listed(viewer, program)) == {"Bob Brown"}
    merged = listed(viewer, program, became="merged")
    assert set(merged) == {"Alice Adams"}
    assert "Merged into Bob Brown" in merged["Alice Adams"]
    erased = listed(viewer, program, became="erased")
    assert set(erased) == {str(carol.pk)}
    assert "Erased on 2 Mar 2026, 14:00 EET" in erased[str(carol.pk)]
    assert set(listed(viewer, program, became="all")) == {"Alice Adams", "Bob Brown", str(carol.pk)}
    assert set(listed(viewer, program, became="nonsense")) == {"Bob Brown"}


def test_finds_the_customer_of_today_by_a_name_of_before(
    viewer: Browser, program: Program, customer: Customer, bob: Customer
) -> None:
    persons.merge(customer=customer, into=bob, actor="test", at=NOON)

    assert set(listed(viewer, program, q="Alice Adams")) == {"Bob Brown"}
    assert set(listed(viewer, program, q=str(customer.pk), became="all")) == {"Alice Adams", "Bob Brown"}
