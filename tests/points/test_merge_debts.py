"""What two customers who are one person owed, and what paid it: it goes back to where it came from, and only there."""

from decimal import Decimal

import pytest
from django.db import transaction

from loyalty.models import Program
from points import moves
from tests.factories import make_account
from tests.points.till import NOON, Till, breaches, days


@pytest.fixture
def old(program: Program) -> Till:
    return Till(make_account(program, may_go_negative=True))


@pytest.fixture
def new(program: Program, old: Till) -> Till:
    return Till(make_account(program, old.account.definition))


def merge(old: Till, new: Till) -> None:
    with transaction.atomic():
        moves.merge(old=[old.account], new=[new.account], actor="till", at=NOON)


def left(till: Till) -> dict[int | None, Decimal]:
    """What is left, by the day on which it ends."""
    ends: dict[int | None, Decimal] = {}
    for lot in till.lots():
        day = lot.expires_at and (lot.expires_at - NOON).days
        ends[day] = ends.get(day, Decimal(0)) + lot.remaining
    return {day: points for day, points in ends.items() if points}


def test_debt_is_paid_by_what_ends_first(program: Program, old: Till, new: Till) -> None:
    old.award(20, expires_at=days(20))
    old.award(20, expires_at=days(10))
    new.adjust(-25)
    merge(old, new)
    assert left(new) == {20: 20 - 5}
    assert breaches(program) == set()


def test_debt_is_paid_by_what_is_there_and_ends_first(program: Program, old: Till, new: Till) -> None:
    new.award(20, expires_at=days(20))
    new.award(20, expires_at=days(10))
    old.adjust(-25)
    merge(old, new)
    assert left(new) == {20: 20 - 5}
    assert breaches(program) == set()


def test_part_of_a_debt_goes_back_to_each_that_paid_it_once(program: Program, old: Till, new: Till) -> None:
    debt = old.adjust(-30)
    old.award(10, expires_at=days(10))
    old.award(20, expires_at=days(20))
    merge(old, new)
    old.reverse(debt, 20)
    assert left(new) == {20: 20}
    old.reverse(debt, 6)
    assert left(new) == {10: 6, 20: 20}
    old.reverse(debt, 4)
    assert left(new) == {10: 10, 20: 20}
    assert breaches(program) == set()


def test_debts_go_back_to_each_that_paid_them_once(program: Program, old: Till, new: Till) -> None:
    first, second = old.adjust(-10), old.adjust(-20)
    old.award(10, expires_at=days(10))
    old.award(20, expires_at=days(20))
    merge(old, new)
    old.reverse(second)
    old.reverse(first)
    assert left(new) == {10: 10, 20: 20}
    assert breaches(program) == set()


@pytest.mark.parametrize("is_old_first", [True, False])
def test_debts_of_both_go_back_to_all_that_paid_them(
    program: Program, old: Till, new: Till, is_old_first: bool
) -> None:
    debts = []
    for till, day in ((old, 10), (new, 20)):
        debts.append(till.adjust(-20))
        till.award(20, expires_at=days(day))
    merge(old, new)
    for till, debt in sorted(zip((old, new), debts, strict=True), key=lambda pair: (pair[0] is new) == is_old_first):
        till.reverse(debt)
    assert left(new) == {10: 20, 20: 20}
    assert new.balance == 40
    assert breaches(program) == set()


def test_what_an_entry_took_goes_back_beside_the_debt_that_it_left(program: Program, old: Till, new: Till) -> None:
    old.award(20, expires_at=days(5))
    taken = old.adjust(-50)
    old.award(10, expires_at=days(10))
    merge(old, new)
    # 20 are still owed.
    assert new.balance == -20
    old.reverse(taken, 45)
    assert (new.balance, left(new)) == (25, {5: 20, 10: 5})
    old.reverse(taken)
    assert left(new) == {5: 20, 10: 10}
    assert breaches(program) == set()


def test_debts_go_back_after_one_merge_and_another(program: Program, old: Till, new: Till) -> None:
    third = Till(make_account(program, old.account.definition))
    debts = []
    for till, day in ((old, 10), (new, 20), (third, 30)):
        debts.append(till.adjust(-20))
        till.award(20, expires_at=days(day))
    merge(old, new)
    old.reverse(debts[0], 5)
    merge(new, third)
    for till, debt in zip((third, new, old), reversed(debts), strict=True):
        till.reverse(debt)
        assert breaches(program) == set()
    assert left(third) == {10: 20, 20: 20, 30: 20}


def test_lot_that_paid_a_debt_and_was_taken_from_gets_both_back(program: Program, old: Till, new: Till) -> None:
    old.award(20, expires_at=days(5))
    first = old.adjust(-10)
    taken = old.adjust(-30)  # 10 of the lot, and 20 that are owed.
    old.reverse(first)  # 10 of the lot are back, and pay 10 of them.
    old.award(10, expires_at=days(10))  # Pays the rest.
    merge(old, new)
    for points, expected in ((5, {5: 5}), (5, {5: 10}), (10, {5: 10, 10: 10}), (10, {5: 20, 10: 10})):
        old.reverse(taken, points)
        assert left(new) == expected
    assert breaches(program) == set()
