from typing import Any

import pytest

from cards.models import Card
from loyalty.models import Program
from points import definitions
from tests.api.management.till import Till, data, error, nothing_moves


def test_takes_points_of_either_sign(till: Till) -> None:
    up = data(till.adjust(30), 201)
    down = data(till.adjust(-10, staff_member="Bob"), 201)
    assert (up["type"], up["points"], up["new_balance"]) == ("adjust", 30, 30)
    assert (down["points"], down["previous_balance"], down["new_balance"]) == (-10, 30, 30 - 10)
    assert "expires_at" not in up


def test_refuses_to_go_below_zero(till: Till) -> None:
    till.award(10)
    with nothing_moves(till.program):
        facts = error(till.adjust(-11), 400, "INSUFFICIENT_POINTS")
    assert facts == {"current_balance": 10, "requested_points": 11}


def test_goes_below_zero_where_the_definition_lets_it(till: Till, program: Program) -> None:
    definitions.create_definition(program=program, code="credit", name="Credit", may_go_negative=True)
    till.award(10, definition="credit")
    assert data(till.adjust(-15, definition="credit"), 201)["new_balance"] == 10 - 15
    # What comes next pays the debt first.
    assert data(till.award(20, definition="credit"), 201)["new_balance"] == -5 + 20


@pytest.mark.parametrize("points", [0, 0.0, -0.5, False, None, "1", -(10**15)])
def test_refuses_what_is_no_amount(till: Till, points: Any) -> None:
    with nothing_moves(till.program):
        code = "INVALID_PARAMETERS" if points is None else "INVALID_POINTS"
        error(till.adjust(points), 400, code)


def test_works_on_a_card_that_is_blocked(till: Till, card: Card) -> None:
    till.post(f"loyalty-cards/{till.card_id}/block", {"reason": "Stolen"})
    assert data(till.adjust(5), 201)["new_balance"] == 5


def test_needs_a_scope_of_its_own(program: Program, till: Till) -> None:
    manager = Till(program, till.card, scopes=["points:manage"])
    with nothing_moves(program):
        assert error(manager.adjust(1), 403, "FORBIDDEN") == {"required_permissions": ["points:adjust"]}
    adjuster = Till(program, till.card, scopes=["points:adjust"])
    assert data(adjuster.adjust(1), 201)["new_balance"] == 1


def test_does_not_know_cards_of_others(till: Till, stranger: Till) -> None:
    with nothing_moves(stranger.program):
        error(till.adjust(1, card_id=stranger.card_id), 404, "CARD_NOT_FOUND")
