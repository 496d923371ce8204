"""Time decides, not a job: what fell due is written when somebody settles, and holds before."""

import datetime

import pytest

from loyalty.models import Program
from points import ledger
from tests.factories import make_account, make_definition
from tests.points.till import NOON, Till, breaches, days

MOMENT = datetime.timedelta(microseconds=1)


def test_writes_an_entry_at_the_moment_it_was_due(program: Program, till: Till) -> None:
    till.award(100, valid_from=days(2), expires_at=days(5))
    till.settle(days(400))
    activation, expiry = till.entries()[1:]
    assert (activation.type, activation.points, activation.effective_at) == ("activate", 0, days(2))
    assert (activation.balance_after, activation.pending_after) == (100, 0)
    assert (expiry.type, expiry.points, expiry.effective_at) == ("expire", -100, days(5))
    assert activation.actor == expiry.actor == "clock"
    assert activation.created_at == expiry.created_at
    assert till.uses(activation) == [(1, 0)]
    assert till.uses(expiry) == [(1, 100)]
    assert breaches(program) == set()


def test_writes_nothing_before_the_moment(till: Till) -> None:
    till.award(100, valid_from=days(2), expires_at=days(5))
    before = till.everything()
    till.settle(days(2) - MOMENT)
    assert till.everything() == before
    till.settle(days(5) - MOMENT)
    assert till.history() == [("award", 100), ("activate", 0)]


def test_writes_nothing_twice(till: Till) -> None:
    till.award(100, expires_at=days(5))
    till.settle(days(5))
    before = till.everything()
    till.settle(days(5))
    till.settle(NOON)
    assert till.everything() == before


def test_writes_one_entry_for_each_moment_and_kind_starts_first(program: Program, till: Till) -> None:
    till.award(1, expires_at=days(3))
    till.award(2, expires_at=days(3))
    till.award(4, valid_from=days(3))
    till.award(8, valid_from=days(3), expires_at=days(4))
    till.award(16, valid_from=days(1), expires_at=days(3))
    till.settle(days(3))
    assert till.history()[5:] == [("activate", 0), ("activate", 0), ("expire", -1 - 2 - 16)]
    assert [entry.effective_at for entry in till.entries()[5:]] == [days(1), days(3), days(3)]
    assert till.uses(till.entries()[6]) == [(3, 0), (4, 0)]
    assert till.balance == 4 + 8
    assert breaches(program) == set()


def test_catches_up_whatever_was_left_for_years(program: Program, till: Till) -> None:
    for day in range(1, 61):
        till.award(1, expires_at=days(day))
    till.settle(days(3000))
    assert till.history()[60:] == [("expire", -1)] * 60
    assert till.row().next_due_at is None
    assert breaches(program) == set()


def test_settles_many_accounts_in_one_go(program: Program) -> None:
    definition = make_definition(program)
    tills = [Till(make_account(program, definition)) for _ in range(40)]
    for till in tills[:-1]:
        till.award(10, expires_at=days(3))
    # The last one was never posted to: it is not there, and is not made.
    ledger.settle([till.account for till in tills], at=days(3))
    assert [till.balance for till in tills[:-1]] == [0] * 39
    assert tills[-1].rows() == []
    assert breaches(program) == set()


def test_counts_no_posting_of_the_customers(till: Till) -> None:
    till.award(100, valid_from=days(2))
    till.settle(days(2))
    assert till.row().last_activity_at == NOON


def test_expires_what_is_left_of_a_lot_and_no_more(till: Till) -> None:
    till.award(100, expires_at=days(3))
    till.redeem(60)
    till.settle(days(3))
    assert till.history()[-1] == ("expire", -40)
    till.award(10, expires_at=days(9), at=days(3))
    till.redeem(10, at=days(3))
    till.settle(days(9))
    assert till.history()[-1] == ("redeem", -10)


def test_goes_by_the_end_of_the_local_day(program: Program) -> None:
    program.timezone = "Europe/Vilnius"
    program.save(update_fields=["timezone"])
    till = Till(make_account(program, expiry_policy="end_of_month", expiry_count=0))
    till.award(10, at=datetime.datetime(2026, 3, 20, tzinfo=datetime.UTC))
    # Midnight in Vilnius, where summer time began on 29 March, is 21:00 UTC of the 31st.
    end = datetime.datetime(2026, 3, 31, 21, tzinfo=datetime.UTC)
    till.redeem(1, at=end - MOMENT)
    with pytest.raises(ledger.InsufficientPoints):
        till.redeem(1, at=end)
    assert till.entries()[-1].effective_at == end


def test_lots_by_inactivity_end_together_after_the_last_activity(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    till.award(10)
    till.award(10, at=days(10))
    till.redeem(1, at=days(20))
    # The last activity was on 22 March: 22 April is 31 days later.
    till.settle(days(51) - MOMENT)
    assert till.balance == 10 + 10 - 1
    till.settle(days(51))
    assert till.history()[-1] == ("expire", -19)
    assert till.entries()[-1].effective_at == days(51)
    assert breaches(program) == set()


def test_what_is_due_is_settled_before_the_new_activity_counts(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    till.award(10)
    till.award(5, at=days(31))  # 2 April, a month later to the microsecond: too late
    assert till.history() == [("award", 10), ("expire", -10), ("award", 5)]
    till.award(7, at=days(31 + 30) - MOMENT)  # 2 May, just in time
    assert till.balance == 5 + 7
    assert breaches(program) == set()


def test_neither_adjustment_nor_reversal_keeps_lots_alive(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    award = till.award(10)
    till.adjust(5, at=days(30))
    till.reverse(award, 1, at=days(30))
    till.settle(days(31))
    assert till.balance == 5  # The adjustment's own months began on day 30.


def test_lots_that_started_later_end_later(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    till.award(10, valid_from=days(5))
    till.settle(days(35))
    assert till.balance == 10
    till.settle(days(36))
    assert till.balance == 0


def test_a_debt_is_paid_by_lots_that_start_in_the_order_in_which_they_start(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.adjust(-10)
    till.award(8, valid_from=days(4))
    till.award(8, valid_from=days(3), expires_at=days(4))
    till.settle(days(5))
    assert till.left() == [6, 0]
    assert [(kind, points) for kind, points in till.history()[3:]] == [("activate", 0), ("activate", 0)]
    assert breaches(program) == set()


def test_nothing_is_written_for_a_lot_that_a_debt_ate(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.adjust(-10)
    till.award(8, expires_at=days(3))
    till.settle(days(4))
    assert till.history() == [("adjust", -10), ("award", 8)]
    assert till.balance == -10 + 8


def test_time_goes_on_from_the_newest_entry(till: Till) -> None:
    till.award(10, expires_at=days(5), at=days(1))
    till.award(10, at=days(4))
    till.settle(days(2))
    till.redeem(1, at=days(3))
    assert [entry.effective_at for entry in till.entries()] == [days(1), days(4), days(4)]
