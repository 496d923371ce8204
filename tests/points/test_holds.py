"""Points that are set aside for a checkout: held, captured, released, lapsed by the clock."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest

from loyalty import errors
from loyalty.models import Program
from points import ledger, statements
from points.models import Hold
from tests.factories import make_account
from tests.points.till import NOON, NOTE, Till, breaches, days, posting

HOUR = datetime.timedelta(hours=1)


def hold(till: Till, points: Any, lasts: datetime.timedelta = HOUR, at: datetime.datetime = NOON) -> Hold:
    outcome = ledger.hold(account=till.account, points=Decimal(points), lasts=lasts, note=NOTE, at=at)
    assert outcome.hold is not None
    return Hold.objects.get(account_id=till.account.id, id=outcome.hold.id)


def capture(till: Till, held: Hold, points: Any = None, at: datetime.datetime = NOON) -> Hold:
    asked = None if points is None else Decimal(points)
    ledger.capture(account=till.account, hold_id=held.id, points=asked, note=NOTE, at=at)
    return Hold.objects.get(account_id=till.account.id, id=held.id)


def release(till: Till, held: Hold, at: datetime.datetime = NOON) -> Hold:
    ledger.release(account=till.account, hold_id=held.id, note=NOTE, at=at)
    return Hold.objects.get(account_id=till.account.id, id=held.id)


def test_sets_points_aside(program: Program, till: Till) -> None:
    till.award(100)
    held = hold(till, 30)
    assert (till.balance, till.row().held) == (100 - 30, 30)
    assert (held.points, held.status, held.expires_at) == (30, "active", NOON + HOUR)
    assert till.history() == [("award", 100), ("hold", 0)]
    assert till.entries()[-1].held_after == 30
    assert breaches(program) == set()


def test_captures_all_of_it_once(program: Program, till: Till) -> None:
    till.award(100)
    held = capture(till, hold(till, 30))
    assert (held.status, held.captured_points) == ("captured", 30)
    assert (till.balance, till.row().held, till.row().lifetime_redeemed) == (100 - 30, 0, 30)
    assert till.history() == [("award", 100), ("hold", 0), ("redeem", -30)]
    with pytest.raises(ledger.HoldResolved):
        capture(till, held)
    assert breaches(program) == set()


def test_gives_back_what_is_not_captured(program: Program, till: Till) -> None:
    till.award(20, expires_at=days(10))
    till.award(100, expires_at=days(20))
    capture(till, hold(till, 50), 25)
    assert till.history()[-2:] == [("redeem", -25), ("release", 0)]
    # The lot that ends first has paid first.
    assert till.left() == [0, 100 - 5]
    assert till.balance == 120 - 25
    assert breaches(program) == set()


def test_lapses_by_the_clock(program: Program, till: Till) -> None:
    till.award(100, expires_at=days(10))
    held = hold(till, 30, lasts=2 * HOUR)
    told = statements.balance(account=till.account, at=NOON + 2 * HOUR)
    assert (told.balance, told.held) == (100, 0)
    till.settle(NOON + 3 * HOUR)
    entry = till.entries()[-1]
    assert (entry.type, entry.effective_at, entry.actor) == ("release", NOON + 2 * HOUR, "clock")
    held.refresh_from_db()
    assert (held.status, till.balance, till.left()) == ("lapsed", 100, [100])
    assert breaches(program) == set()


def test_does_not_let_held_points_expire_until_they_are_back(program: Program, till: Till) -> None:
    till.award(100, expires_at=days(1))
    held = hold(till, 30, lasts=2 * 24 * HOUR)
    till.settle(days(1.5))
    assert till.history()[-1] == ("expire", -70)
    assert (till.balance, till.row().held) == (0, 30)
    assert breaches(program) == set()
    release(till, held, at=days(1.75))
    assert till.history()[-2:] == [("release", 0), ("expire", -30)]
    assert (till.balance, till.row().held, till.row().lifetime_expired) == (0, 0, 100)
    assert breaches(program) == set()


def test_captures_what_has_ended_meanwhile(program: Program, till: Till) -> None:
    till.award(100, expires_at=days(1))
    held = hold(till, 30, lasts=2 * 24 * HOUR)
    capture(till, held, 10, at=days(1.5))
    assert till.history()[-4:] == [("expire", -70), ("redeem", -10), ("release", 0), ("expire", -20)]
    assert breaches(program) == set()


@pytest.mark.parametrize("resolve", [capture, release])
def test_resolves_one_while_another_lapses(program: Program, till: Till, resolve: Any) -> None:
    till.award(100, expires_at=days(10))
    till.award(20, expires_at=days(20))
    till.award(100, expires_at=days(30))
    lapsing, held = hold(till, 90), hold(till, 30, lasts=3 * HOUR)
    resolve(till, held, at=NOON + HOUR)
    lapsing.refresh_from_db()
    assert (lapsing.status, till.row().held) == ("lapsed", 0)
    assert till.left() == ([90, 0, 100] if resolve is capture else [100, 20, 100])
    assert breaches(program) == set()


def test_gives_a_captured_hold_back_by_a_reversal(program: Program, till: Till) -> None:
    till.award(100, expires_at=days(10))
    capture(till, hold(till, 30))
    till.reverse(till.entries()[-1], 20)
    assert (till.balance, till.left(), till.row().lifetime_redeemed) == (90, [90], 10)
    assert breaches(program) == set()


def test_pays_a_debt_with_what_comes_back(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.award(100)
    held = hold(till, 30)
    till.adjust(-90)
    assert (till.balance, till.row().held) == (-20, 30)
    release(till, held)
    assert (till.balance, till.left()) == (10, [10])
    assert breaches(program) == set()


def test_brings_nothing_back_to_life_that_ended_by_inactivity(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    till.award(100)
    held = hold(till, 30, lasts=60 * 24 * HOUR)
    # A month after the award; holding is no activity.
    till.settle(days(31))
    assert till.history()[-1] == ("expire", -70)
    capture(till, held, 10, at=days(31))
    assert till.history()[-3:] == [("redeem", -10), ("release", 0), ("expire", -20)]
    assert (till.balance, till.row().last_activity_at) == (0, days(31))
    assert breaches(program) == set()


def test_takes_what_ends_first_where_a_balance_is_set_after_a_hold_lapsed(program: Program, till: Till) -> None:
    till.award(10, expires_at=days(10))
    till.award(50, expires_at=days(30))
    hold(till, 60)
    till.award(10, expires_at=days(10))
    till.award(10, expires_at=days(20))
    # 20 are free as it is written, 80 by the clock; 15 are to be left.
    ledger.post(posting(till.account, "adjust", None, of_balance=lambda balance: 15 - balance, at=NOON + HOUR))
    assert (till.balance, till.left()) == (15, [0, 15, 0, 0])
    assert breaches(program) == set()


def test_takes_what_ends_first_where_a_balance_is_set_after_points_started(program: Program, till: Till) -> None:
    till.award(10, expires_at=days(10))
    till.award(50, valid_from=days(1), expires_at=days(30))
    till.award(10, expires_at=days(20))
    ledger.post(posting(till.account, "adjust", None, of_balance=lambda balance: 15 - balance, at=days(1)))
    assert (till.balance, till.left()) == (15, [0, 15, 0])
    assert breaches(program) == set()


def test_is_due_when_what_came_back_ends(program: Program, till: Till) -> None:
    till.award(10, expires_at=days(10))
    held = hold(till, 10, lasts=20 * 24 * HOUR)
    till.award(1, expires_at=days(5))
    till.settle(days(5))
    # Until here nothing else was to come but the end of the hold.
    release(till, held, at=days(7))
    till.settle(days(10))
    assert till.history()[-1] == ("expire", -10)
    assert breaches(program) == set()


@pytest.mark.parametrize("resolve", [capture, release])
def test_knows_no_hold_of_another_account(till: Till, resolve: Any) -> None:
    other = Till(make_account(till.account.program, till.account.definition))
    for one in (till, other):
        one.award(10)
    held = hold(other, 5)
    before = till.everything(), other.everything()
    for hold_id in (held.id, uuid.uuid4(), other.entries()[0].id):
        held.id = hold_id
        with pytest.raises(ledger.HoldNotFound):
            resolve(till, held)
    assert (till.everything(), other.everything()) == before


@pytest.mark.parametrize("points", [0, -1, Decimal("0.5"), 11, Decimal(10) ** 30])
def test_holds_and_captures_no_amount_that_is_none(till: Till, points: Any) -> None:
    till.award(15)
    held = hold(till, 5)
    before = till.everything()
    with pytest.raises(errors.Refusal):
        hold(till, points)
    with pytest.raises(errors.Refusal):
        capture(till, held, points)
    assert till.everything() == before


def test_tells_what_came_back_although_nothing_was_left(till: Till) -> None:
    till.award(30)
    hold(till, 30, lasts=2 * HOUR)
    for moment, expected in ((NOON + HOUR, (0, 30)), (NOON + 2 * HOUR, (30, 0))):
        told = statements.balance(account=till.account, at=moment)
        assert (told.balance, told.held) == expected
        [told] = statements.balances(accounts=[till.account], at=moment).values()
        assert (told.balance, told.held) == expected
