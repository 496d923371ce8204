import pytest

from cards.models import Customer
from loyalty import errors
from loyalty.models import Program
from points import ledger
from points.models import PointDefinition
from tests.factories import CardFactory, make_account, make_definition
from tests.points.till import NOON, Till, breaches, days


@pytest.fixture
def debtor(program: Program) -> Till:
    """An account that may go below zero."""
    return Till(make_account(program, may_go_negative=True))


def test_corrects_upwards(till: Till) -> None:
    entry = till.adjust(40)
    assert (entry.type, entry.points, entry.balance_after) == ("adjust", 40, 40)
    assert till.left() == [40]


def test_corrects_downwards_by_the_lots_that_end_first(till: Till) -> None:
    till.award(10)
    till.award(10, expires_at=days(9))
    entry = till.adjust(-15)
    assert till.uses(entry) == [(2, 10), (1, 5)]
    assert till.balance == 10 + 10 - 15


def test_counts_in_no_lifetime_and_is_no_activity(till: Till) -> None:
    till.award(10)
    till.adjust(40, at=days(1))
    till.adjust(-30, at=days(2))
    row = till.row()
    assert (row.lifetime_earned, row.lifetime_redeemed, row.lifetime_expired) == (10, 0, 0)
    assert row.last_activity_at == NOON


def test_brings_points_that_expire_as_the_definition_says(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="days", expiry_count=5))
    assert till.adjust(10).expires_at == days(5)
    till.settle(days(5))
    assert till.balance == 0


def test_is_refused_below_zero(till: Till) -> None:
    till.award(10)
    before = till.everything()
    with pytest.raises(ledger.InsufficientPoints) as refused:
        till.adjust(-11)
    assert refused.value.facts == {"current_balance": 10, "requested_points": 11}
    assert till.everything() == before


@pytest.mark.parametrize("points", ["0", "0.5", "-0.5", "1e30", "-1e30"])
def test_refuses_an_amount_that_is_none(till: Till, points: str) -> None:
    till.award(10)
    before = till.everything()
    with pytest.raises(errors.InvalidPoints):
        till.adjust(points)
    assert till.everything() == before


def test_goes_below_zero_where_the_definition_allows_it(program: Program, debtor: Till) -> None:
    debtor.award(10)
    entry = debtor.adjust(-25)
    assert debtor.balance == 10 - 25
    assert debtor.uses(entry) == [(1, 10), (None, 15)]
    entry = debtor.adjust(-5)
    assert debtor.uses(entry) == [(None, 5)]
    assert debtor.balance == 10 - 25 - 5
    assert breaches(program) == set()


def test_owes_no_more_than_fifteen_digits(debtor: Till) -> None:
    debtor.adjust("-999999999999999")
    before = debtor.everything()
    with pytest.raises(errors.InvalidPoints):
        debtor.adjust(-1)
    assert debtor.everything() == before


@pytest.mark.parametrize("verb", ["award", "adjust"])
def test_debt_is_paid_by_the_next_points(program: Program, debtor: Till, verb: str) -> None:
    debtor.adjust(-25)
    entry = getattr(debtor, verb)(10)
    assert debtor.uses(entry) == [(2, 10), (None, -10)]
    assert (debtor.balance, debtor.left()) == (-25 + 10, [0])
    entry = getattr(debtor, verb)(40)
    assert debtor.uses(entry) == [(3, 15), (None, -15)]
    assert (debtor.balance, debtor.left()) == (-25 + 10 + 40, [0, 25])
    assert breaches(program) == set()


def test_debt_is_paid_by_points_in_advance_when_they_become_active(program: Program, debtor: Till) -> None:
    debtor.adjust(-25)
    debtor.award(20, valid_from=days(3))
    debtor.award(20, valid_from=days(3))
    assert (debtor.balance, debtor.row().pending, debtor.left()) == (-25, 40, [20, 20])
    debtor.settle(days(3))
    assert (debtor.balance, debtor.row().pending, debtor.left()) == (-25 + 40, 0, [0, 15])
    assert debtor.row().lifetime_earned == 40
    assert breaches(program) == set()


def test_allows_a_debt_by_what_the_account_was_opened_with(program: Program) -> None:
    definition = make_definition(program, may_go_negative=True)
    till = Till(make_account(program, definition))
    till.award(10)
    PointDefinition.objects.filter(pk=definition.pk).update(may_go_negative=False)
    definition.refresh_from_db()
    till.adjust(-11)
    assert till.balance == -1
    with pytest.raises(ledger.InsufficientPoints):
        Till(make_account(program, definition)).adjust(-1)


@pytest.mark.parametrize("state", [{"status": "blocked"}, {"status": "inactive"}, {"expires_at": NOON}])
def test_works_on_any_card(till: Till, customer: Customer, state: dict) -> None:
    note = ledger.Note(reason="Goodwill", actor="admin", card_id=CardFactory(customer=customer, **state).pk)
    till.adjust(10, note=note)
    till.adjust(-3, note=note)
    till.expire(2, note=note)
    till.reverse(till.entries()[0], 1, note=note)
    assert till.balance == 10 - 3 - 2 - 1
