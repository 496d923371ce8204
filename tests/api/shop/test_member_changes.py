"""A member's token when the member has become another, or is gone."""

import pytest
from django.utils import timezone

from rewards import persons
from tests.api.shop.members import Shop, data, get, make_shop, refused, serial


@pytest.fixture
def shop() -> Shop:
    return make_shop()


def test_reads_as_the_one_who_stays(shop: Shop) -> None:
    token = shop.token()
    alice, bob = shop.alice.customer, shop.bob.customer
    persons.merge(customer=alice, into=bob, actor="test", at=timezone.now())
    told = data(get("/en/shop/loyalty-cards", token))
    assert {card["id"] for card in told} == {serial(shop.alice), serial(shop.bob)}
    balance = get(f"/en/shop/points/card/{serial(shop.alice)}/balance", token)
    assert data(balance)["balance"]["current_points"] == 0


def test_is_good_for_nothing_once_the_member_is_erased(shop: Shop) -> None:
    token = shop.token()
    persons.erase(customer=shop.alice.customer, actor="test", at=timezone.now())
    refused(get("/en/shop/loyalty-cards", token), 401, "UNAUTHORIZED")
    refused(get(f"/en/shop/points/card/{serial(shop.alice)}/balance", token), 401, "UNAUTHORIZED")
