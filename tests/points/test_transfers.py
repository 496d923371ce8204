"""Points that one customer sends to another."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from cards.membership import CustomerNotFound
from loyalty import errors
from loyalty.models import Program
from points import ledger, moves, statements
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


def test_refuses_more_than_the_receiver_can_have(till: Till, friend: Till) -> None:
    till.award(10)
    friend.award(10**15 - 5)
    before = till.everything(), friend.everything()
    with pytest.raises(errors.InvalidPoints):
        send(till, friend, 5)
    assert (till.everything(), friend.everything()) == before
    send(till, friend, 4)


def test_refuses_a_receiver_or_a_sender_who_is_erased(till: Till, friend: Till) -> None:
    till.award(10)
    friend.award(10)
    with transaction.atomic():
        moves.forfeit(accounts=[friend.account], actor="test", at=days(0))
    before = till.everything(), friend.everything()
    for sender, receiver in ((till, friend), (friend, till)):
        with pytest.raises(CustomerNotFound):
            send(sender, receiver, 5)
    assert (till.everything(), friend.everything()) == before


def test_settles_both_at_the_later_of_their_clocks(program: Program, till: Till, friend: Till) -> None:
    till.award(10, expires_at=days(3))
    till.award(20)
    till.award(7, valid_from=days(4))
    friend.award(1, at=days(5))
    # By a clock that is behind: the friend's account is at day 5 already.
    entry = send(till, friend, 15, at=days(1))
    assert (entry.effective_at, friend.entries()[-1].effective_at) == (days(5), days(5))
    assert till.history()[3:] == [("expire", -10), ("activate", 0), ("transfer", -15)]
    assert till.left() == [0, 5, 7]
    assert breaches(program) == set()


def test_ends_by_inactivity_no_earlier_than_where_it_was(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    friend = Till(make_account(program, till.account.definition))
    till.award(10)
    till.award(10, at=days(20))
    send(till, friend, 20, at=days(21))
    # A month after the sender's last activity: the friend has none.
    told = [statements.balance(account=friend.account, at=days(at)).balance for at in (50, 51)]
    assert told == [20, 0]
    friend.settle(days(51))
    assert friend.history() == [("transfer", 20), ("expire", -20)]
    assert breaches(program) == set()


def test_pays_what_the_receiver_owes_first(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    friend = Till(make_account(program, till.account.definition))
    till.award(10, expires_at=days(10))
    till.award(10, expires_at=days(20))
    friend.adjust(-12)
    send(till, friend, 20)
    assert (friend.balance, friend.left()) == (8, [0, 8])
    with pytest.raises(ledger.InsufficientPoints):
        send(friend, till, 9)
    assert breaches(program) == set()
