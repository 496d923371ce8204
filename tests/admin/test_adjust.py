"""Adjusting points in the admin: through the ledger, with a reason, by somebody, once."""

import datetime
import secrets
import threading
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from cards.models import Customer
from loyalty.models import Program
from points import definitions
from points.models import PointAccount, PointDefinition
from tests.admin import pages
from tests.admin.conftest import ADJUSTER, Browser, staff, trust
from tests.points.till import Till

LONG_AGO = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def form(definition: PointDefinition, **said: Any) -> dict[str, Any]:
    return {"definition": definition.pk, "points": "50", "reason": "Goodwill", "key": str(uuid.uuid4())} | said


def test_posts_through_the_ledger_and_names_the_member_of_staff(
    adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    till.award(100)

    answer = adjuster.post(
        pages.of(customer, "adjust"), form(definition, points="-30", reference="complaint 7"), follow=True
    )

    assert "Adjusted by -30. The balance is 70 now." in pages.text(answer)
    assert answer.redirect_chain[-1][0] == pages.of(customer)
    [_, entry] = till.entries()
    assert (entry.type, entry.points, entry.balance_after) == ("adjust", Decimal(-30), Decimal(100 - 30))
    assert (entry.reason, entry.reference) == ("Goodwill", "complaint 7")
    assert (entry.staff_member, entry.actor) == ("Adam Brown", f"staff:{adjuster.user.username}")
    assert till.left() == [Decimal(70)]


def test_works_from_the_account_too(adjuster: Browser, till: Till, definition: PointDefinition) -> None:
    till.award(100)
    page = adjuster.get(pages.of(till.row(), "adjust"))
    assert "Balance 100" in pages.text(page)

    answer = adjuster.post(pages.of(till.row(), "adjust"), form(definition, key=pages.hidden_key(page)))

    assert answer["Location"] == pages.of(till.row())
    assert till.balance == 100 + 50


def test_makes_the_account_where_nothing_was_posted_yet(
    adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    adjuster.post(pages.of(customer, "adjust"), form(definition))

    assert till.history() == [("adjust", Decimal(50))]


def test_posts_once_when_the_same_page_is_sent_twice(
    adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    sent = form(definition)

    first = adjuster.post(pages.of(customer, "adjust"), sent, follow=True)
    second = adjuster.post(pages.of(customer, "adjust"), sent, follow=True)

    assert "Adjusted by +50. The balance is 50 now." in pages.text(first)
    assert "Adjusted by +50. The balance is 50 now." in pages.text(second)
    assert till.history() == [("adjust", Decimal(50))]


def test_posts_twice_from_two_pages(
    adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    for _ in range(2):
        page = adjuster.get(pages.of(customer, "adjust"))
        adjuster.post(pages.of(customer, "adjust"), form(definition, key=pages.hidden_key(page)))

    assert till.balance == 50 + 50


def test_says_so_when_a_page_that_was_used_is_sent_with_other_values(
    adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    sent = form(definition)
    adjuster.post(pages.of(customer, "adjust"), sent)

    again = adjuster.post(pages.of(customer, "adjust"), sent | {"points": "60"})

    assert "This page has adjusted points already, with other values." in pages.text(again)
    assert till.balance == 50
    # The page that says so can be sent, if that is what is meant.
    adjuster.post(pages.of(customer, "adjust"), sent | {"points": "60", "key": pages.hidden_key(again)})
    assert till.balance == 50 + 60


def test_says_why_the_ledger_refuses(
    adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    till.award(100)

    answer = adjuster.post(pages.of(customer, "adjust"), form(definition, points="-101"))

    assert "There are not enough points: 101 to take away, but the balance is 100." in pages.text(answer)
    assert till.history() == [("award", Decimal(100))]


def test_goes_below_zero_where_the_definition_lets_it(adjuster: Browser, program: Program, customer: Customer) -> None:
    credit = definitions.create_definition(program=program, code="credit", name="Credit", may_go_negative=True)

    answer = adjuster.post(pages.of(customer, "adjust"), form(credit, points="-10"), follow=True)

    assert "The balance is -10 now." in pages.text(answer)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"points": "0"}, "Zero points change nothing."),
        ({"points": "1.5"}, "0 of them decimals"),
        ({"points": "NaN"}, "Enter a number."),
        ({"points": "1" + 15 * "0"}, "no more than 15 digits"),
        ({"reason": ""}, "This field is required."),
        ({"reason": "  "}, "This field is required."),
        ({"reason": "x" * 256}, "at most 255 characters"),
        ({"reason": "a\0b"}, "Null characters are not allowed."),
        ({"key": ""}, "The page did not arrive whole."),
        ({"key": "nonsense"}, "The page did not arrive whole."),
    ],
)
def test_refuses_what_makes_no_sense(
    *,
    adjuster: Browser,
    till: Till,
    customer: Customer,
    definition: PointDefinition,
    said: dict[str, str],
    complaint: str,
) -> None:
    answer = adjuster.post(pages.of(customer, "adjust"), form(definition, **said))

    assert complaint in pages.text(answer)
    assert till.rows() == [] or till.entries() == []


def test_refuses_a_definition_of_another_programme(adjuster: Browser, customer: Customer) -> None:
    other = definitions.create_program(slug=f"other-{uuid.uuid4().hex[:8]}")
    foreign = definitions.find(other, None)

    answer = adjuster.post(pages.of(customer, "adjust"), form(foreign))

    assert "Select a valid choice." in pages.text(answer)
    assert not PointAccount.objects.filter(customer=customer).exists()


def test_says_how_long_to_wait_when_the_limit_of_the_account_is_reached(
    adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition, program: Program
) -> None:
    Program.objects.filter(pk=program.pk).update(transaction_limit=1)
    adjuster.post(pages.of(customer, "adjust"), form(definition))

    answer = adjuster.post(pages.of(customer, "adjust"), form(definition))

    assert "Try again in 60 seconds." in pages.text(answer)
    assert till.balance == 50


def test_shows_the_balance_by_the_clock(adjuster: Browser, till: Till, customer: Customer) -> None:
    till.award(100, expires_at=datetime.datetime(2026, 3, 2, 11, tzinfo=datetime.UTC), at=LONG_AGO)

    assert "Balance 0" in pages.text(adjuster.get(pages.of(customer, "adjust")))
    # Looking posts nothing.
    assert till.history() == [("award", Decimal(100))]


def test_takes_a_very_long_name(program: Program, till: Till, customer: Customer, definition: PointDefinition) -> None:
    long = staff("F" * 150, ADJUSTER, username=secrets.token_hex(75), last_name="L" * 150)
    trust(long, program)

    long.post(pages.of(customer, "adjust"), form(definition))

    [entry] = till.entries()
    assert (len(entry.actor), len(entry.staff_member or "")) == (150, 255)


def test_posts_once_when_it_is_sent_by_many_clicks_at_once(
    adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    sent, barrier = form(definition), threading.Barrier(8)
    statuses = []

    def click() -> None:
        barrier.wait()
        try:
            statuses.append(Browser(adjuster.user).post(pages.of(customer, "adjust"), sent).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [302] * 8
    assert till.history() == [("adjust", Decimal(50))]
