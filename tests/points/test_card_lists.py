"""Cards sorted by balance: by the clock, also where holds have lapsed and nobody has posted since."""

import datetime
from decimal import Decimal

from cards.models import Card
from loyalty.models import Program
from points import card_lists, ledger
from tests.factories import CardFactory, make_account, make_definition
from tests.points.till import NOON, NOTE, Till, days

HOUR = datetime.timedelta(hours=1)


def hold(till: Till, points: int, lasts: datetime.timedelta) -> None:
    ledger.hold(account=till.account, points=Decimal(points), lasts=lasts, note=NOTE, at=NOON)


def with_card(till: Till) -> Card:
    return CardFactory(program=till.account.program, customer_id=till.account.customer_id, customer=None)


def richest_first(program: Program, at: datetime.datetime) -> list[Card]:
    return list(card_lists.cards(program=program, at=at, selected={}, sort="points_balance:desc"))


def test_counts_what_came_back_from_holds_and_has_not_ended(program: Program) -> None:
    definition = make_definition(program)
    keeps, loses, other, idle = (Till(make_account(program, definition)) for _ in range(4))
    keeps.award(50)
    hold(keeps, 40, HOUR)
    loses.award(60, expires_at=days(1))
    hold(loses, 60, HOUR)
    other.award(20)
    cards = {
        name: with_card(till) for name, till in (("keeps", keeps), ("loses", loses), ("other", other), ("idle", idle))
    }
    by_balance = {
        NOON: ["other", "keeps", "loses"],  # 20, 10, 0
        NOON + HOUR: ["loses", "keeps", "other"],  # 60, 50, 20
        days(1): ["keeps", "other", "loses"],  # 50, 20, 0
    }
    for at, names in by_balance.items():
        told = [card for card in richest_first(program, at) if card != cards["idle"]]
        assert told == [cards[name] for name in names]


def test_counts_what_came_back_to_what_ends_by_inactivity(program: Program) -> None:
    definition = make_definition(program, expiry_policy="inactivity", expiry_count=1)
    till, other = (Till(make_account(program, definition)) for _ in range(2))
    till.award(50)
    hold(till, 50, HOUR)
    other.award(20)
    other.award(20, at=days(20))
    card, another = with_card(till), with_card(other)
    assert richest_first(program, NOON) == [another, card]
    assert richest_first(program, days(30)) == [card, another]
    assert richest_first(program, days(31)) == [another, card]


def test_takes_a_debt_off_what_came_back(program: Program) -> None:
    definition = make_definition(program, may_go_negative=True)
    till, other = (Till(make_account(program, definition)) for _ in range(2))
    till.award(50)
    hold(till, 50, HOUR)
    till.adjust(-25)
    other.award(30)
    card, another = with_card(till), with_card(other)
    # 50 are back, 25 of them pay the debt.
    assert richest_first(program, NOON + HOUR) == [another, card]
