"""The till: a customer's points at a glance, and points awarded and redeemed by one click that posts once."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from cards.models import Card, Customer
from loyalty.models import Program
from points import definitions, ledger, rules
from points.models import AccountRef
from rewards.models import VoucherRule
from tests.admin import counter, pages
from tests.admin.conftest import Browser
from tests.points.threads import at_once
from tests.points.till import NOON, NOTE, Till, days

MERRY = {
    "purchase": {"amount": "25.99"},
    "award": {"points": "50", "reason": "Goodwill"},
    "redeem": {"points": "30"},
}


def test_shows_points_tier_and_what_expires(cashier: Browser, card: Card, till: Till) -> None:
    till.award(700, expires_at=days(40))
    till.award(40, expires_at=days(9))
    till.award(5, expires_at=days(9) + datetime.timedelta(hours=1))
    till.award(7, valid_from=days(1))
    ledger.hold(account=till.account, points=Decimal(15), lasts=datetime.timedelta(hours=1), note=NOTE, at=NOON)

    page = pages.text(cashier.get(counter.of(card.customer)))

    # 15 of the 40 that end first are held.
    assert "Alice Adams" in page
    assert "+370 600 11111" in page
    assert f"Balance {700 + 40 + 5 - 15} Pending 7 Held 15" in page
    assert "Silver 755 points more to Gold" in page
    assert f"Expires within 30 days Wednesday, 11 March {40 - 15 + 5} points" in page
    assert f"{card.number} Active" in page
    # What it did to the balance.
    assert f"Hold · Order reward 2 Mar 2026, 14:00 EET · till -15 {700 + 40 + 5 - 15}" in page


def test_shows_the_last_ten_entries(cashier: Browser, customer: Customer, till: Till) -> None:
    for points in range(1, 12):
        till.award(points)

    page = pages.text(cashier.get(counter.of(customer)))

    last = page[page.index("Last entries") :]
    assert last.count("Award · Order reward") == 10
    assert "+11 66" in last
    assert "+2 3 " in last
    assert "+1 1" not in last.replace("+11 ", "").replace("+10 ", "")


def test_shows_what_there_is_by_the_clock(cashier: Browser, customer: Customer, till: Till) -> None:
    till.award(100, at=days(-60), expires_at=NOON)

    page = pages.text(cashier.get(counter.of(customer)))

    assert "Balance 0 " in page
    assert "Expire · Points expired" in page
    assert "Nothing" in page


def test_shows_somebody_to_whom_nothing_was_ever_posted(cashier: Browser, customer: Customer, till: Till) -> None:
    page = pages.text(cashier.get(counter.of(customer)))

    assert "Balance 0 Pending 0 Held 0" in page
    assert "Nothing was posted yet" in page
    assert till.rows() == []


def test_awards_what_a_purchase_earns(cashier: Browser, customer: Customer, till: Till) -> None:
    page = counter.do(cashier, customer, "purchase", amount="25,99", receipt="R-77")

    assert "+51 points for Alice Adams. The balance is 51 now." in pages.text(page)
    [entry] = till.entries()
    # 51.98, which is 25.99 * 2, floored.
    assert (entry.type, entry.points, entry.reason, entry.reference) == ("award", Decimal(51), "Purchase", "R-77")
    assert (entry.staff_member, entry.actor) == ("Cathy Brown", f"staff:{cashier.user.username}")
    assert entry.metadata is not None
    assert entry.metadata["purchase_amount"] == "25.99"
    assert entry.metadata["calculation"]["points"] == "51"


def test_says_that_the_tier_is_another_now(cashier: Browser, customer: Customer, till: Till) -> None:
    till.award(480)

    page = counter.do(cashier, customer, "purchase", amount="10")

    assert "+20 points for Alice Adams. The balance is 500 now. Silver from now on." in pages.text(page)


def test_awards_by_hand(cashier: Browser, customer: Customer, till: Till) -> None:
    page = counter.do(cashier, customer, "award", points="50", reason="Goodwill")

    assert "+50 points for Alice Adams. The balance is 50 now." in pages.text(page)
    [entry] = till.entries()
    assert (entry.type, entry.points, entry.reason, entry.staff_member) == (
        "award",
        Decimal(50),
        "Goodwill",
        "Cathy Brown",
    )


def test_awards_by_hand_no_more_than_the_rules_allow(
    cashier: Browser, program: Program, customer: Customer, till: Till
) -> None:
    program.earning_rules.create(kind="manual", name="By hand", points=1, most_per_day=60, priority=10)
    rules.publish(program=program, by="test")
    counter.do(cashier, customer, "award", points="50", reason="Goodwill")

    page = counter.do(cashier, customer, "award", points="11", reason="Goodwill")

    assert "More than the limit of 60 points. Left of it: 10 points." in pages.text(page)
    assert till.balance == 50


def test_redeems_points_and_says_what_they_are_worth(cashier: Browser, customer: Customer, till: Till) -> None:
    till.award(100)
    VoucherRule.objects.create(definition=till.account.definition, point_value=Decimal("0.05"))

    page = counter.do(cashier, customer, "redeem", points="30", receipt="R-78")

    assert "Redeemed: 30 points, worth 1.50 EUR. The balance is 70 now." in pages.text(page)
    entry = till.entries()[-1]
    assert (entry.type, entry.points, entry.reference) == ("redeem", Decimal(-30), "R-78")
    assert (entry.staff_member, entry.actor) == ("Cathy Brown", f"staff:{cashier.user.username}")


def test_redeems_points_that_are_worth_nothing_in_money(cashier: Browser, customer: Customer, till: Till) -> None:
    till.award(100)

    page = counter.do(cashier, customer, "redeem", points="30")

    assert "Redeemed: 30 points. The balance is 70 now." in pages.text(page)


@pytest.mark.parametrize(("deed", "said"), MERRY.items())
def test_posts_once_when_the_same_form_is_sent_twice(
    cashier: Browser, customer: Customer, till: Till, deed: str, said: Any
) -> None:
    till.award(100)
    sent = counter.form(cashier.get(counter.of(customer)), deed, **said)

    first = pages.text(cashier.post(counter.of(customer), sent, follow=True))
    second = pages.text(cashier.post(counter.of(customer), sent, follow=True))

    assert len(till.entries()) == 1 + 1
    told = f"The balance is {till.balance:.0f} now."
    assert told in first
    assert told in second


@pytest.mark.parametrize(("deed", "said"), MERRY.items())
def test_posts_once_when_it_is_sent_by_many_clicks_at_once(
    cashier: Browser, customer: Customer, till: Till, deed: str, said: Any
) -> None:
    till.award(100)
    sent = counter.form(cashier.get(counter.of(customer)), deed, **said)

    click = lambda: Browser(cashier.user).post(counter.of(customer), sent).status_code  # noqa: E731
    assert at_once(*[click] * 6) == [302] * 6

    assert len(till.entries()) == 1 + 1


def test_posts_twice_from_two_pages(cashier: Browser, customer: Customer, till: Till) -> None:
    for _ in range(2):
        counter.do(cashier, customer, "award", points="50", reason="Goodwill")

    assert till.balance == 50 + 50


def test_says_so_when_a_form_that_was_used_is_sent_with_other_values(
    cashier: Browser, customer: Customer, till: Till
) -> None:
    sent = counter.form(cashier.get(counter.of(customer)), "award", points="50", reason="Goodwill")
    cashier.post(counter.of(customer), sent)

    again = cashier.post(counter.of(customer), sent | {"award-points": "60"})

    assert "This form was sent before, with other values, and posted." in pages.text(again)
    assert till.balance == 50
    # The form that says so can be sent, if that is what is meant.
    cashier.post(counter.of(customer), counter.form(again, "award", points="60", reason="Goodwill"))
    assert till.balance == 50 + 60


@pytest.mark.parametrize(
    ("deed", "said", "complaint"),
    [
        ("redeem", {"points": "101"}, "There are not enough points: the balance is 100."),
        ("redeem", {"points": "1.5"}, "0 of them decimals"),
        ("redeem", {"points": "0"}, "greater than or equal to 0.01"),
        ("redeem", {"points": "LC0000000042"}, "Enter a number."),
        ("redeem", {"points": "NaN"}, "Enter a number."),
        ("redeem", {"points": "1e999999999"}, "no more than 15 digits"),
        ("redeem", {"points": "10", "receipt": "a\0b"}, "Null characters are not allowed."),
        ("redeem", {"points": "10", "receipt": "x" * 256}, "at most 255 characters"),
        ("award", {"points": "50", "reason": ""}, "This field is required."),
        ("award", {"points": "1" + 15 * "0", "reason": "Rich"}, "no more than 15 digits"),
        ("award", {"points": "1,000", "reason": "Rich"}, "no more than 2 decimal places"),
        ("award", {"points": "-5", "reason": "Less"}, "greater than or equal to 0.01"),
        ("award", {"points": "5", "reason": "Well", "key": "nonsense"}, "The page did not arrive whole."),
        ("award", {"points": "5", "reason": "Well", "key": ""}, "The page did not arrive whole."),
        ("purchase", {"amount": "0.49"}, "This earns no points."),
        ("purchase", {"amount": "much"}, "Enter a number."),
        ("use", {"code": "nonsense"}, "There is no such code."),
        ("use", {"code": "REDEEM-222222"}, "There is no such code."),
        ("use", {"code": "a\0b"}, "Null characters are not allowed."),
        ("reward", {"reward": "nonsense", "points": "x"}, "The page did not arrive whole."),
        ("reward", {"reward": 32 * "0", "points": "5"}, "There is no such reward."),
    ],
)
def test_says_on_the_form_why_not_and_keeps_what_was_typed(
    *, cashier: Browser, customer: Customer, till: Till, deed: str, said: dict[str, str], complaint: str
) -> None:
    till.award(100)
    before = till.everything()
    sent = {"deed": deed, f"{deed}-key": 32 * "0"} | {f"{deed}-{name}": value for name, value in said.items()}

    page = cashier.post(counter.of(customer), sent)

    assert complaint in pages.text(page)
    assert till.everything() == before
    for name, value in said.items():
        if name != "key" and deed != "reward" and "\0" not in value:
            assert counter.has_typed(page, f"{deed}-{name}", value) or not value


@pytest.mark.parametrize("sent", [{}, {"deed": "nonsense"}, {"deed": "a\0b"}, {"deed": "award"}])
def test_does_nothing_with_half_a_form(cashier: Browser, customer: Customer, till: Till, sent: dict[str, str]) -> None:
    page = cashier.post(counter.of(customer), sent, follow=True)

    assert "The page did not arrive whole." in pages.text(page)
    assert till.rows() == []


@pytest.mark.parametrize(("deed", "said"), MERRY.items())
def test_refuses_with_a_card_that_is_blocked(*, cashier: Browser, card: Card, till: Till, deed: str, said: Any) -> None:
    till.award(100)
    before = till.everything()
    Card.objects.filter(pk=card.pk).update(status="blocked")
    address = f"{counter.of(card.customer)}?card={card.number}"
    page = cashier.get(address)
    assert f"Card {card.number} Blocked" in pages.text(page)

    answer = cashier.post(address, counter.form(page, deed, **said))

    assert "The card is blocked." in pages.text(answer)
    assert till.everything() == before


def test_remembers_the_card_in_hand(cashier: Browser, card: Card, till: Till) -> None:
    address = f"{counter.of(card.customer)}?card={card.number}"

    answer = cashier.post(address, counter.form(cashier.get(address), "award", points="5", reason="Thanks"))

    assert answer["Location"] == f"{address}#page"
    [entry] = till.entries()
    assert entry.card_id == card.pk


def test_says_how_long_to_wait_when_the_limit_of_the_account_is_reached(
    cashier: Browser, customer: Customer, till: Till, program: Program
) -> None:
    Program.objects.filter(pk=program.pk).update(transaction_limit=1)
    counter.do(cashier, customer, "award", points="5", reason="Thanks")

    page = counter.do(cashier, customer, "award", points="5", reason="Thanks")

    assert "Try again in 60 seconds." in pages.text(page)
    assert till.balance == 5


def test_is_about_one_kind_of_points_at_a_time(cashier: Browser, program: Program, customer: Customer) -> None:
    miles = definitions.create_definition(program=program, code="miles", name="Miles", decimal_places=2)
    till = Till(AccountRef(program=program, definition=miles, customer_id=customer.pk))
    address = f"{counter.of(customer)}?points=miles"
    assert "?points=miles" in cashier.get(counter.of(customer)).content.decode()
    page = cashier.get(address)
    assert "Award for a purchase" not in pages.text(page)

    answer = cashier.post(address, counter.form(page, "award", points="12.5", reason="Flight"), follow=True)

    assert "+12.50 points for Alice Adams. The balance is 12.50 now." in pages.text(answer)
    assert till.history() == [("award", Decimal("12.5"))]
    sent = {"deed": "purchase", "purchase-key": 32 * "0", "purchase-amount": "100"}
    assert "The page did not arrive whole." in pages.text(cashier.post(address, sent, follow=True))
    assert len(till.entries()) == 1


def test_writes_what_a_customer_is_called_as_text(cashier: Browser, customer: Customer) -> None:
    Customer.objects.filter(pk=customer.pk).update(name="<script>alert(1)</script>")

    assert b"<script>alert(1)" not in cashier.get(counter.of(customer)).content
    assert (
        b"<script>alert(1)" not in cashier.get(counter.search(customer.program), {"q": "script"}, follow=True).content
    )


def test_links_to_the_record_for_those_who_may_see_it(cashier: Browser, superuser: Browser, customer: Customer) -> None:
    assert pages.of(customer) in superuser.get(counter.of(customer)).content.decode()
    assert pages.of(customer) not in cashier.get(counter.of(customer)).content.decode()
