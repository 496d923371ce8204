import pytest

from loyalty import errors
from loyalty.models import Program
from points import ledger
from tests.factories import make_account
from tests.points.till import NOTE, Till, breaches, days


@pytest.fixture
def till(till: Till) -> Till:
    """Lots 1 to 4: 10 that never end, 20 until day 20, 30 until day 10, and 40 from day 5 until day 6."""
    till.award(10)
    till.award(20, expires_at=days(20))
    till.award(30, expires_at=days(10))
    till.award(40, valid_from=days(5), expires_at=days(6))
    return till


def test_expires_so_many_points_in_spending_order(program: Program, till: Till) -> None:
    entry = till.expire(55)
    assert (entry.type, entry.points) == ("expire", -55)
    assert till.uses(entry) == [(3, 30), (2, 20), (1, 5)]
    assert (till.balance, till.row().pending, till.row().lifetime_expired) == (10 + 20 + 30 - 55, 40, 55)
    assert breaches(program) == set()


def test_expires_what_ends_before_a_moment(till: Till) -> None:
    entry = till.expire(before=days(20))
    assert till.uses(entry) == [(3, 30)]
    assert till.balance == 10 + 20


def test_expires_at_most_so_many_of_what_ends_before_a_moment(till: Till) -> None:
    assert till.uses(till.expire(35, before=days(21))) == [(3, 30), (2, 5)]
    # More than there is of such points is no fault: it is a most.
    assert till.uses(till.expire(1000, before=days(21))) == [(2, 15)]
    assert till.left() == [10, 0, 0, 40]


def test_touches_only_active_points(till: Till) -> None:
    assert till.uses(till.expire(before=days(7), at=days(4)) or till.entries()[-1]) == []
    assert till.left() == [10, 20, 30, 40]
    entry = till.expire(before=days(7), at=days(5))
    assert till.uses(entry) == [(4, 40)]


def test_writes_nothing_where_nothing_ends(till: Till) -> None:
    before = till.everything()
    assert till.expire(before=days(9)) is None
    assert till.expire(5, before=days(10)) is None
    assert till.everything() == before


def test_is_refused_beyond_the_balance(till: Till) -> None:
    before = till.everything()
    with pytest.raises(ledger.InsufficientPoints) as refused:
        till.expire(61)
    assert refused.value.facts == {"current_balance": 60, "requested_points": 61}
    assert till.everything() == before
    till.expire(60)
    assert till.balance == 0


@pytest.mark.parametrize("points", ["0", "-1", "0.5"])
def test_refuses_an_amount_that_is_none(till: Till, points: str) -> None:
    before = till.everything()
    with pytest.raises(errors.InvalidPoints):
        till.expire(points)
    with pytest.raises(errors.InvalidPoints):
        till.expire(points, before=days(100))
    assert till.everything() == before


def test_needs_an_amount_or_a_moment(till: Till) -> None:
    with pytest.raises(errors.InvalidParameters):
        till.expire()


def test_expires_lots_that_end_by_inactivity_by_the_end_they_have_now(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    till.award(10)
    till.adjust(20, at=days(3))
    # The first ends on 2 April, the second, which started later, on the 5th: 31 and 34 days after the 2nd of March.
    assert till.expire(before=days(31), at=days(4)) is None
    assert till.uses(till.expire(before=days(32), at=days(4))) == [(1, 10)]
    till.award(5, at=days(5))
    assert till.expire(before=days(36), at=days(6)) is None
    assert till.uses(till.expire(before=days(37), at=days(6))) == [(2, 20), (4, 5)]


def test_settles_first(till: Till) -> None:
    entry = till.expire(before=days(100), at=days(10))
    assert till.history()[4:] == [("activate", 0), ("expire", -40), ("expire", -30), ("expire", -20)]
    assert till.uses(entry) == [(2, 20)]


def test_expires_although_its_clock_is_behind(till: Till) -> None:
    till.settle(days(5))
    assert till.expire(100, at=days(1)).points == -100


def test_says_why_and_who(till: Till) -> None:
    entry = till.expire(1, note=ledger.Note(reason="Closed by the customer", actor="admin", staff_member="Bob"))
    assert (entry.reason, entry.actor, entry.staff_member) == ("Closed by the customer", "admin", "Bob")
    assert till.expire(1, note=NOTE).reason == "Order reward"
