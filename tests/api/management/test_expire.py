import datetime
from typing import Any

import pytest
import time_machine

from loyalty.models import Program
from tests.api.management.till import Till, data, error, nothing_moves

AFTERNOON = datetime.datetime(2026, 1, 2, 15, 45, tzinfo=datetime.UTC)


@time_machine.travel(AFTERNOON, tick=False)
def test_expires_points_in_the_order_of_spending(till: Till) -> None:
    till.award(30, expires_at="2026-01-20")
    till.award(70)
    answer = data(till.expire(points=40, reason="Account closed"), 200)
    assert answer.pop("transaction_id").startswith("txn_")
    assert answer == {
        "card_id": till.card_id,
        "customer_id": till.customer_id,
        "points_expired": 40,
        "previous_balance": 100,
        "new_balance": 100 - 40,
        "reason": "Account closed",
        "expired_at": "2026-01-02T15:45:00Z",
    }
    assert data(till.get(f"points/balance/{till.card_id}"))["points_expiring_soon"] == []


@time_machine.travel(AFTERNOON, tick=False)
def test_expires_what_ends_before_a_date(till: Till) -> None:
    till.award(30, expires_at="2026-01-20")
    till.award(70, expires_at="2026-02-20")
    assert data(till.expire(expires_before="2026-01-20"), 200)["points_expired"] == 0
    assert data(till.expire(expires_before="2026-01-20T00:00:01Z"), 200)["points_expired"] == 30
    assert data(till.expire(expires_before="2027-01-01", points=50), 200)["points_expired"] == 50
    assert till.balance == 30 + 70 - 30 - 50


def test_tells_that_nothing_was_due(till: Till) -> None:
    till.award(30)
    with nothing_moves(till.program):
        answer = data(till.expire(expires_before="2020-01-01"), 200)
    assert answer == {
        "transaction_id": None,
        "card_id": till.card_id,
        "customer_id": till.customer_id,
        "points_expired": 0,
        "previous_balance": 30,
        "new_balance": 30,
        "reason": "Points expired",
        "expired_at": None,
    }


def test_refuses_more_points_than_there_are(till: Till) -> None:
    till.award(30)
    with nothing_moves(till.program):
        facts = error(till.expire(points=31), 400, "INSUFFICIENT_POINTS")
    assert facts == {"current_balance": 30, "requested_points": 31}


def test_answers_the_same_when_replayed(till: Till) -> None:
    till.award(30)
    first = till.expire(points=10, key="close-1")
    again = till.expire(points=10, key="close-1")
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert till.balance == 30 - 10


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "INVALID_PARAMETERS"),
        ({"expires_before": "soon"}, "INVALID_PARAMETERS"),
        ({"points": 0}, "INVALID_POINTS"),
        ({"points": -1}, "INVALID_POINTS"),
        ({"points": 1, "reason": 7}, "INVALID_PARAMETERS"),
        ({"points": 1, "card_id": None}, "INVALID_PARAMETERS"),
    ],
)
def test_refuses_a_malformed_body(till: Till, body: dict[str, Any], code: str) -> None:
    till.award(30)
    with nothing_moves(till.program):
        error(till.expire(**body), 400, code)


def test_does_not_know_cards_of_others(till: Till, stranger: Till) -> None:
    stranger.award(10)
    with nothing_moves(stranger.program):
        error(till.expire(points=1, card_id=stranger.card_id), 404, "CARD_NOT_FOUND")


def test_needs_its_scope(program: Program, till: Till) -> None:
    reader = Till(program, till.card, scopes=["points:read"])
    assert error(reader.expire(points=1), 403, "FORBIDDEN") == {"required_permissions": ["points:manage"]}
