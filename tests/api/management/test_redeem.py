import datetime
import threading

import time_machine
from django.db import connection

from loyalty.models import Program
from points import definitions
from tests.api.management.till import Till, data, error, nothing_moves

AFTERNOON = datetime.datetime(2026, 1, 2, 15, 45, tzinfo=datetime.UTC)


@time_machine.travel(AFTERNOON, tick=False)
def test_answers_what_was_posted(till: Till) -> None:
    till.award(250)
    answer = data(till.redeem(50, reference="order_78", staff_member="Bob"), 201)
    assert answer.pop("transaction_id").startswith("txn_")
    assert answer == {
        "card_id": till.card_id,
        "customer_id": till.customer_id,
        "type": "redeem",
        "points": -50,
        "reason": "Order reward",
        "reference": "order_78",
        "previous_balance": 250,
        "new_balance": 250 - 50,
        "pending_after": 0,
        "created_at": "2026-01-02T15:45:00Z",
        "staff_member": "Bob",
        "metadata": None,
    }


def test_refuses_more_than_there_is(till: Till) -> None:
    till.award(49)
    till.award(100, valid_from="2090-01-01")
    with nothing_moves(till.program):
        facts = error(till.redeem(50), 400, "INSUFFICIENT_POINTS")
    assert facts == {"current_balance": 49, "requested_points": 50}
    assert data(till.redeem(49), 201)["new_balance"] == 0


def test_spends_no_points_that_have_expired_although_nobody_wrote_that(till: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False) as clock:
        till.award(30, expires_at="2026-01-10")
        till.award(20)
        clock.move_to(datetime.datetime(2026, 1, 10, tzinfo=datetime.UTC))
        facts = error(till.redeem(21), 400, "INSUFFICIENT_POINTS")
        assert facts == {"current_balance": 20, "requested_points": 21}
        assert data(till.redeem(20), 201)["previous_balance"] == 50 - 30


def test_never_makes_a_debt_even_where_adjustments_may(till: Till, program: Program) -> None:
    definitions.create_definition(program=program, code="credit", name="Credit", may_go_negative=True)
    data(till.adjust(-10, definition="credit"), 201)
    with nothing_moves(program):
        error(till.redeem(1, definition="credit"), 400, "INSUFFICIENT_POINTS")


def test_refuses_what_is_no_amount(till: Till) -> None:
    till.award(10)
    with nothing_moves(till.program):
        for points in (0, -5, 0.5, True, "5"):
            error(till.redeem(points), 400, "INVALID_POINTS")


def test_ignores_dates_that_only_an_award_has(till: Till) -> None:
    till.award(10)
    assert "expires_at" not in data(till.redeem(1, expires_at="nonsense"), 201)


def test_lets_five_of_twenty_at_once_succeed_where_there_is_enough_for_five(till: Till) -> None:
    till.award(50)
    statuses: list[int] = []

    def redeem() -> None:
        try:
            statuses.append(till.redeem(10).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=redeem) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 5 + [400] * 15
    assert till.balance == 50 - 5 * 10


def test_does_not_know_cards_of_others(till: Till, stranger: Till) -> None:
    stranger.award(10)
    with nothing_moves(stranger.program):
        error(till.redeem(1, card_id=stranger.card_id), 404, "CARD_NOT_FOUND")


def test_needs_its_scope(program: Program, till: Till) -> None:
    reader = Till(program, till.card, scopes=["points:read"])
    assert error(reader.redeem(1), 403, "FORBIDDEN") == {"required_permissions": ["points:manage"]}
