"""What is posted on the accounts face, as tills and shops see it: the same points, moments and amounts."""

import datetime

import pytest
import time_machine

from cards.models import Card
from loyalty.models import Program
from points import definitions
from points.models import PointDefinition, TierChange
from tests.api.management.till import Till, data, error, nothing_moves
from tests.api.shop.till import ShopTill
from tests.api.shop.till import data as shop_data
from tests.api.shop.till import error as shop_error
from tests.api.v3.system import System, done
from tests.factories import CardFactory, make_definition

START = datetime.datetime(2026, 3, 9, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture
def card(usual: System) -> Card:
    return CardFactory(customer=usual.contact)


def test_keeps_pending_points_from_every_face_until_their_second(program: Program, usual: System, card: Card) -> None:
    till, shop = Till(program, card), ShopTill(program, card)
    usual.open()
    with time_machine.travel(START - 7 * 24 * 3600 * SECOND, tick=False) as clock:
        usual.add(90, validFrom=START.isoformat())
        clock.move_to(START - SECOND)
        with nothing_moves(program):
            error(till.redeem(30), 400, "INSUFFICIENT_POINTS")
            shop_error(shop.redeem(30), 400, "INSUFFICIENT_POINTS")
            assert done(usual.rows(usual.row(-30)), 202)["accepted"] == 0
        assert till.balance == 0
        clock.move_to(START)
        assert (till.balance, usual.balance) == (90, 90)
        data(till.redeem(30), 201)
        shop_data(shop.redeem(30), 201)
        assert done(usual.rows(usual.row(-30)), 202)["accepted"] == 1
        assert till.balance == usual.balance == 0


def test_tells_decimals_exactly_on_every_face(program: Program, usual: System, card: Card) -> None:
    kind = make_definition(program, decimal_places=1)
    definitions.make_default(PointDefinition.objects.get(pk=kind.pk))
    system, till, shop = System(program, usual.contact, kind), Till(program, card), ShopTill(program, card)
    done(system.rows(system.row(719.7)), 202)
    assert b'"balance":719.7,' in system.get(f"point-accounts/{system.account_id}").content
    assert b'"current_balance":719.7,' in till.get(f"points/balance/{till.card_id}").content
    assert b'"current_points":719.7,' in shop.get(f"points/card/{card.serial}/balance").content
    assert data(till.redeem(0.1), 201)["new_balance"] == 719.6
    [last, first] = data(till.get(f"points/history/{till.card_id}"))["transactions"]
    assert (last["points"], first["points"], first["balance_after"]) == (-0.1, 719.7, 719.7)
    assert [row["points"] for row in shop.history()["data"]] == [-0.1, 719.7]
    assert system.amounts(sortBy="CreatedOn") == [-0.1, 719.7]


def test_moves_no_tier_by_points_that_do_not_count_for_it(program: Program, usual: System, system: System) -> None:
    done(system.rows(system.row(100_000)), 202)
    assert not TierChange.objects.filter(program=program).exists()
    done(usual.rows(usual.row(500)), 202)
    change = TierChange.objects.get(program=program)
    assert (change.account_id, change.to_tier.code) == (usual.account.id, "silver")
    assert (system.balance, usual.balance) == (100_000, 500)
