import datetime
from typing import Any

import pytest
import time_machine

from loyalty.models import Program
from points import definitions
from tests.api.management.till import Till, data, error, nothing_moves

AFTERNOON = datetime.datetime(2026, 1, 2, 15, 45, tzinfo=datetime.UTC)


def award(till: Till, points: int, **more: Any) -> str:
    return data(till.award(points, **more), 201)["transaction_id"]


def redeem(till: Till, points: int) -> str:
    return data(till.redeem(points), 201)["transaction_id"]


@time_machine.travel(AFTERNOON, tick=False)
def test_answers_what_was_posted(till: Till) -> None:
    order = award(till, 100)
    till.award(20)
    answer = data(till.reverse(order, points=30, reference="return_1", metadata={"item": 2}), 201)
    assert answer.pop("transaction_id") != order
    assert answer == {
        "card_id": till.card_id,
        "customer_id": till.customer_id,
        "type": "reverse",
        "points": -30,
        "reason": "Returned",
        "reference": "return_1",
        "previous_balance": 120,
        "new_balance": 120 - 30,
        "pending_after": 0,
        "created_at": "2026-01-02T15:45:00Z",
        "staff_member": None,
        "metadata": {"item": 2},
        "reverses": order,
        "shortfall": 0,
    }


def test_takes_all_that_is_left_of_an_award(till: Till) -> None:
    order = award(till, 100)
    till.reverse(order, points=30)
    assert data(till.reverse(order), 201)["points"] == -(100 - 30)
    assert till.balance == 0


def test_reverses_a_unit_once(till: Till) -> None:
    order = award(till, 100)
    till.award(100)
    till.reverse(order, points=30)
    with nothing_moves(till.program):
        assert error(till.reverse(order, points=71), 409, "ALREADY_REVERSED") == {"reversible_points": 70}
    till.reverse(order)
    with nothing_moves(till.program):
        assert error(till.reverse(order), 409, "ALREADY_REVERSED") == {"reversible_points": 0}


def test_gives_a_redemption_back_with_the_expiry_it_had(till: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False):
        till.award(40, expires_at="2026-01-20")
        till.award(60)
        spending = redeem(till, 50)
        assert data(till.reverse(spending), 201)["points"] == 50
        rows = data(till.get(f"points/balance/{till.card_id}"))["points_expiring_soon"]
    assert rows == [{"points": 40, "expires_at": "2026-01-20T00:00:00Z", "days_until_expiry": 18}]


def test_refuses_an_award_that_is_spent(till: Till) -> None:
    order = award(till, 100)
    redeem(till, 80)
    with nothing_moves(till.program):
        facts = error(till.reverse(order), 400, "INSUFFICIENT_POINTS")
    assert facts == {"current_balance": 20, "requested_points": 100}


def test_tells_the_shortfall_where_the_definition_takes_what_is_there(till: Till, program: Program) -> None:
    definitions.create_definition(program=program, code="soft", name="Soft", clawback="to_zero")
    order = award(till, 100, definition="soft")
    till.redeem(80, definition="soft")
    answer = data(till.reverse(order), 201)
    assert (answer["points"], answer["shortfall"], answer["new_balance"]) == (-20, 80, 0)
    error(till.reverse(order), 409, "ALREADY_REVERSED")


def test_reverses_an_adjustment(till: Till) -> None:
    till.award(10)
    correction = data(till.adjust(-4), 201)["transaction_id"]
    assert data(till.reverse(correction), 201)["new_balance"] == 10 - 4 + 4


def test_reverses_no_reversal_and_no_expiry(till: Till) -> None:
    order = award(till, 10)
    reversal = data(till.reverse(order, points=4), 201)["transaction_id"]
    expiry = data(till.expire(points=1), 200)["transaction_id"]
    with nothing_moves(till.program):
        error(till.reverse(reversal), 409, "NOT_REVERSIBLE")
        error(till.reverse(expiry), 409, "NOT_REVERSIBLE")


@pytest.mark.parametrize("reference", ["txn_" + "0" * 32, "card_" + "0" * 32, "txn", "nonsense"])
def test_does_not_know_other_transactions(till: Till, reference: str) -> None:
    error(till.reverse(reference), 404, "TRANSACTION_NOT_FOUND")


def test_does_not_know_transactions_of_others(till: Till, stranger: Till) -> None:
    order = award(stranger, 10)
    with nothing_moves(stranger.program):
        error(till.reverse(order), 404, "TRANSACTION_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"transaction_id": None}, "INVALID_PARAMETERS"),
        ({"transaction_id": 7}, "INVALID_PARAMETERS"),
        ({"reason": None}, "INVALID_PARAMETERS"),
        ({"points": 0}, "INVALID_POINTS"),
        ({"points": -1}, "INVALID_POINTS"),
        ({"points": 0.5}, "INVALID_POINTS"),
        ({"points": "1"}, "INVALID_POINTS"),
    ],
)
def test_refuses_a_malformed_body(till: Till, body: dict[str, Any], code: str) -> None:
    order = award(till, 10)
    with nothing_moves(till.program):
        error(till.post("points/reverse", {"transaction_id": order, "reason": "Returned"} | body), 400, code)


def test_answers_the_same_when_replayed(till: Till) -> None:
    order = award(till, 10)
    first = till.reverse(order, key="return-1")
    again = till.reverse(order, key="return-1")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert till.balance == 0


def test_needs_its_scope(program: Program, till: Till) -> None:
    adjuster = Till(program, till.card, scopes=["points:adjust", "points:read"])
    assert error(adjuster.reverse("txn"), 403, "FORBIDDEN") == {"required_permissions": ["points:manage"]}
