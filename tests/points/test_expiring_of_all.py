"""What all customers will lose is what each of them will lose, also by what no posting has settled yet."""

import datetime
import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from loyalty import errors
from loyalty.models import Program
from points import expiring, ledger, statements
from points.models import AccountRef
from tests.factories import make_account
from tests.points.till import NOON, NOTE, Till, days

HOUR = datetime.timedelta(hours=1)
DAYS = 30


def hold(till: Till, points: int, *, lasts: datetime.timedelta, at: datetime.datetime = NOON) -> None:
    ledger.hold(account=till.account, points=Decimal(points), lasts=lasts, note=NOTE, at=at)


def of_all(account: AccountRef, at: datetime.datetime) -> expiring.ExpiringInProgram:
    return expiring.ExpiringInProgram(program=account.program, definition=account.definition, at=at, days=DAYS)


def told(account: AccountRef, at: datetime.datetime) -> list[tuple[Decimal, datetime.datetime]]:
    rows = of_all(account, at)[0:100]
    assert {row.customer_id for row in rows} <= {account.customer_id}
    return [(row.points, row.expires_at) for row in rows]


def test_counts_what_came_back_from_a_hold(till: Till) -> None:
    till.award(100, expires_at=days(10))
    till.redeem(20)
    hold(till, 30, lasts=HOUR)
    assert told(till.account, NOON + HOUR / 2) == [(100 - 20 - 30, days(10))]
    assert told(till.account, NOON + HOUR) == [(100 - 20, days(10))]
    assert of_all(till.account, NOON + HOUR).total_points == 80


def test_counts_what_came_back_to_lots_of_which_nothing_was_left(till: Till) -> None:
    till.award(10, expires_at=days(10))
    till.award(10, expires_at=days(20))
    hold(till, 15, lasts=HOUR)
    hold(till, 5, lasts=2 * HOUR)
    assert told(till.account, NOON + HOUR) == [(10, days(10)), (5, days(20))]
    assert told(till.account, NOON + 2 * HOUR) == [(10, days(10)), (10, days(20))]


def test_leaves_out_what_had_ended_when_it_came_back(till: Till) -> None:
    till.award(10, expires_at=days(1))
    till.award(10, expires_at=days(20))
    hold(till, 15, lasts=48 * HOUR)
    assert told(till.account, days(2)) == [(10, days(20))]


def test_leaves_out_what_paid_a_debt_when_it_came_back(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.award(10, expires_at=days(10))
    till.award(10, expires_at=days(20))
    hold(till, 8, lasts=2 * HOUR)
    hold(till, 7, lasts=HOUR)
    till.award(9, valid_from=NOON + 2 * HOUR, expires_at=days(30))
    till.adjust(-5 - 9)
    # 9 are owed: the hold that lapses first pays 7, and at its moment the other one before what starts then.
    assert told(till.account, NOON + HOUR) == []
    assert told(till.account, NOON + 2 * HOUR) == [(8 - 2, days(10)), (9, days(30))]


def test_pays_a_debt_with_what_has_ended_since(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.award(10, expires_at=days(2))
    hold(till, 10, lasts=24 * HOUR)
    till.award(10, valid_from=days(1.5), expires_at=days(20))
    till.adjust(-4)
    assert told(till.account, days(3)) == [(10, days(20))]


def test_pays_no_debt_with_what_had_ended_when_it_came_back(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.award(10, expires_at=days(1))
    hold(till, 10, lasts=48 * HOUR)
    till.award(10, valid_from=days(2.5), expires_at=days(20))
    till.adjust(-10)
    assert told(till.account, days(3)) == []


def test_pays_a_debt_with_what_starts_first(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.award(10, valid_from=NOON + 2 * HOUR, expires_at=days(10))
    till.award(10, valid_from=NOON + HOUR, expires_at=days(20))
    till.adjust(-4)
    assert told(till.account, NOON + 2 * HOUR) == [(10, days(10)), (6, days(20))]


# A step of an account's history: after so many hours, this is done.
Step = tuple[int, Callable[[Till, datetime.datetime], Any]]


def _award(points: int, starts: int, ends: int | None) -> Callable[[Till, datetime.datetime], Any]:
    return lambda till, at: till.award(
        points,
        at=at,
        valid_from=at + starts * HOUR if starts else None,
        expires_at=None if ends is None else at + (starts + ends) * HOUR,
    )


def _hold(points: int, lasts: int) -> Callable[[Till, datetime.datetime], Any]:
    return lambda till, at: hold(till, points, lasts=lasts * HOUR, at=at)


hours = st.sampled_from([1, 2, 3, 12, 24, 36, 240])
works = (
    st.builds(_award, st.integers(1, 40), st.sampled_from([0, 0, 1, 3, 24]), hours | st.none())
    | st.builds(_hold, st.integers(1, 20), hours)
    | st.builds(lambda points: lambda till, at: till.adjust(-points, at=at), st.integers(1, 60))
    | st.builds(lambda points: lambda till, at: till.redeem(points, at=at), st.integers(1, 20))
)
histories = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 5]), works), min_size=2, max_size=9)


@hypothesis.settings(max_examples=60)
@hypothesis.given(
    several=st.lists(histories, min_size=1, max_size=2),
    policy=st.sampled_from([{}, {}, {"expiry_policy": "inactivity", "expiry_count": 1}]),
    later=st.lists(st.sampled_from([0, 1, 2, 3, 12, 24, 25, 36, 100, 700]), min_size=1, max_size=4),
)
def test_is_what_each_of_them_will_lose(several: list[list[Step]], policy: dict[str, Any], later: list[int]) -> None:
    program = Program.objects.create(slug=f"all-{secrets.token_hex(6)}", name="All", timezone="Europe/Vilnius")
    definition = make_account(program, may_go_negative=True, **policy).definition
    tills, last = [Till(make_account(program, definition)) for _ in several], NOON
    for till, history in zip(tills, several, strict=True):
        at = NOON
        for passed, work in history:
            at += passed * HOUR
            try:
                work(till, at)
            except errors.Refusal:
                continue
        last = max(last, at)
    for hours_later in later:
        at = last + hours_later * HOUR
        expected = sorted(
            (row.expires_at, till.account.customer_id, row.points, row.days_until_expiry)
            for till in tills
            for row in statements.balance(account=till.account, at=at, days=DAYS).expiring
        )
        rows = of_all(tills[0].account, at)
        found = [(row.expires_at, row.customer_id, row.points, row.days_until_expiry) for row in rows[0:100]]
        assert found == expected
        assert (rows.count(), rows.total_points) == (len(expected), sum(row[2] for row in expected))


@pytest.mark.parametrize("at", [NOON, NOON + HOUR])
def test_tells_nothing_of_other_programmes(till: Till, at: datetime.datetime) -> None:
    other = Program.objects.create(slug=f"other-{secrets.token_hex(6)}", name="Other")
    till.award(100, expires_at=days(10))
    hold(till, 30, lasts=HOUR)
    assert told(make_account(other), at) == []
