"""Many at once about the same hold: it is resolved once, and what is held is held once."""

import contextlib
import datetime
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from loyalty import errors
from points import ledger
from points.models import Hold
from tests.points.threads import RACE_SECONDS, Waiting, at_once, times
from tests.points.till import NOON, Till, answer, key, posting

HOUR = datetime.timedelta(hours=1)
MOMENT = datetime.timedelta(microseconds=1)

pytestmark = pytest.mark.usefixtures("without_limit", "without_deadlock")


def hold(till: Till, points: int, at: datetime.datetime = NOON) -> uuid.UUID:
    return till.post(ledger.hold, points=Decimal(points), lasts=HOUR, at=at).id


def capture(till: Till, hold_id: uuid.UUID, **options: Any) -> Any:
    return till.post(ledger.capture, hold_id=hold_id, **options)


def release(till: Till, hold_id: uuid.UUID, **options: Any) -> Any:
    return till.post(ledger.release, hold_id=hold_id, **options)


def refused(outcomes: list[Any]) -> list[type]:
    return [type(outcome) for outcome in outcomes if isinstance(outcome, errors.Refusal)]


def state(till: Till, hold_id: uuid.UUID) -> str:
    return Hold.objects.get(account_id=till.account.id, id=hold_id).status


def test_one_of_many_captures_wins(till: Till) -> None:
    till.award(100)
    held = hold(till, 30)
    outcomes = at_once(*times(10, lambda: capture(till, held, points=Decimal(20))))
    assert refused(outcomes) == [ledger.HoldResolved] * 9
    assert till.history() == [("award", 100), ("hold", 0), ("redeem", -20), ("release", 0)]
    assert (till.balance, till.row().held, till.row().lifetime_redeemed) == (80, 0, 20)


def test_second_capture_that_waits_sees_the_first(till: Till) -> None:
    till.award(100)
    held = hold(till, 30)
    with transaction.atomic():
        capture(till, held)
        second = Waiting(lambda: capture(till, held))
    assert isinstance(second.result(), ledger.HoldResolved)
    assert till.history() == [("award", 100), ("hold", 0), ("redeem", -30)]


def test_capture_with_one_key_is_answered_alike(till: Till) -> None:
    till.award(100)
    held = hold(till, 30)
    asked = partial(posting, till.account, "redeem", 30, hold_id=held)
    outcomes = at_once(*times(10, lambda: ledger.post(asked(key=key("order-1")), render=answer)))
    assert {outcome.answer.body for outcome in outcomes} == {b"-30.00 points, now 70.00"}
    assert Counter(outcome.answer.replayed for outcome in outcomes) == {False: 1, True: 9}
    assert till.history() == [("award", 100), ("hold", 0), ("redeem", -30)]


def test_hold_is_captured_or_released(till: Till) -> None:
    till.award(1000)
    for _ in range(10):
        held = hold(till, 30)
        before = till.row()
        outcomes = at_once(
            *times(3, lambda held=held: capture(till, held)), *times(3, lambda held=held: release(till, held))
        )
        assert refused(outcomes) == [ledger.HoldResolved] * 5
        is_captured = state(till, held) == "captured"
        assert [entry.type for entry in till.entries()[before.version :]] == ["redeem" if is_captured else "release"]
        assert till.balance == before.balance + (0 if is_captured else 30)


@pytest.mark.parametrize("early", [0 * MOMENT, MOMENT])
def test_hold_is_captured_or_lapses_at_its_moment(till: Till, early: datetime.timedelta) -> None:
    till.award(1000)
    for n in range(10):
        at = NOON + 2 * n * HOUR
        held = hold(till, 30, at=at)
        before = till.row()
        outcomes = at_once(
            partial(capture, till, held, at=at + HOUR - early),
            *times(3, partial(till.settle, at + HOUR)),
            partial(capture, till, held, at=at + HOUR),
        )
        kinds = [entry.type for entry in till.entries()[before.version :]]
        if state(till, held) == "captured":
            # Before its moment, and by whoever came before the clock did.
            assert early
            assert kinds == ["redeem"]
            assert refused(outcomes) == [ledger.HoldResolved]
        else:
            assert (state(till, held), kinds) == ("lapsed", ["release"])
            assert refused(outcomes) == [ledger.HoldResolved] * 2
            assert till.balance == before.balance + 30


def test_last_points_are_held_once(till: Till) -> None:
    till.award(57)
    outcomes = at_once(*times(20, lambda: hold(till, 10)))
    assert refused(outcomes) == [ledger.InsufficientPoints] * 15
    assert (till.balance, till.row().held) == (7, 50)
    assert Hold.objects.filter(account_id=till.account.id, status="active").count() == 5


def test_last_points_are_held_or_spent(till: Till) -> None:
    for n in range(10):
        till.award(1, expires_at=NOON + (5 + n) * HOUR)
    at_once(*times(10, lambda: hold(till, 1)), *times(10, lambda: till.redeem(1)))
    row = till.row()
    assert (row.balance, row.held + row.lifetime_redeemed) == (0, 10)
    assert till.left() == [0] * 10


def test_an_account_has_a_hundred_holds_and_no_more(till: Till) -> None:
    till.award(1000)
    ledger.post_many([posting(till.account, "hold", 1, lasts=HOUR) for _ in range(95)])
    outcomes = at_once(*times(20, lambda: hold(till, 1)))
    assert refused(outcomes) == [ledger.TooManyHolds] * 15
    assert till.row().held == 100


def test_holds_get_along_with_all_else(till: Till) -> None:
    till.award(500)
    until = time.monotonic() + RACE_SECONDS / 4
    holds: list[uuid.UUID] = []
    resolved: Counter[uuid.UUID] = Counter()
    counting = threading.Lock()

    def until_it_is_over(work: Callable[[random.Random], Any], seed: int) -> int:
        dice, rounds = random.Random(seed), 0
        while time.monotonic() < until:
            with contextlib.suppress(ledger.InsufficientPoints, ledger.HoldResolved, ledger.TooManyHolds):
                work(dice)
            rounds += 1
        return rounds

    def moment() -> datetime.datetime:
        return NOON + (RACE_SECONDS / 4 - (until - time.monotonic())) * HOUR

    def set_aside(dice: random.Random) -> None:
        holds.append(till.post(ledger.hold, points=Decimal(dice.randint(1, 9)), lasts=HOUR / 2, at=moment()).id)

    def resolve(dice: random.Random) -> None:
        if holds:
            verb, held = dice.choice([capture, release]), dice.choice(holds[-20:])
            verb(till, held, at=moment())
            with counting:
                resolved[held] += 1

    def award(dice: random.Random) -> None:
        till.award(dice.randint(1, 9), at=moment(), expires_at=moment() + HOUR)

    def settle(dice: random.Random) -> None:
        till.settle(moment())

    works = [set_aside, set_aside, resolve, resolve, award, settle]
    assert all(at_once(*(partial(until_it_is_over, work, seed) for seed, work in enumerate(works))))
    assert set(resolved.values()) == {1}
    states = Counter(Hold.objects.filter(account_id=till.account.id).values_list("status", flat=True))
    assert states["captured"] + states["released"] == len(resolved)
    assert sum(states.values()) == len(holds)
