import datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cards.models import Card
from loyalty.models import Program
from tests.api.management.till import Till
from tests.api.management.till import data as management_data
from tests.api.shop.till import ShopTill, data, error
from tests.factories import CardFactory, CustomerFactory, make_definition

NOON = datetime.datetime(2026, 1, 15, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def ask(till: ShopTill, card: Card | None = None) -> dict:
    return data(till.get(f"points/card/{(card or till.card).serial}/balance"), 200)


def test_tells_zeros_of_a_new_card(till: ShopTill) -> None:
    told = ask(till)
    assert told == {
        "card": {"id": till.card.serial, "card_number": till.card.number, "status": "active"},
        "balance": {
            "current_points": 0,
            "pending_points": 0,
            "held_points": 0,
            "lifetime_earned": 0,
            "lifetime_redeemed": 0,
            "expires_soon": 0,
            "next_expiry_date": None,
        },
        "tier": {
            "current_tier": "Bronze",
            "tier_level": 1,
            "progress_percentage": 0,
            "points_to_next_tier": 500,
            "next_tier": "Silver",
            "tier_benefits": told["tier"]["tier_benefits"],
            "points_to_keep_tier": 0,
            "projected_tier": "Bronze",
            "tier_until": None,
        },
        "statistics": {
            "transactions_count": 0,
            "last_activity": None,
            "member_since": till.card.customer.created_at.isoformat().replace("+00:00", "Z"),
        },
    }


def test_tells_what_there_is(till: ShopTill) -> None:
    management = Till(till.program, till.card)
    with time_machine.travel(NOON, tick=False) as clock:
        management.award(600)
        management.award(25, expires_at=(NOON + 10 * DAY).isoformat())
        management.award(30, expires_at=(NOON + 20 * DAY).isoformat())
        management.award(7, valid_from="2099-01-01")
        clock.shift(60)
        management.redeem(5)
        told = ask(till)
    assert told["balance"] == {
        "current_points": 600 + 25 + 30 - 5,
        "pending_points": 7,
        "held_points": 0,
        "lifetime_earned": 600 + 25 + 30,
        "lifetime_redeemed": 5,
        # What ends first is spent first.
        "expires_soon": 25 - 5 + 30,
        "next_expiry_date": "2026-01-25T12:00:00Z",
    }
    assert told["tier"] == {
        "current_tier": "Silver",
        "tier_level": 2,
        # Of the 1,000 points from Silver to Gold, 655 - 500.
        "progress_percentage": 15,
        "points_to_next_tier": 1500 - 655,
        "next_tier": "Gold",
        "tier_benefits": ["25% more points"],
        "points_to_keep_tier": 0,
        "projected_tier": "Silver",
        "tier_until": None,
    }
    assert told["statistics"]["transactions_count"] == 5
    assert told["statistics"]["last_activity"] == "2026-01-15T12:01:00Z"


def test_looks_further_ahead_for_the_next_expiry(till: ShopTill) -> None:
    with time_machine.travel(NOON, tick=False):
        data(till.award(10), 201)
        told = ask(till)["balance"]
    assert (told["expires_soon"], told["next_expiry_date"]) == (0, "2027-01-15T12:00:00Z")


def test_is_right_although_nothing_was_settled(till: ShopTill) -> None:
    management = Till(till.program, till.card)
    with time_machine.travel(NOON, tick=False) as clock:
        management.award(25, expires_at=(NOON + 10 * DAY).isoformat())
        clock.shift(11 * DAY)
        told = ask(till)["balance"]
    assert (told["current_points"], told["lifetime_earned"], told["next_expiry_date"]) == (0, 25, None)


def test_is_at_the_top_of_the_highest_tier(till: ShopTill) -> None:
    data(till.award(5000), 201)
    tier = ask(till)["tier"]
    assert (tier["current_tier"], tier["tier_level"], tier["progress_percentage"]) == ("Platinum", 4, 100)
    assert (tier["points_to_next_tier"], tier["next_tier"]) == (None, None)


def test_knows_no_tier_where_the_programme_has_none(program: Program) -> None:
    make_definition(program)
    till = ShopTill(program, CardFactory(customer=CustomerFactory(program=program)))
    assert ask(till)["tier"] == {
        "current_tier": None,
        "tier_level": 0,
        "progress_percentage": 0,
        "points_to_next_tier": None,
        "next_tier": None,
        "tier_benefits": [],
        "points_to_keep_tier": None,
        "projected_tier": None,
        "tier_until": None,
    }


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"status": "blocked"}, "blocked"),
        ({"status": "inactive"}, "inactive"),
        ({"expires_at": NOON}, "expired"),
    ],
)
def test_tells_also_of_a_card_that_is_stopped(till: ShopTill, change: dict, status: str) -> None:
    data(till.award(10), 201)
    Card.objects.filter(pk=till.card.pk).update(**change)
    told = ask(till)
    assert (told["card"]["status"], told["balance"]["current_points"]) == (status, 10)


def test_is_the_customers_whichever_card_is_asked(till: ShopTill) -> None:
    second = CardFactory(customer=till.card.customer)
    data(till.award(10), 201)
    told = ask(till, second)
    assert (told["card"]["id"], told["balance"]["current_points"]) == (second.serial, 10)


@pytest.mark.parametrize("reference", ["0", "-1", "x", "1.0", "9" * 15, "9" * 400, "٣", "card_1", "%00", "1%0a"])
def test_knows_no_card_of_such_a_number(till: ShopTill, reference: str) -> None:
    error(till.get(f"points/card/{reference}/balance"), 404, "CARD_NOT_FOUND")


def test_knows_no_card_of_another_programme(till: ShopTill, stranger: ShopTill) -> None:
    error(till.get(f"points/card/{stranger.card.serial}/balance"), 404, "CARD_NOT_FOUND")


def test_writes_nothing(till: ShopTill) -> None:
    data(till.award(10), 201)
    with CaptureQueriesContext(connection) as queries:
        ask(till)
    assert not [one["sql"] for one in queries if one["sql"].lstrip().startswith(("INSERT", "UPDATE", "DELETE"))]


def test_tells_decimals_where_the_definition_has_some(till: ShopTill) -> None:
    management = Till(till.program, till.card)
    till.program.definitions.update(decimal_places=2)
    management_data(management.award(10.5), 201)
    assert ask(till)["balance"]["current_points"] == 10.5
