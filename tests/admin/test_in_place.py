"""What is done from a customer's page without leaving it for good: links beside balances, cards, holds and entries, for
whoever may, to pages that lead back there."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cards.models import Card, Customer
from loyalty.models import Program
from points import definitions, ledger
from points.models import AccountRef, PointDefinition
from rewards import persons
from tests.admin import counter, pages
from tests.admin.conftest import ADJUSTER, MANAGER, VIEWER, Browser, staff, trust
from tests.factories import CardFactory, CustomerFactory
from tests.points.till import NOON, Till, days
from tests.rewards.shop import Shop

REVERSAL = {"points": "", "reason": "Returned"}


@pytest.fixture
def helper(program: Program) -> Browser:
    """Somebody who may do all of it, and adjust any number of points."""
    return trust(staff("Hanna", [*MANAGER, *ADJUSTER, "use_till"]), program)


@pytest.fixture
def miles(program: Program) -> PointDefinition:
    return definitions.create_definition(program=program, code="miles", name="Miles", decimal_places=2)


def offered(browser: Browser, customer: Customer) -> dict[str, str]:
    return pages.in_place(browser.get(pages.of(customer)))


def words(browser: Browser, customer: Customer) -> set[str]:
    return {label.partition(",")[0] for label in offered(browser, customer)}


def leads_back(page: Any, customer: Customer) -> bool:
    """This will answer whether the button that cancels leads to the customer's page."""
    return f'href="{pages.of(customer)}"' in page.content.decode().partition("Cancel")[0][-600:]


def hold(till: Till) -> None:
    till.post(ledger.hold, points=Decimal(30), lasts=datetime.timedelta(hours=2))


def test_reverses_an_entry_and_comes_back(helper: Browser, customer: Customer, till: Till) -> None:
    till.award(100)
    address = offered(helper, customer)["Reverse, #1"]
    page = helper.get(address)
    assert "Reverse this award?" in pages.text(page)
    assert leads_back(page, customer)

    answer = helper.post(address, REVERSAL | {"key": pages.hidden_key(page)}, follow=True)

    assert answer.redirect_chain == [(pages.of(customer), 302)]
    assert "Reversed: -100 points." in pages.text(answer)
    assert till.history() == [("award", 100), ("reverse", -100)]


def test_still_comes_back_after_a_refusal(helper: Browser, customer: Customer, till: Till) -> None:
    till.award(100)
    address = offered(helper, customer)["Reverse, #1"]

    page = helper.post(address, REVERSAL | {"points": "101", "key": str(uuid.uuid4())})

    assert "Only 100 points are left to undo of it." in pages.text(page)
    assert leads_back(page, customer)


@pytest.mark.parametrize("word", ["", "account", "https://evil.example/", "//evil.example", "customer/../.."])
def test_leads_nowhere_else_whatever_an_address_says(helper: Browser, card: Card, till: Till, word: str) -> None:
    award = till.award(100)
    for query in ({"from": word}, {"next": word}, {"from": word, "next": "customer"}):
        for row, action, home in ((award, "reverse", pages.of(award)), (card, "block", pages.of(card))):
            page = helper.get(pages.of(row, action), query)
            assert f'href="{home}"' in page.content.decode().partition("Cancel")[0][-600:]
            assert "evil" not in page.content.decode()

    sent = REVERSAL | {"key": str(uuid.uuid4())}
    answer = helper.post(pages.of(award, "reverse"), sent, query_params={"from": word, "next": word})
    assert answer["Location"] == pages.of(till.row())


def test_offers_to_reverse_what_something_is_left_of(helper: Browser, customer: Customer, till: Till) -> None:
    till.award(100)
    till.reverse(till.award(10))
    till.reverse(till.award(20), points=5)
    till.award(7, valid_from=days(-1), expires_at=days(5))
    till.expire(7)
    till.redeem(40)
    hold(till)

    found = {label for label in offered(helper, customer) if label.startswith("Reverse")}

    # Gone are #2, which #3 reversed, and #6, which #7 let expire; of #4 there are 15 points.
    assert found == {"Reverse, #1", "Reverse, #4", "Reverse, #8"}


def test_offers_not_to_reverse_what_was_sent_away_and_back_and_expired(
    helper: Browser, program: Program, customer: Customer, till: Till
) -> None:
    Program.objects.filter(pk=program.pk).update(transfers_enabled=True)
    program.refresh_from_db()
    other = CustomerFactory(program=program)
    friend = Till(AccountRef(program=program, definition=till.account.definition, customer_id=other.pk))
    till.award(100, expires_at=days(5))
    for sender, receiver in ((till, friend), (friend, till)):
        sender.post(ledger.transfer, sender=sender.account, receiver=receiver.account, points=Decimal(100))
    till.award(1, at=days(6))

    assert {label for label in offered(helper, customer) if label.startswith("Reverse")} == {"Reverse, #5"}


def test_leaves_what_paid_for_a_code_to_the_page_of_codes(helper: Browser, customer: Customer, till: Till) -> None:
    till.award(1000)
    shop = Shop(till.account.program)
    shop.redeem(till, shop.reward())

    assert "Reverse, #1" in offered(helper, customer)
    assert "Reverse, #2" not in offered(helper, customer)


def test_blocks_a_card_and_comes_back(helper: Browser, card: Card) -> None:
    address = offered(helper, card.customer)[f"Block, {card.number}"]
    assert leads_back(helper.get(address), card.customer)

    answer = helper.post(address, {"reason": "Lost"}, follow=True)

    assert answer.redirect_chain == [(pages.of(card.customer), 302)]
    assert f"Card {card.number} is blocked." in pages.text(answer)
    assert Card.objects.get(pk=card.pk).status == "blocked"


@pytest.mark.parametrize(
    ("facts", "can"),
    [
        ({"status": "active"}, ["Block", "Replace"]),
        ({"status": "inactive"}, ["Activate", "Block", "Replace"]),
        ({"status": "blocked"}, ["Unblock", "Replace"]),
    ],
)
def test_does_to_a_card_what_its_state_allows(
    helper: Browser, card: Card, facts: dict[str, str], can: list[str]
) -> None:
    Card.objects.filter(pk=card.pk).update(**facts)

    found = {label: address for label, address in offered(helper, card.customer).items() if card.number in label}

    assert list(found) == [f"{word}, {card.number}" for word in can]
    # The last of them: it becomes another card, and leads to the customer all the same.
    answer = helper.post(list(found.values())[-1], {"reason": "Lost"})
    assert answer["Location"] == pages.of(card.customer)
    replaced = Card.objects.get(pk=card.pk)
    assert replaced.replaced_by is not None
    assert f"Replace, {card.number}" not in offered(helper, card.customer)
    assert f"Replace, {replaced.replaced_by.number}" in offered(helper, card.customer)


def test_adjusts_the_points_beside_which_it_was_asked(
    helper: Browser, program: Program, customer: Customer, till: Till, miles: PointDefinition
) -> None:
    till.award(100)
    address = offered(helper, customer)["Adjust, Miles"]
    page = helper.get(address)
    assert f'<option value="{miles.pk}" selected>' in page.content.decode()
    assert leads_back(page, customer)

    sent = {"definition": miles.pk, "points": "1.50", "reason": "Goodwill", "key": pages.hidden_key(page)}
    answer = helper.post(address, sent, follow=True)

    assert answer.redirect_chain == [(pages.of(customer), 302)]
    assert "Adjusted by +1.50. The balance is 1.50 now." in pages.text(answer)
    assert till.balance == 100
    assert Till(AccountRef(program=program, definition=miles, customer_id=customer.pk)).balance == Decimal("1.50")


@pytest.mark.parametrize("points", ["", "nonsense", "a\0b"])
def test_adjusts_the_usual_points_where_the_address_names_none(
    helper: Browser, customer: Customer, definition: PointDefinition, miles: PointDefinition, points: str
) -> None:
    page = helper.get(pages.of(customer, "adjust"), {"points": points})

    assert f'<option value="{definition.pk}" selected>' in page.content.decode()


@pytest.mark.parametrize(
    ("word", "deed", "said", "left"),
    [
        ("Award", "award", {"points": "50", "reason": "Sorry"}, 100 + 50),
        ("Redeem", "redeem", {"points": "30"}, 100 - 30),
    ],
)
def test_awards_and_redeems_at_the_till_and_comes_back(
    *,
    helper: Browser,
    customer: Customer,
    miles: PointDefinition,
    till: Till,
    word: str,
    deed: str,
    said: dict[str, str],
    left: int,
) -> None:
    account = Till(AccountRef(program=customer.program, definition=miles, customer_id=customer.pk))
    account.award(100)
    till.award(1)
    address, _, place = offered(helper, customer)[f"{word}, Miles"].partition("#")
    page = helper.get(address)
    assert f'id="{place}"' in page.content.decode()
    assert place == deed
    # To other points, and still back from there.
    assert 'href="?points=points&amp;from=customer"' in page.content.decode()

    answer = helper.post(address, counter.form(page, deed, **said), follow=True)

    assert answer.redirect_chain == [(f"{pages.of(customer)}#page", 302)]
    assert f"The balance is {left}.00 now." in pages.text(answer)
    assert (account.balance, till.balance) == (left, 1)


def test_stays_at_the_till_with_what_it_refuses(helper: Browser, customer: Customer, till: Till) -> None:
    till.award(100)
    address = offered(helper, customer)["Redeem, Points"].partition("#")[0]

    page = helper.post(address, counter.form(helper.get(address), "redeem", points="101"))

    assert "There are not enough points: the balance is 100." in pages.text(page)
    answer = helper.post(address, counter.form(page, "redeem", points="100"))
    assert answer["Location"] == f"{pages.of(customer)}#page"


def test_leaves_somebody_at_the_till_who_may_not_see_customers(
    cashier: Browser, helper: Browser, customer: Customer, till: Till
) -> None:
    address = offered(helper, customer)["Award, Points"].partition("#")[0]

    answer = cashier.post(address, counter.form(cashier.get(address), "award", points="5", reason="Sorry"))

    assert answer["Location"] == f"{address}#page"
    assert till.balance == 5


def test_releases_a_hold_and_comes_back(helper: Browser, customer: Customer, till: Till) -> None:
    till.award(100)
    hold(till)
    address = offered(helper, customer)["Release, 30 points"]
    page = helper.get(address)
    assert leads_back(page, customer)

    answer = helper.post(address, {"key": pages.hidden_key(page)})

    assert answer["Location"] == pages.of(customer)
    assert till.balance == 100


@pytest.mark.parametrize(
    ("permission", "can"),
    [
        ("view_customer", set()),
        ("use_till", {"Award", "Redeem"}),
        ("adjust_points", {"Adjust", "Release", "Reverse"}),
        ("change_card", {"Block", "Replace"}),
    ],
)
def test_offers_what_somebody_may(customer: Customer, card: Card, till: Till, permission: str, can: set[str]) -> None:
    till.award(100)
    hold(till)

    assert words(staff("Vera", [*VIEWER, permission]), customer) == can


def test_offers_nothing_on_a_record_that_is_over(helper: Browser, program: Program, card: Card, till: Till) -> None:
    alice, bob = card.customer, CustomerFactory(program=program, name="Bob Brown")
    till.award(100)
    persons.merge(customer=alice, into=bob, actor="test", at=NOON)
    assert words(helper, alice) == set()
    assert words(helper, bob) >= {"Adjust", "Award", "Redeem", "Block", "Replace"}

    persons.erase(customer=bob, actor="test", at=NOON)
    assert words(helper, bob) == set()


def test_asks_the_database_no_more_for_more_entries_and_cards(helper: Browser, customer: Customer, till: Till) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            helper.get(pages.of(customer))
        return len(captured)

    def happen() -> None:
        CardFactory(customer=customer)
        till.award(10)
        till.redeem(1)
        till.reverse(till.award(5), points=1)

    till.award(100)
    happen()
    hold(till)
    few, links = queries(), len(offered(helper, customer))
    happen()
    hold(till)
    assert len(offered(helper, customer)) > links
    assert queries() == few
