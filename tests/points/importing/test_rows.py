"""What becomes of the rows of a file."""

import datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from cards.models import Card
from points import definitions
from tests.points.importing.shop import ALICE, ALICE_AND_BOB, BOB, at


def test_awards_the_points_of_each_purchase(shop):
    report = shop.run(ALICE_AND_BOB)
    assert shop.balances() == {"alice": ALICE, "bob": BOB}
    assert report.pop("Seconds")
    assert report == {
        "Rows": "3",
        "Posted": "3",
        "Replayed": "0",
        "Earned nothing": "0",
        "Bad": "0",
        "Customers": "2 (2 new)",
        "Points": "90",
    }
    assert not shop.rejects.exists()
    assert shop.warning == ""


def test_posts_in_the_order_of_the_dates_with_their_moments_as_the_clock(shop):
    shop.run(ALICE_AND_BOB)
    first, second = shop.entries("alice")
    # The second row of the file is the earlier purchase. Vilnius is two hours ahead of UTC in winter.
    assert (first.points, first.effective_at) == (10, at("2026-01-09T22:00Z"))
    assert (second.points, second.effective_at) == (20, at("2026-01-31T22:00Z"))
    assert second.transaction_date == second.effective_at
    assert second.created_at > timezone.now() - datetime.timedelta(minutes=5)


def test_expires_what_had_expired_before_the_next_purchase(shop):
    shop.run("customer,date,amount\nalice,2024-01-10,5.00\nalice,2025-02-01,10.00\n")
    # The points last 12 months, and local midnight of 10 January 2025 is 22:00 UTC of the day before.
    assert [(e.type, e.points, e.effective_at) for e in shop.entries("alice")] == [
        ("award", 10, at("2024-01-09T22:00Z")),
        ("expire", -10, at("2025-01-09T22:00Z")),
        ("award", 20, at("2025-01-31T22:00Z")),
    ]


def test_remembers_what_was_bought(shop):
    shop.run("customer,date,amount,items,order\nalice,2026-02-01,10.25,3,A-1\nbob,2026-02-01,1,,\n")
    [entry] = shop.entries("alice")
    assert (entry.reason, entry.actor, entry.reference) == ("Purchase", "import", "A-1")
    assert entry.metadata == {"amount": "10.25", "items": 3}
    assert entry.card.customer.external_id == "alice"
    [entry] = shop.entries("bob")
    assert (entry.reference, entry.metadata) == (None, {"amount": "1"})


@pytest.mark.parametrize(
    ("amount", "rate", "places", "points"),
    [
        ("0.29", "100", 0, "29"),  # 28.999999999999996 in floating point
        ("12.99", "2", 0, "25"),  # 25.98
        ("12.55", "0.5", 2, "6.27"),  # 6.275
        ("1000000000.99", "999.999999", 2, "999999999989.99"),  # 999999999989.99999901
    ],
)
def test_rounds_down_to_the_decimals_of_the_definition(shop, amount, rate, places, points):
    definitions.create_definition(program=shop.program, code="other", name="Other", decimal_places=places)
    shop.run(f"customer,date,amount\nalice,2026-02-01,{amount}\n", rate=rate, definition="other")
    [entry] = shop.entries("alice")
    assert entry.points == Decimal(points)


def test_makes_customer_and_card_of_a_row_that_earns_nothing(shop):
    report = shop.run("customer,date,amount\nalice,2026-02-01,0.00\nalice,2026-02-01,0.49\nbob,2026-02-01,0.50\n")
    assert (report["Earned nothing"], report["Posted"], report["Bad"]) == ("2", "1", "0")
    assert Card.objects.get(customer__external_id="alice", program=shop.program).status == "active"
    assert shop.balances() == {"bob": 1}


def test_posts_rows_that_repeat_each_other_exactly(shop):
    report = shop.run("customer,date,amount\nalice,2026-02-01,5.00\nalice,2026-02-01,5.00\n")
    assert report["Posted"] == "2"
    assert shop.balances() == {"alice": 10 + 10}
