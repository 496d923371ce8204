import datetime
from typing import Any

import pytest
import time_machine

from loyalty.models import Program
from points.models import PointAccount, PointTransaction
from tests.api.management.till import Till, data, error

MORNING = datetime.datetime(2026, 1, 2, 9, tzinfo=datetime.UTC)


def history(till: Till, **query: Any) -> dict[str, Any]:
    return data(till.get(f"points/history/{till.card_id}", **query), 200)


def points_of(till: Till, **query: Any) -> list[Any]:
    return [entry["points"] for entry in history(till, **query)["transactions"]]


@pytest.fixture
def week(till: Till) -> Till:
    """A posting a day: 100, 50 (both order_77), -30 (by Bob), an adjustment of -5, an expiry of 10."""
    with time_machine.travel(MORNING, tick=False) as clock:
        till.award(100, reference="order_77")
        clock.shift(datetime.timedelta(days=1))
        till.award(50, reference="order_77", expires_at="2026-06-01", metadata={"n": 1})
        clock.shift(datetime.timedelta(days=1))
        till.redeem(30, staff_member="Bob")
        clock.shift(datetime.timedelta(days=1))
        till.adjust(-5, staff_member="Bob")
        clock.shift(datetime.timedelta(days=1))
        till.expire(points=10)
        yield till


def test_lists_the_newest_first_with_a_summary(week: Till) -> None:
    told = history(week)
    assert [entry["type"] for entry in told["transactions"]] == ["expire", "adjust", "redeem", "award", "award"]
    assert told["summary"] == {
        "total_transactions": 5,
        "points_awarded": 100 + 50,
        "points_redeemed": 30,
        "points_expired": 10,
        "current_balance": 100 + 50 - 30 - 5 - 10,
    }
    assert told["pagination"] == {
        "current_page": 1,
        "per_page": 20,
        "total": 5,
        "total_pages": 1,
        "has_next": False,
        "has_prev": False,
    }
    entry = told["transactions"][3]
    assert entry.pop("id").startswith("txn_")
    assert entry == {
        "type": "award",
        "points": 50,
        "reason": "Order reward",
        "reference": "order_77",
        "balance_before": 100,
        "balance_after": 150,
        "pending_after": 0,
        "created_at": "2026-01-03T09:00:00Z",
        "effective_at": "2026-01-03T09:00:00Z",
        "valid_from": None,
        "expires_at": "2026-06-01T00:00:00Z",
        "staff_member": None,
        "metadata": {"n": 1},
        "card_id": week.card_id,
    }


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ({"type": "all"}, [-10, -5, -30, 50, 100]),
        ({"type": "award"}, [50, 100]),
        ({"type": "activate"}, []),
        ({"reference": "order_77"}, [50, 100]),
        ({"reference": "order_7"}, []),
        ({"staff_member": "Bob"}, [-5, -30]),
        ({"from_date": "2026-01-04"}, [-10, -5, -30]),
        ({"to_date": "2026-01-04"}, [-30, 50, 100]),
        ({"from_date": "2026-01-03T09:00:00Z", "to_date": "2026-01-04T10:00:00+01:00"}, [-30, 50]),
        ({"from_date": "2026-01-03", "to_date": "2026-01-03"}, [50]),
        ({"type": "adjust", "staff_member": "Bob"}, [-5]),
        ({"unknown": "x"}, [-10, -5, -30, 50, 100]),
    ],
)
def test_filters(week: Till, query: dict[str, str], points: list[int]) -> None:
    assert points_of(week, **query) == points


def test_sums_what_the_filters_select_but_tells_the_whole_balance(week: Till) -> None:
    assert history(week, reference="order_77", type="award", from_date="2026-01-03")["summary"] == {
        "total_transactions": 1,
        "points_awarded": 50,
        "points_redeemed": 0,
        "points_expired": 0,
        "current_balance": 105,
    }


def test_turns_pages(week: Till) -> None:
    assert points_of(week, limit=2) == [-10, -5]
    assert points_of(week, limit=2, page=3) == [100]
    told = history(week, limit=2, page=2)
    assert told["pagination"] == {
        "current_page": 2,
        "per_page": 2,
        "total": 5,
        "total_pages": 3,
        "has_next": True,
        "has_prev": True,
    }
    beyond = history(week, page=10**30)
    assert (beyond["transactions"], beyond["pagination"]["has_next"]) == ([], False)


def test_lowers_a_limit_that_is_too_large(week: Till) -> None:
    assert history(week, limit=10**30)["pagination"]["per_page"] == 100


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"page": "0"}, "page"),
        ({"page": "NaN"}, "page"),
        ({"type": "gift"}, "type"),
        ({"from_date": "yesterday"}, "from_date"),
        ({"to_date": "2026-13-01"}, "to_date"),
        ({"from_date": "2026-01-05", "to_date": "2026-01-04"}, "from_date"),
        ({"reference": "a\0b"}, "reference"),
        ({"staff_member": "x" * 256}, "staff_member"),
    ],
)
def test_refuses_a_malformed_query(till: Till, query: dict[str, str], field: str) -> None:
    facts = error(till.get(f"points/history/{till.card_id}", **query), 400, "INVALID_PARAMETERS")
    assert facts["details"]["field"] == field


def test_settles_what_fell_due_first(till: Till) -> None:
    with time_machine.travel(MORNING, tick=False) as clock:
        till.award(10, valid_from="2026-01-03", expires_at="2026-01-04")
        clock.move_to(datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC))
        told = history(till)
    figures = [
        (entry["type"], entry["points"], entry["balance_after"], entry["effective_at"], entry["created_at"])
        for entry in told["transactions"]
    ]
    assert figures == [
        ("expire", -10, 0, "2026-01-04T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("activate", 0, 10, "2026-01-03T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("award", 10, 0, "2026-01-02T09:00:00Z", "2026-01-02T09:00:00Z"),
    ]
    assert told["summary"]["current_balance"] == 0


def test_is_the_customers_whichever_card_is_asked(till: Till) -> None:
    till.award(1)
    second = data(till.post("loyalty-cards", {"customer_id": till.customer_id}), 201)["id"]
    till.award(2, card_id=second)
    entries = data(till.get(f"points/history/{second}"))["transactions"]
    assert [(entry["points"], entry["card_id"]) for entry in entries] == [(2, second), (1, till.card_id)]


def test_is_empty_for_a_new_card_and_makes_no_account(till: Till) -> None:
    told = history(till)
    assert (told["transactions"], told["summary"]["total_transactions"]) == ([], 0)
    assert told["pagination"]["total_pages"] == 0
    assert not PointAccount.objects.filter(program=till.program).exists()
    assert not PointTransaction.objects.filter(program=till.program).exists()


def test_does_not_know_cards_of_others(till: Till, stranger: Till) -> None:
    stranger.award(10)
    error(till.get(f"points/history/{stranger.card_id}"), 404, "CARD_NOT_FOUND")
    error(till.get(f"points/history/{stranger.customer_id}"), 404, "NOT_FOUND")


def test_needs_its_scope(program: Program, till: Till) -> None:
    manager = Till(program, till.card, scopes=["points:manage", "loyalty:read"])
    error(manager.get(f"points/history/{till.card_id}"), 403, "FORBIDDEN")
