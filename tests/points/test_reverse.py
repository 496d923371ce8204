import datetime

import pytest

from cards.models import Card
from loyalty import errors
from loyalty.models import Program
from points import ledger
from points.models import PointDefinition
from tests.factories import make_account, make_definition
from tests.points.till import NOTE, Till, breaches, days, some_id


def with_clawback(program: Program, clawback: str, *, may_go_negative: bool = False) -> Till:
    return Till(make_account(program, clawback=clawback, may_go_negative=may_go_negative))


# Of an award


def test_takes_an_award_back(program: Program, till: Till) -> None:
    award = till.award(100)
    till.award(20)
    entry = till.reverse(award)
    assert (entry.type, entry.points, entry.reverses_id) == ("reverse", -100, award.id)
    assert (entry.balance_before, entry.balance_after, entry.shortfall) == (120, 120 - 100, 0)
    assert till.uses(entry) == [(1, 100)]
    assert (till.balance, till.left(), till.row().lifetime_earned) == (20, [0, 20], 120 - 100)
    assert breaches(program) == set()


def test_takes_back_from_its_own_lot_although_others_end_first(till: Till) -> None:
    award = till.award(100)
    till.award(100, expires_at=days(1))
    till.reverse(award, 60)
    assert till.left() == [40, 100]


def test_takes_back_from_other_lots_in_spending_order_when_its_own_is_spent(till: Till) -> None:
    award = till.award(100, expires_at=days(1))  # 1
    till.redeem(70)  # 2
    till.award(50)  # 3
    till.award(20, expires_at=days(9))  # 4
    entry = till.reverse(award, 60)
    assert till.uses(entry) == [(1, 30), (4, 20), (3, 10)]
    assert till.balance == 100 - 70 + 50 + 20 - 60


def test_takes_back_what_is_still_pending(program: Program, till: Till) -> None:
    award = till.award(100, valid_from=days(3))
    till.award(10)
    entry = till.reverse(award, 40)
    assert (entry.points, entry.balance_after, entry.pending_after) == (-40, 10, 100 - 40)
    assert till.row().lifetime_earned == 10
    till.settle(days(3))
    assert (till.balance, till.row().lifetime_earned) == (10 + 60, 10 + 60)
    till.reverse(award, at=days(3))
    assert (till.balance, till.row().lifetime_earned) == (10, 10)
    assert breaches(program) == set()


def test_takes_nothing_of_pending_points_for_another_award(till: Till) -> None:
    award = till.award(100)
    till.redeem(100)
    till.award(100, valid_from=days(3))
    with pytest.raises(ledger.InsufficientPoints):
        till.reverse(award)
    assert till.row().pending == 100


def test_takes_back_a_positive_adjustment(till: Till) -> None:
    adjustment = till.adjust(50)
    till.award(10)
    till.reverse(adjustment)
    assert till.left() == [0, 10]
    assert till.row().lifetime_earned == 10


def test_takes_back_no_more_than_has_not_expired(till: Till) -> None:
    award = till.award(100)
    till.expire(30)
    with pytest.raises(ledger.AlreadyReversed) as refused:
        till.reverse(award, 71)
    assert refused.value.facts == {"reversible_points": 100 - 30}
    assert till.reverse(award).points == -70


def test_is_refused_where_the_points_are_spent(till: Till) -> None:
    award = till.award(100)
    till.redeem(60)
    before = till.everything()
    with pytest.raises(ledger.InsufficientPoints) as refused:
        till.reverse(award)
    assert refused.value.facts == {"current_balance": 40, "requested_points": 100}
    assert till.everything() == before
    till.reverse(award, 40)
    assert till.balance == 0


def test_takes_what_is_there_and_says_what_is_missing(program: Program) -> None:
    till = with_clawback(program, "to_zero")
    award = till.award(100)
    till.redeem(60)
    entry = till.reverse(award, 70)
    assert (entry.points, entry.shortfall, till.balance) == (-40, 30, 0)
    # What could not be taken counts as reversed: later points are safe from this award.
    till.award(100)
    with pytest.raises(ledger.AlreadyReversed) as refused:
        till.reverse(award, 31)
    assert refused.value.facts == {"reversible_points": 30}
    assert till.row().lifetime_earned == 100 - 70 + 100
    assert breaches(program) == set()


def test_says_that_all_is_missing(program: Program) -> None:
    till = with_clawback(program, "to_zero")
    award = till.award(100)
    till.redeem(100)
    entry = till.reverse(award)
    assert (entry.points, entry.shortfall, till.uses(entry)) == (0, 100, [])
    assert breaches(program) == set()


def test_leaves_a_debt_where_the_account_may_have_one(program: Program) -> None:
    till = with_clawback(program, "negative", may_go_negative=True)
    award = till.award(100)
    till.redeem(60)
    entry = till.reverse(award)
    assert till.uses(entry) == [(1, 40), (None, 60)]
    assert (till.balance, entry.shortfall) == (-60, 0)
    till.award(100)
    assert (till.balance, till.left()) == (-60 + 100, [0, 40])
    assert breaches(program) == set()


def test_leaves_no_debt_where_the_account_may_not_have_one(program: Program) -> None:
    till = with_clawback(program, "negative")
    award = till.award(100)
    till.redeem(60)
    with pytest.raises(ledger.InsufficientPoints):
        till.reverse(award)
    assert till.balance == 40


def test_goes_by_the_clawback_of_the_day_of_the_award(program: Program) -> None:
    definition = make_definition(program, clawback="to_zero")
    till = Till(make_account(program, definition))
    award = till.award(100)
    till.redeem(100)
    PointDefinition.objects.filter(pk=definition.pk).update(clawback="refuse")
    definition.refresh_from_db()
    assert till.reverse(award).shortfall == 100


# Of a redemption


def test_gives_a_redemption_back(program: Program, till: Till) -> None:
    till.award(100)
    redemption = till.redeem(60)
    entry = till.reverse(redemption)
    assert (entry.type, entry.points, entry.balance_after) == ("reverse", 60, 40 + 60)
    assert (till.balance, till.left(), till.row().lifetime_redeemed) == (100, [100], 0)
    assert till.row().lifetime_earned == 100
    assert breaches(program) == set()


def test_gives_back_to_the_lots_that_paid_the_last_one_first(till: Till) -> None:
    till.award(10, expires_at=days(10))
    till.award(10, expires_at=days(20))
    till.award(10)
    redemption = till.redeem(25)
    assert till.uses(till.reverse(redemption, 8)) == [(3, -5), (2, -3)]
    assert till.uses(till.reverse(redemption, 9)) == [(2, -7), (1, -2)]
    assert till.uses(till.reverse(redemption)) == [(1, -8)]
    assert till.left() == [10, 10, 10]


def test_gives_back_with_the_end_that_the_points_had(program: Program) -> None:
    definition = make_definition(program, expiry_policy="days", expiry_count=10)
    till = Till(make_account(program, definition))
    till.award(100)
    redemption = till.redeem(100)
    PointDefinition.objects.filter(pk=definition.pk).update(expiry_count=500)
    definition.refresh_from_db()
    till.reverse(redemption, at=days(9))
    assert [(lot.remaining, lot.expires_at) for lot in till.lots()] == [(100, days(10))]
    till.settle(days(10))
    assert till.history()[-1] == ("expire", -100)
    assert till.balance == 0


def test_expires_at_once_what_a_lot_takes_back_after_its_end(program: Program, till: Till) -> None:
    till.award(60, expires_at=days(3))
    till.award(40)
    redemption = till.redeem(80)
    entry = till.reverse(redemption, at=days(5))
    assert entry.balance_after == 20 + 80
    assert till.history()[-2:] == [("reverse", 80), ("expire", -60)]
    expiry = till.entries()[-1]
    assert expiry.reason == "Expired: the points given back had ended"
    assert (expiry.effective_at, till.uses(expiry)) == (days(5), [(1, 60)])
    row = till.row()
    assert (row.balance, row.lifetime_redeemed, row.lifetime_expired) == (40, 0, 60)
    assert breaches(program) == set()


def test_expires_later_what_it_gave_back_in_time(till: Till) -> None:
    till.award(60, expires_at=days(3))
    redemption = till.redeem(60)
    till.award(1, expires_at=days(1))
    till.settle(days(1))
    assert till.row().next_due_at is None  # Nothing was left that could end.
    till.reverse(redemption, at=days(2))
    till.settle(days(3))
    assert till.balance == 0


def test_gives_back_a_negative_adjustment(till: Till) -> None:
    till.award(100)
    adjustment = till.adjust(-30)
    till.reverse(adjustment)
    row = till.row()
    assert (row.balance, row.lifetime_redeemed, row.lifetime_earned) == (100, 0, 100)


def test_forgives_the_debt_that_an_adjustment_left(program: Program) -> None:
    till = with_clawback(program, "refuse", may_go_negative=True)
    till.award(10)
    adjustment = till.adjust(-30)
    assert till.uses(till.reverse(adjustment, 15)) == [(None, -15)]
    assert till.uses(till.reverse(adjustment)) == [(None, -5), (1, -10)]
    assert till.balance == 10
    assert breaches(program) == set()


def test_gives_back_to_the_lots_that_paid_the_debt_the_last_one_first(program: Program) -> None:
    till = with_clawback(program, "refuse", may_go_negative=True)
    adjustment = till.adjust(-10)  # 1
    till.award(5, valid_from=days(3))  # 2 pays on day 3
    till.award(3)  # 3 pays at once
    till.settle(days(3))
    assert till.balance == -10 + 3 + 5
    entry = till.reverse(adjustment, 4, at=days(3))
    assert till.uses(entry) == [(None, -2), (2, -2)]
    assert till.balance == 2
    till.reverse(adjustment, at=days(3))
    assert (till.balance, till.left()) == (8, [5, 3])
    assert breaches(program) == set()


def test_counts_the_last_payment_of_a_lot_that_paid_twice(program: Program) -> None:
    till = with_clawback(program, "refuse", may_go_negative=True)
    till.award(10)  # 1
    redemption = till.redeem(8)
    adjustment = till.adjust(-5)  # takes the other 2 and leaves a debt of 3
    till.reverse(redemption, 1)  # lot 1 pays
    till.award(1)  # 5 pays
    till.reverse(redemption, 1)  # lot 1 pays again
    assert (till.balance, till.left()) == (0, [0, 0])
    assert till.uses(till.reverse(adjustment, 1)) == [(1, -1)]
    assert till.uses(till.reverse(adjustment)) == [(1, -1), (5, -1), (1, -2)]
    assert till.balance == 10 - 8 + 2 + 1
    assert breaches(program) == set()


def test_pays_a_debt_with_what_it_gives_back(program: Program) -> None:
    till = with_clawback(program, "refuse", may_go_negative=True)
    till.award(50)
    redemption = till.redeem(50)
    till.adjust(-30)
    entry = till.reverse(redemption)
    assert till.uses(entry) == [(1, -50), (1, 30), (None, -30)]
    assert (till.balance, till.left()) == (50 - 30, [20])
    assert breaches(program) == set()


# Of either


def test_undoes_a_unit_once(till: Till) -> None:
    award = till.award(100)
    redemption = till.redeem(10)
    for target, points in ((award, 90), (redemption, 10)):
        till.reverse(target, points - 1)
        with pytest.raises(ledger.AlreadyReversed):
            till.reverse(target, 12)
        till.reverse(target, 1)
    with pytest.raises(ledger.AlreadyReversed) as refused:
        till.reverse(redemption)
    assert refused.value.facts == {"reversible_points": 0}


@pytest.mark.parametrize("points", ["0", "-1", "0.5"])
def test_refuses_an_amount_that_is_none(till: Till, points: str) -> None:
    award = till.award(100)
    redemption = till.redeem(10)
    before = till.everything()
    for target in (award, redemption):
        with pytest.raises(errors.InvalidPoints):
            till.reverse(target, points)
    assert till.everything() == before


def test_refuses_what_nobody_posted(till: Till) -> None:
    award = till.award(100, valid_from=days(1))
    till.settle(days(1))
    reversal = till.reverse(award, 10, at=days(1))
    expiry = till.expire(10, at=days(1))
    activation = till.entries()[1]
    before = till.everything()
    for target in (activation, reversal, expiry):
        with pytest.raises(ledger.NotReversible):
            till.reverse(target, at=days(1))
    assert till.everything() == before


def test_refuses_an_entry_that_the_account_does_not_have(program: Program, till: Till) -> None:
    till.award(100)
    theirs = Till(make_account(program, till.account.definition)).award(100)
    for unknown in (theirs.id, some_id()):
        with pytest.raises(ledger.TransactionNotFound):
            till.post(ledger.reverse, transaction_id=unknown)
    assert till.history() == [("award", 100)]


def test_settles_what_was_due_although_it_is_refused(till: Till) -> None:
    award = till.award(100, expires_at=days(3))
    with pytest.raises(ledger.AlreadyReversed):
        till.reverse(award, at=days(3))
    with pytest.raises(ledger.TransactionNotFound):
        till.post(ledger.reverse, transaction_id=some_id(), at=days(4))
    assert till.history() == [("award", 100), ("expire", -100)]


def test_remembers_the_card_of_what_it_reverses(till: Till, card: Card) -> None:
    award = till.award(100, note=ledger.Note(reason="Order", actor="till", card_id=card.pk))
    assert till.reverse(award, note=NOTE).card_id == card.pk


def test_is_no_activity_of_the_customer(till: Till) -> None:
    award = till.award(100)
    redemption = till.redeem(10, at=days(1))
    till.reverse(redemption, at=days(2))
    till.reverse(award, at=days(3))
    assert till.row().last_activity_at == days(1)


def test_reverses_an_award_of_which_much_happened(program: Program, till: Till) -> None:
    award = till.award(100, expires_at=days(10))
    redemption = till.redeem(80)
    till.award(40)
    till.settle(days(10))  # 20 of the award expire
    till.reverse(redemption, 30, at=days(11))  # back to the ended lot, expires
    assert till.history()[-1] == ("expire", -30)
    # 100 less 20 and 30 that expired: of the 50 that were enjoyed 40 are there.
    with pytest.raises(ledger.InsufficientPoints):
        till.reverse(award, at=days(12))
    till.reverse(award, 40, at=days(12))
    assert till.balance == 0
    assert breaches(program) == set()


def test_takes_effect_no_earlier_than_the_entry_before_it(till: Till) -> None:
    award = till.award(100, at=days(3))
    assert till.reverse(award, at=days(3) - datetime.timedelta(seconds=1)).effective_at == days(3)
