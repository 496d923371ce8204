"""What becomes of a code: it is found by id or in any case, used once, or cancelled with all that it took."""

import datetime
import functools
from decimal import Decimal
from typing import Any

import pytest

from loyalty import errors, ids
from points import ledger
from rewards import catalogue, redemptions
from rewards.models import Redemption
from tests.api.management.conftest import make_program
from tests.points.till import NOON, days, some_id
from tests.rewards.shop import Shop, events, stock
from tests.rewards.test_redeem import refused


def test_is_found_by_its_id_or_in_any_case(shop: Shop) -> None:
    made = shop.redeem(shop.customer(100), shop.reward())
    for reference in (ids.public("red", made.pk), made.code, made.code.lower(), f" {made.code.title()}\t"):
        assert shop.find(reference).pk == made.pk


@pytest.mark.parametrize("verb", ["find", "use", "cancel"])
def test_is_not_found_where_it_is_not(shop: Shop, verb: str) -> None:
    made = shop.redeem(shop.customer(100), shop.reward())
    stranger = Shop(make_program())
    # Letters that no code has, the number of a card, nothing, NUL, and an id of something else.
    unknown = ["REDEEM-111111", "LC012345678901", "", "REDEEM-\0AAAAA", ids.public("rwd", made.pk), "x" * 10_000]
    for program, reference in [
        *((shop.program, one) for one in unknown),
        (shop.program, ids.public("red", some_id())),
        (stranger.program, made.code),
        (stranger.program, ids.public("red", made.pk)),
    ]:
        options: dict[str, Any] = {} if verb == "find" else {"actor": "till"}
        verb_of = functools.partial(getattr(redemptions, verb), program=program, reference=reference, at=NOON)
        refused(redemptions.RedemptionNotFound, functools.partial(verb_of, **options))
    assert shop.find(made).state(NOON) == Redemption.State.ACTIVE


def test_is_used_once(shop: Shop) -> None:
    alice = shop.customer(100)
    reward = shop.reward(stock=5)
    made = shop.redeem(alice, reward)

    used = shop.use(made, days(1))

    assert (used.used_at, used.state(days(1))) == (days(1), Redemption.State.USED)
    before = alice.everything()
    refused(redemptions.AlreadyUsed, lambda: shop.use(made, days(2)))
    refused(redemptions.AlreadyUsed, lambda: shop.cancel(made, days(2)))
    assert shop.find(made).used_at == days(1)
    assert events(made) == [("used", "till", None)]
    assert (alice.everything(), stock(reward)) == (before, 4)


def test_gives_back_points_stock_and_limit_when_it_is_cancelled(shop: Shop) -> None:
    alice = shop.customer(100)
    reward = shop.reward(stock=1, per_customer_limit=1)
    made = shop.redeem(alice, reward)

    cancelled = shop.cancel(made, days(1))

    [_, _, returned] = alice.entries()
    assert (cancelled.cancelled_at, cancelled.state(days(1))) == (days(1), Redemption.State.CANCELLED)
    assert (returned.type, returned.points, returned.reference) == ("reverse", 100, made.code)
    assert (returned.reason, returned.actor, returned.reverses_id) == ("Code cancelled", "till", made.entry_id)
    assert events(made) == [("cancelled", "till", returned.id)]
    assert (alice.balance, stock(reward), alice.row().lifetime_redeemed) == (100, 1, 0)
    before = alice.everything()
    refused(redemptions.RedemptionCancelled, lambda: shop.cancel(made, days(1)))
    refused(redemptions.RedemptionCancelled, lambda: shop.use(made, days(1)))
    assert (alice.everything(), stock(reward), len(events(made))) == (before, 1, 1)
    shop.redeem(alice, reward, at=days(1))


def test_leaves_lots_as_they_were_when_it_is_cancelled_and_redeemed_again(shop: Shop) -> None:
    alice = shop.customer()
    for points, end in ((30, days(10)), (50, days(5)), (40, None)):
        alice.award(points, **({"expires_at": end} if end else {}))

    def lots() -> list[tuple[Decimal, datetime.datetime | None]]:
        return [(lot.remaining, lot.expires_at) for lot in alice.lots()]

    before = lots()
    reward = shop.reward(points_cost=Decimal(90))
    first = shop.redeem(alice, reward)
    after = lots()
    assert [left for left, _ in after] == [0, 0, 30]
    shop.cancel(first)
    assert lots() == before
    second = shop.redeem(alice, reward)
    assert lots() == after
    assert second.code != first.code
    assert alice.balance == 30


def test_expires_points_at_once_whose_lot_has_ended_meanwhile(shop: Shop) -> None:
    alice = shop.customer(60, expires_at=days(3))
    alice.award(60, expires_at=days(30))
    made = shop.redeem(alice, shop.reward())

    shop.cancel(made, days(4))

    assert alice.history()[2:] == [("redeem", -100), ("reverse", 100), ("expire", -60)]
    expiry = alice.entries()[-1]
    assert (expiry.reason, expiry.effective_at) == ("Expired: the points given back had ended", days(4))
    assert (alice.balance, alice.left()) == (60, [0, 60])


def test_brings_no_stock_back_that_it_did_not_take(shop: Shop) -> None:
    alice = shop.customer(300)
    reward = shop.reward()
    endless = shop.redeem(alice, reward)
    catalogue.change(program=shop.program, reward_id=reward.pk, stock=5)
    counted = shop.redeem(alice, reward)
    assert stock(reward) == 4
    shop.cancel(endless)
    assert stock(reward) == 4
    catalogue.change(program=shop.program, reward_id=reward.pk, stock=None)
    shop.cancel(counted)
    assert stock(reward) is None


def test_can_be_used_and_cancelled_when_the_reward_is_switched_off(shop: Shop) -> None:
    alice = shop.customer(200)
    reward = shop.reward(stock=2)
    first, second = shop.redeem(alice, reward), shop.redeem(alice, reward)
    catalogue.change(program=shop.program, reward_id=reward.pk, is_active=False)
    shop.use(first)
    shop.cancel(second)
    assert (alice.balance, stock(reward)) == (100, 1)


def test_stays_good_where_its_points_cannot_go_back(shop: Shop) -> None:
    alice = shop.customer(999_999_999_999_999)
    reward = shop.reward(stock=1)
    made = shop.redeem(alice, reward)
    before = alice.everything()
    refused(errors.InvalidPoints, lambda: shop.cancel(made))
    assert alice.everything() == before
    assert (shop.find(made).state(NOON), stock(reward), events(made)) == (Redemption.State.ACTIVE, 0, [])


def test_counts_a_cancellation_towards_the_limit_of_an_account(shop: Shop) -> None:
    soon, later = NOON + datetime.timedelta(seconds=5), NOON + datetime.timedelta(seconds=61)
    alice = shop.customer(100, expires_at=soon)
    reward = shop.reward(points_cost=Decimal(10), stock=1)
    made = shop.redeem(alice, reward)
    shop.program.transaction_limit = 2
    shop.program.save(update_fields=["transaction_limit"])

    refused(ledger.TransactionLimitExceeded, lambda: shop.cancel(made, soon))

    # What was due stays written.
    assert alice.history() == [("award", 100), ("redeem", -10), ("expire", -90)]
    assert (shop.find(made).state(soon), stock(reward)) == (Redemption.State.ACTIVE, 0)
    shop.cancel(made, later)
    assert stock(reward) == 1
