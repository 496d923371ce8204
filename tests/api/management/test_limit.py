import datetime

import pytest
import time_machine

from loyalty.models import Program
from tests.api.management.till import Till, data, error, nothing_moves
from tests.factories import CardFactory, CustomerFactory

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def three_a_minute(program: Program) -> None:
    program.transaction_limit = 3
    program.save(update_fields=["transaction_limit"])


def test_refuses_the_posting_after_the_last_one_of_the_minute(till: Till) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        till.award(10, key="k1")
        clock.shift(20.5)
        till.redeem(1)
        till.adjust(1)
        with nothing_moves(till.program):
            answer = till.award(1)
        assert error(answer, 429, "TRANSACTION_LIMIT_EXCEEDED") == {"retry_after": 40}
        assert answer.headers["Retry-After"] == "40"
        # Neither replays nor bulks are counted.
        data(till.award(10, key="k1"), 201)
        assert data(till.bulk(till.item("award", 1)))["successful"] == 1
        clock.move_to(NOON + datetime.timedelta(seconds=60))
        data(till.award(1), 201)


def test_counts_no_refusals(till: Till) -> None:
    for _ in range(5):
        error(till.redeem(1), 400, "INSUFFICIENT_POINTS")
    for _ in range(3):
        data(till.award(1), 201)
    error(till.award(1), 429, "TRANSACTION_LIMIT_EXCEEDED")


def test_is_each_accounts_own(till: Till, program: Program) -> None:
    for _ in range(3):
        data(till.award(1), 201)
    bob = Till(program, CardFactory(customer=CustomerFactory(program=program)))
    data(bob.award(1), 201)


def test_comes_after_the_state_of_the_card_and_before_the_amount(till: Till) -> None:
    for _ in range(3):
        till.award(1)
    error(till.redeem(1000), 429, "TRANSACTION_LIMIT_EXCEEDED")
    till.post(f"loyalty-cards/{till.card_id}/block", {"reason": "Stolen"})
    error(till.redeem(1000), 403, "CARD_BLOCKED")


def test_is_none_where_the_programme_says_so(till: Till, program: Program) -> None:
    program.transaction_limit = None
    program.save(update_fields=["transaction_limit"])
    for _ in range(5):
        data(till.award(1), 201)
