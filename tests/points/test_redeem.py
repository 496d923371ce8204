import datetime
from decimal import Decimal

import pytest

from cards.models import Card, Customer
from loyalty import errors
from loyalty.models import Program
from points import ledger
from points.models import EntryType
from tests.factories import CardFactory, make_account
from tests.points.till import NOON, NOTE, Till, breaches, days


def test_spends_points(program: Program, till: Till) -> None:
    till.award(100)
    entry = till.redeem(30)
    assert (entry.type, entry.points) == ("redeem", -30)
    assert (entry.balance_before, entry.balance_after) == (100, 100 - 30)
    assert (till.balance, till.row().lifetime_redeemed) == (100 - 30, 30)
    assert breaches(program) == set()


def test_takes_what_ends_first_and_what_never_ends_last(till: Till) -> None:
    till.award(10)  # 1: never
    till.award(10, expires_at=days(30))  # 2
    till.award(10, expires_at=days(20))  # 3
    till.award(10, expires_at=days(20))  # 4: as early, but younger
    till.award(10)  # 5: never, and younger
    entry = till.redeem(45)
    assert till.uses(entry) == [(3, 10), (4, 10), (2, 10), (1, 10), (5, 5)]
    assert till.left() == [0, 0, 0, 0, 5]


def test_goes_on_in_the_lot_that_paid_last(till: Till) -> None:
    till.award(10, expires_at=days(10))
    till.award(10, expires_at=days(20))
    assert till.uses(till.redeem(4)) == [(1, 4)]
    assert till.uses(till.redeem(8)) == [(1, 6), (2, 2)]
    assert till.left() == [0, 8]


def test_takes_lots_that_end_by_inactivity_after_those_with_the_same_date(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    till.award(10)  # 1: a month after the last activity, which is day 1: 3 April
    till.award(10, at=days(1), expires_at=datetime.datetime(2026, 4, 3, 12, tzinfo=datetime.UTC))  # 2
    till.award(10, at=days(1), expires_at=datetime.datetime(2026, 4, 4, tzinfo=datetime.UTC))  # 3
    assert till.uses(till.redeem(25, at=days(1))) == [(2, 10), (1, 10), (3, 5)]


def test_takes_of_lots_that_end_by_inactivity_the_one_that_ends_first(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=2))
    till.award(100, valid_from=days(10))  # 1: its months begin on day 10
    till.adjust(50, at=days(5))  # 2: on day 5, an adjustment is no activity
    till.settle(days(10))
    assert till.uses(till.redeem(10, at=days(11))) == [(2, 10)]


def test_is_refused_beyond_the_balance(till: Till) -> None:
    till.award(100)
    till.award(50, valid_from=days(1))
    before = till.everything()
    with pytest.raises(ledger.InsufficientPoints) as refused:
        till.redeem(101)
    assert refused.value.facts == {"current_balance": 100, "requested_points": 101}
    assert till.everything() == before
    till.redeem(100)
    assert till.balance == 0


def test_is_refused_on_an_account_that_is_not_there(till: Till) -> None:
    with pytest.raises(ledger.InsufficientPoints):
        till.redeem(1)
    assert till.history() == []


def test_never_makes_a_debt_although_the_definition_allows_one(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.award(10)
    with pytest.raises(ledger.InsufficientPoints):
        till.redeem(11)
    till.adjust(-15)
    with pytest.raises(ledger.InsufficientPoints) as refused:
        till.redeem(1)
    assert refused.value.facts == {"current_balance": -5, "requested_points": 1}
    assert till.balance == 10 - 15


@pytest.mark.parametrize("points", ["0", "-5", "0.5", "1e30"])
def test_refuses_an_amount_that_is_none(till: Till, points: str) -> None:
    till.award(100)
    before = till.everything()
    with pytest.raises(errors.InvalidPoints):
        till.redeem(points)
    assert till.everything() == before


def test_cannot_spend_what_has_expired_although_nothing_swept_it(till: Till) -> None:
    till.award(100, expires_at=days(3))
    with pytest.raises(ledger.InsufficientPoints) as refused:
        till.redeem(1, at=days(3))
    assert refused.value.facts["current_balance"] == 0
    assert till.history() == [("award", 100), ("expire", -100)]


def test_spends_until_the_last_moment(till: Till) -> None:
    till.award(100, expires_at=days(3))
    till.redeem(40, at=days(3) - datetime.timedelta(microseconds=1))
    assert till.balance == 100 - 40


def test_spends_what_has_started_although_nothing_activated_it(till: Till) -> None:
    till.award(100, valid_from=days(3))
    till.redeem(40, at=days(3))
    assert till.balance == 100 - 40
    assert till.history() == [("award", 100), ("activate", 0), ("redeem", -40)]


def test_takes_points_once_although_their_lot_expires_later(program: Program, till: Till) -> None:
    # Unexpired credits minus all debits would say 50 - 80.
    till.award(100, expires_at=days(10))
    till.award(50)
    till.redeem(80)
    till.settle(days(11))
    assert till.balance == 100 + 50 - 80 - 20
    assert till.row().lifetime_expired == 20
    assert breaches(program) == set()


def test_spends_although_its_clock_is_behind(program: Program) -> None:
    # A request reads the clock before it waits for the lock, and another machine's clock may be a little late.
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    till.award(100, at=days(3))
    till.award(100, at=days(3), valid_from=days(4))
    till.settle(days(4))
    entry = till.redeem(150, at=NOON)
    assert entry.effective_at == days(4)
    assert till.balance == 200 - 150
    assert breaches(program) == set()


def test_counts_exactly_where_floats_would_not(program: Program) -> None:
    till = Till(make_account(program, decimal_places=2))
    till.award("0.30")
    for _ in range(3):
        till.redeem("0.10")
    assert till.balance == Decimal("0.00")
    with pytest.raises(ledger.InsufficientPoints):
        till.redeem("0.01")


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        ({"status": "blocked"}, ledger.CardBlocked),
        ({"status": "inactive"}, ledger.CardInactive),
        ({"expires_at": NOON}, ledger.CardExpired),
    ],
)
def test_is_refused_on_a_card_that_does_not_redeem(
    till: Till, customer: Customer, state: dict, refusal: type[errors.Refusal]
) -> None:
    till.award(100)
    stopped = CardFactory(customer=customer, **state)
    before = till.everything()
    with pytest.raises(refusal):
        # The card comes before the amount.
        till.redeem(101, note=ledger.Note(reason="Order", actor="till", card_id=stopped.pk))
    assert till.everything() == before


def test_remembers_the_card(till: Till, card: Card) -> None:
    till.award(10)
    assert till.redeem(1, note=ledger.Note(reason="Order", actor="till", card_id=card.pk)).card_id == card.pk


def test_counts_more_redeemed_points_than_one_account_can_have(till: Till) -> None:
    most = Decimal(10**15 - 1)

    def posting(kind: EntryType) -> ledger.Posting:
        return ledger.Posting(type=kind, account=till.account, points=most, at=NOON, note=NOTE)

    for _ in range(3):
        outcomes = ledger.post_many([posting(kind) for kind in [EntryType.ADJUST, EntryType.REDEEM] * 400])
        assert not [outcome.refusal for outcome in outcomes if outcome.refusal]
    assert till.row().lifetime_redeemed == 3 * 400 * most
