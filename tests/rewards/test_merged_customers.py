"""Codes of customers who are merged into others, or erased."""

import functools
import uuid
from decimal import Decimal

import pytest
from django.db import IntegrityError, ProgrammingError, connection, connections, transaction

from cards.membership import CustomerNotFound
from cards.models import Customer
from rewards import lapses, persons, redeeming, redemptions
from rewards.models import Redemption
from tests.points.threads import Waiting
from tests.points.till import NOON, Till, days
from tests.rewards.shop import Shop, codes, events, stock
from tests.rewards.test_redeem import refused


def merge(old: Till, new: Till) -> None:
    one, other = (Customer.objects.get(pk=till.account.customer_id) for till in (old, new))
    persons.merge(customer=one, into=other, actor="till", at=NOON)


def test_are_the_other_customers_and_count_towards_that_ones_limit(shop: Shop) -> None:
    alice, anna = shop.customer(1000), shop.customer(1000)
    reward = shop.reward(per_customer_limit=3, stock=9)
    used, good = shop.redeem(alice, reward), shop.redeem(alice, reward)
    shop.use(used)
    shop.redeem(anna, reward)

    merge(alice, anna)

    assert (codes(alice), len(codes(anna))) == ([], 3)
    moved = shop.find(good)
    assert (moved.customer_id, moved.account_id) == (anna.account.customer_id, anna.account.id)
    refused(redeeming.RewardLimitReached, lambda: shop.redeem(anna, reward))
    shop.cancel(moved)
    assert anna.history()[-1] == ("reverse", 100)
    assert (anna.balance, stock(reward)) == (1000 + 1000 - 2 * 100, 7)
    shop.redeem(anna, reward)


def test_lapse_for_the_other_customer(shop: Shop) -> None:
    alice, anna = shop.customer(100), shop.customer(7)
    made = shop.redeem(alice, shop.reward(code_valid_days=2, lapse="return"))
    merge(alice, anna)
    shop.find(made, days(2))
    assert anna.balance == 107


def test_whoever_names_the_old_customer_redeems_as_the_other(shop: Shop) -> None:
    alice, anna = shop.customer(600), shop.customer(600)
    reward = shop.reward(per_customer_limit=2, stock=9)
    offer = shop.reward(min_tier="silver", points_cost=Decimal(10))
    shop.redeem(anna, reward)
    merge(alice, anna)

    made = shop.redeem(alice, reward)

    assert (made.customer_id, made.account_id, made.balance_after) == (anna.account.customer_id, anna.account.id, 1000)
    refused(redeeming.RewardLimitReached, lambda: shop.redeem(alice, reward))
    assert shop.redeem(alice, offer).account_id == anna.account.id
    assert (stock(reward), anna.balance, len(codes(anna))) == (7, 990, 3)


@pytest.mark.parametrize("deed", ["cancel", "use", "lapse"])
def test_end_as_the_other_customers_where_the_merge_was_faster(shop: Shop, deed: str) -> None:
    alice, anna = shop.customer(100), shop.customer(7)
    reward = shop.reward(code_valid_days=2, lapse="return", stock=5)
    made = shop.redeem(alice, reward)
    works = {
        "cancel": functools.partial(shop.cancel, made),
        "use": functools.partial(shop.use, made),
        "lapse": functools.partial(
            lapses.write, [Redemption.objects.select_related("program", "definition").get(pk=made.pk)], at=days(2)
        ),
    }
    with transaction.atomic():
        merge(alice, anna)
        waiting = Waiting(works[deed])
    waiting.result()
    assert Redemption.objects.get(pk=made.pk).customer_id == anna.account.customer_id
    assert (anna.balance, stock(reward)) == ((7, 4) if deed == "use" else (107, 5))
    assert len(events(made)) == 1


def test_of_an_erased_customer_lapse_and_are_not_cancelled(shop: Shop) -> None:
    alice = shop.customer(150)
    reward = shop.reward(code_valid_days=2, lapse="return", stock=5)
    made = shop.redeem(alice, reward)
    persons.erase(customer=Customer.objects.get(pk=alice.account.customer_id), actor="till", at=NOON)
    before = alice.everything()
    refused(CustomerNotFound, lambda: shop.cancel(made))
    refused(CustomerNotFound, lambda: shop.redeem(alice, reward))
    assert (shop.find(made).state(NOON), stock(reward)) == (Redemption.State.ACTIVE, 4)
    assert shop.find(made, days(2)).lapsed_at == days(2)
    assert (events(made), stock(reward)) == ([("lapsed", "lapse", None)], 5)
    assert alice.everything() == before


def test_go_nowhere_else(shop: Shop) -> None:
    alice, anna, eve = shop.customer(100), shop.customer(7), shop.customer(7)
    made = shop.redeem(alice, shop.reward())
    merge(eve, anna)
    redemptions.move(account_ids=[alice.account.id, uuid.uuid4()])
    assert shop.find(made).account_id == alice.account.id
    sql = "UPDATE rewards_redemption SET customer_id = %s, account_id = %s WHERE id = %s"
    told = [anna.account.customer_id, anna.account.id, made.pk]
    with pytest.raises(IntegrityError, match="can go to no other account"), transaction.atomic(using="owner"):
        connections["owner"].cursor().execute(sql, told)
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute(sql, told)
