"""Points that one customer sends to another."""

from decimal import Decimal
from typing import Any

import pytest

from loyalty import errors
from loyalty.models import Program
from points import ledger
from points.models import PointTransaction
from tests.factories import make_account
from tests.points.till import Till, breaches, days


@pytest.fixture(autouse=True)
def _with_transfers(program: Program) -> None:
    program.transfers_enabled = True
    program.save(update_fields=["transfers_enabled"])


@pytest.fixture
def friend(program: Program, till: Till) -> Till:
    return Till(make_account(program, till.account.definition))


def send(sender: Till, receiver: Till, points: Any, **options: Any) -> PointTransaction:
    return sender.post(
        ledger.transfer, sender=sender.account, receiver=receiver.account, points=Decimal(points), **options
    )


def test_keeps_the_expiry_of_each_lot(program: Program, till: Till, friend: Till) -> None:
    till.award(20, expires_at=days(10))
    till.award(100, expires_at=days(20))
    entry = send(till, friend, 50)
    assert (till.balance, friend.balance) == (120 - 50, 50)
    assert [(lot.points, lot.expires_at) for lot in friend.lots()] == [(20, days(10)), (30, days(20))]
    [got] = friend.entries()
    assert (got.type, got.points, got.other_entry_id) == ("transfer", 50, entry.id)
    assert entry.other_entry_id == got.id
    assert breaches(program) == set()


def test_counts_in_no_lifetime(till: Till, friend: Till) -> None:
    till.award(50)
    send(till, friend, 50)
    assert (till.row().lifetime_earned, till.row().lifetime_redeemed) == (50, 0)
    assert (friend.row().lifetime_earned, friend.row().lifetime_redeemed) == (0, 0)
    with pytest.raises(ledger.NotReversible):
        till.reverse(till.entries()[-1])


def test_refuses_more_than_a_day_allows(program: Program, till: Till, friend: Till) -> None:
    program.transfer_daily_points = Decimal(60)
    program.save(update_fields=["transfer_daily_points"])
    till.award(200)
    send(till, friend, 40)
    with pytest.raises(ledger.TransferLimitExceeded) as refusal:
        send(till, friend, 21)
    assert refusal.value.facts["retry_after"] == 12 * 3600
    send(till, friend, 20)
    send(till, friend, 60, at=days(1))
    assert breaches(program) == set()


def test_refuses_it_where_the_programme_does_not_allow_it(program: Program, till: Till, friend: Till) -> None:
    program.transfers_enabled = False
    till.award(200)
    with pytest.raises(ledger.TransfersDisabled):
        send(till, friend, 40)


@pytest.mark.parametrize("points", [0, -5, Decimal("0.5"), 201])
def test_refuses_an_amount_that_is_none(points: Any, till: Till, friend: Till) -> None:
    till.award(200)
    before = till.everything()
    with pytest.raises(errors.Refusal):
        send(till, friend, points)
    assert (till.everything(), friend.history()) == (before, [])


def test_refuses_oneself(till: Till) -> None:
    till.award(10)
    with pytest.raises(ledger.SameCustomer):
        send(till, till, 5)


def test_counts_nothing_of_what_it_refuses(program: Program, till: Till, friend: Till) -> None:
    program.transfer_daily_points = Decimal(60)
    program.save(update_fields=["transfer_daily_points"])
    till.award(40)
    till.award(10, expires_at=days(1))
    # What is due is written with the refusal.
    with pytest.raises(ledger.InsufficientPoints):
        send(till, friend, 41, at=days(1))
    assert till.history()[-1] == ("expire", -10)
    till.award(20, at=days(1))
    send(till, friend, 60, at=days(1))
    assert friend.balance == 60
