import datetime
from typing import Any

import pytest
import time_machine

from cards.models import Card
from tests.api.management.till import Till
from tests.api.management.till import data as management_data
from tests.api.shop.till import ShopTill, data, error
from tests.factories import CardFactory, CustomerFactory

NOON = datetime.datetime(2026, 1, 15, 12, tzinfo=datetime.UTC)


def written(moment: datetime.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_tells_a_card(till: ShopTill) -> None:
    data(till.award(10), 201)
    card = Card.objects.select_related("customer").get(pk=till.card.pk)
    expected = {
        "id": card.serial,
        "user_id": card.customer.serial,
        "card_type": "default",
        "card_number": card.number,
        "is_active": True,
        "points_balance": 10,
        "qr_code": card.number,
        "expires_at": None,
        "created_at": written(card.created_at),
        "updated_at": written(card.updated_at),
    }
    assert data(till.get(f"loyalty-cards/{card.serial}"), 200) == expected
    assert data(till.get("loyalty-cards/info", card_id=card.serial), 200) == expected
    assert data(till.get("loyalty-cards"), 200) == [expected]


@pytest.mark.parametrize(
    "change", [{"status": "blocked"}, {"status": "inactive"}, {"expires_at": NOON - datetime.timedelta(seconds=1)}]
)
def test_says_that_a_card_is_not_active(till: ShopTill, change: dict[str, Any]) -> None:
    Card.objects.filter(pk=till.card.pk).update(**change)
    assert data(till.get(f"loyalty-cards/{till.card.serial}"))["is_active"] is False


def test_says_when_the_card_was_last_changed(till: ShopTill) -> None:
    management = Till(till.program, till.card)

    def updated_at() -> str:
        return data(till.get(f"loyalty-cards/{till.card.serial}"))["updated_at"]

    with time_machine.travel(NOON, tick=False) as clock:
        for path, body in (
            ("block", {"reason": "Lost"}),
            ("unblock", {"reason": "Found"}),
            ("activate", None),
            ("replace", {"reason": "Lost"}),
        ):
            clock.shift(60)
            management_data(management.post(f"loyalty-cards/{management.card_id}/{path}", body))
            assert updated_at() == written(NOON + datetime.timedelta(seconds=clock_seconds(clock)))
        clock.shift(60)
        last = updated_at()
        management.client.patch(f"/api/loyalty-cards/{management.card_id}", {"customer_name": "Jo"}, format="json")
        assert updated_at() == last
        management.client.patch(f"/api/loyalty-cards/{management.card_id}", {"card_design": "gold"}, format="json")
        assert updated_at() == written(NOON + datetime.timedelta(seconds=clock_seconds(clock)))


def clock_seconds(_: Any) -> float:
    return (datetime.datetime.now(datetime.UTC) - NOON).total_seconds()


def test_lists_the_programmes_cards_newest_first(till: ShopTill, stranger: ShopTill) -> None:
    others = [CardFactory(customer=CustomerFactory(program=till.program)) for _ in range(3)]
    serials = [card.serial for card in reversed([till.card, *others])]
    assert [card["id"] for card in data(till.get("loyalty-cards"))] == serials
    answer = till.get("loyalty-cards", per_page=3, page=2).json()
    assert [card["id"] for card in answer["data"]] == serials[3:]
    assert answer["meta"] == {"current_page": 2, "last_page": 2, "per_page": 3, "total": 4}
    assert stranger.card.serial not in serials


def test_finds_cards_by_number_and_by_customer(till: ShopTill) -> None:
    second = CardFactory(customer=till.card.customer)
    CardFactory(customer=CustomerFactory(program=till.program))
    user_id = till.card.customer.serial
    for query, found in (
        ({"card_number": second.number}, [second.serial]),
        ({"user_id": user_id}, [second.serial, till.card.serial]),
        ({"user_id": user_id, "card_number": second.number}, [second.serial]),
        ({"user_id": 10**14, "card_number": second.number}, []),
        ({"card_number": "LC"}, []),
    ):
        assert [card["id"] for card in data(till.get("loyalty-cards", **query))] == found


@pytest.mark.parametrize("path", ["loyalty-cards/info", "loyalty-cards/balance"])
def test_finds_the_card_that_is_named(till: ShopTill, path: str) -> None:
    card, user_id = till.card, till.card.customer.serial

    def found(**query: Any) -> Any:
        told = data(till.get(path, **query), 200)
        return told["id" if path.endswith("info") else "card_id"]

    assert found(card_id=card.serial) == found(card_number=card.number) == found(user_id=user_id) == card.serial
    second = CardFactory(customer=card.customer)
    assert found(user_id=user_id) == card.serial
    # An active card goes before an older one that is not.
    Card.objects.filter(pk=card.pk).update(status="blocked")
    assert found(user_id=user_id) == second.serial
    assert found(user_id=user_id, card_id=card.serial) == card.serial
    error(till.get(path, card_number=second.number, card_id=card.serial), 404, "CARD_NOT_FOUND")


@pytest.mark.parametrize("path", ["loyalty-cards/info", "loyalty-cards/balance"])
def test_knows_no_card_of_another_programme(till: ShopTill, stranger: ShopTill, path: str) -> None:
    theirs = stranger.card
    for query in (
        {"card_id": theirs.serial},
        {"card_number": "LC999999999999"},
        {"user_id": theirs.customer.serial},
    ):
        error(till.get(path, **query), 404, "CARD_NOT_FOUND")


@pytest.mark.parametrize("path", ["loyalty-cards/info", "loyalty-cards/balance"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "card_id"),
        ({"card_id": ""}, "card_id"),
        ({"card_id": "x"}, "card_id"),
        ({"user_id": "1e3"}, "user_id"),
        ({"user_id": "9" * 16}, "user_id"),
        ({"card_number": "9" * 101}, "card_number"),
    ],
)
def test_asks_for_a_card_that_can_be_found(till: ShopTill, path: str, query: dict[str, str], field: str) -> None:
    assert list(error(till.get(path, **query), 422, "VALIDATION_ERROR")) == [field]


def test_tells_the_points_behind_a_card(till: ShopTill) -> None:
    management = Till(till.program, till.card)
    management.award(10)
    management.award(7, valid_from="2099-01-01")
    assert data(till.get("loyalty-cards/balance", card_number=till.card.number), 200) == {
        "card_id": till.card.serial,
        "card_number": till.card.number,
        "points_balance": 10,
        "pending_points": 7,
        "held_points": 0,
    }


@pytest.mark.parametrize("reference", ["0", "x", "9" * 400, "LC000000000001", "infos"])
def test_knows_no_card_of_such_a_number(till: ShopTill, reference: str) -> None:
    error(till.get(f"loyalty-cards/{reference}"), 404, "CARD_NOT_FOUND")


def test_tells_no_other_programmes_card(till: ShopTill, stranger: ShopTill) -> None:
    error(till.get(f"loyalty-cards/{stranger.card.serial}"), 404, "CARD_NOT_FOUND")
