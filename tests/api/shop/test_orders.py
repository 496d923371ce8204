from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from cards.models import Card
from loyalty.models import Program
from points import rules
from points.models import Order, PointTransaction
from points.rule_models import Campaign, EarningScheme
from tests.api.management.till import nothing_moves
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.threads import at_once


@pytest.fixture
def card(program: Program) -> Card:
    """A card of a programme with the tiers and rules that a new one gets."""
    make_definition(program)
    rules.give_defaults(program=program, by="test")
    return CardFactory(customer=CustomerFactory(program=program))


def create(client: APIClient, card: Card, *, locale: str = "en", key: str | None = None, **body: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"order_id": "o-1", "user_id": card.customer.serial} | body
    return client.post(f"/{locale}/shop/transactions/create", body, format="json", headers=headers)


def data(answer: Any) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["success"]) == (201, True), body
    return body["data"]


def refusal(answer: Any, status: int, code: str) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["success"], body["code"]) == (status, False, code), body
    return body["errors"]


def test_spends_and_earns_in_one_call(client: APIClient, card: Card) -> None:
    data(create(client, card, order_id="o-0", points=100))
    told = data(create(client, card, order_total=25.99, points_redeemed=30, points_discount_amount=3, currency="EUR"))
    entries = list(PointTransaction.objects.filter(card=card).order_by("version"))
    assert [(entry.type, entry.points, entry.reference) for entry in entries] == [
        ("award", 100, "o-0"),
        ("redeem", -30, "o-1"),
        ("award", 51, "o-1"),
    ]
    assert told == {
        "transaction_id": entries[2].serial,
        "points_awarded": 51,
        "points_balance": 100 - 30 + 51,
        "loyalty_card_id": card.serial,
        "card_number": card.number,
        "user_id": card.customer.serial,
        "order_total": 25.99,
        "currency": "EUR",
    }


def test_keeps_the_names_that_are_ours_for_ourselves(client: APIClient, card: Card) -> None:
    forged = {"redemption": {"voucher_code": "FREE"}, "calculation": {"points": "9"}, "order_id": "x", "till": "3"}
    data(create(client, card, order_id="o-0", points=100, meta_data=forged))
    data(create(client, card, order_total=20, points_redeemed=5, meta_data=forged))
    data(create(client, card, type="refund", meta_data=forged))
    entries = list(PointTransaction.objects.filter(card=card).order_by("version"))
    assert [entry.type for entry in entries] == ["award", "redeem", "award", "reverse", "reverse"]
    for entry, kind, number in zip(entries, ["purchase"] * 3 + ["refund"] * 2, ["o-0"] + ["o-1"] * 4, strict=True):
        assert entry.metadata is not None
        own = {"transaction_type": kind, "order_id": number, "till": "3"}
        assert {name: fact for name, fact in entry.metadata.items() if name != "calculation"} == own
        assert entry.metadata.get("calculation", {}).get("points") != "9"
        assert ("calculation" in entry.metadata) is (entry.type == "award")


def test_takes_no_order_of_two_customers(client: APIClient, card: Card) -> None:
    other = CustomerFactory(program=card.customer.program)
    refused = refusal(create(client, card, user_email=other.email.upper(), points=1), 422, "VALIDATION_ERROR")
    assert refused == {"user_email": ["The address of another customer than user_id."]}
    assert not Order.objects.filter(program=card.customer.program).exists()
    data(create(client, card, order_id="o-1", user_email=card.customer.email.upper(), points=1))
    # The shop may know a newer address than we do.
    data(create(client, card, order_id="o-2", user_email="new@example.com", points=1))


def test_finds_the_customer_by_address_and_the_card_by_its_number(client: APIClient, card: Card) -> None:
    second = CardFactory(customer=card.customer)
    told = data(
        create(
            client, card, user_id=None, user_email=card.customer.email.upper(), loyalty_card_id=second.serial, points=1
        )
    )
    assert (told["user_id"], told["loyalty_card_id"]) == (card.customer.serial, second.serial)


def test_takes_a_customer_without_a_card(client: APIClient, card: Card) -> None:
    other = CustomerFactory(program=card.program)
    told = data(create(client, card, user_id=other.serial, order_total=10))
    assert (told["loyalty_card_id"], told["card_number"], told["points_balance"]) == (None, None, 20)
    assert told["transaction_id"] is not None


def test_the_same_order_again_is_refused(client: APIClient, card: Card) -> None:
    data(create(client, card, order_total=10))
    with nothing_moves(card.program):
        refusal(create(client, card, order_total=10), 409, "RESOURCE_ALREADY_EXISTS")


def test_the_same_key_again_is_answered_the_same(client: APIClient, card: Card) -> None:
    first = create(client, card, order_total=10, key="k1")
    again = create(client, card, order_total=10, key="k1")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("is_keyed", [False, True])
def test_is_placed_once_when_it_comes_many_times_at_once(client: APIClient, card: Card, is_keyed: bool) -> None:
    key = "k1" if is_keyed else None
    answers = at_once(*[lambda: create(client, card, order_total=10, key=key)] * 8)
    expected = [201] * 8 if is_keyed else [201] + [409] * 7
    assert sorted(answer.status_code for answer in answers) == expected
    assert PointTransaction.objects.filter(card=card).count() == 1


def test_posts_nothing_when_the_points_do_not_pay(client: APIClient, card: Card) -> None:
    with nothing_moves(card.program):
        faults = refusal(create(client, card, order_total=10, points_redeemed=1, key="k1"), 400, "INSUFFICIENT_POINTS")
    assert set(faults) == {"points"}
    assert not Order.objects.filter(program=card.program).exists()
    data(create(client, card, order_total=10, key="k1"))


def test_leaves_gift_cards_out_and_multiplies_the_categories_of_a_campaign(client: APIClient, card: Card) -> None:
    EarningScheme.objects.filter(program=card.program).update(excluded_categories=["gift-cards"])
    Campaign.objects.create(
        program=card.program, code="c", name="Coffee", effect="multiply", factor=Decimal(2), categories=["coffee"]
    )
    rules.publish(program=card.program, by="test")
    items = [
        {"category": "gift-cards", "total": 50},
        {"category": "coffee", "price": "2.5", "quantity": 4},
        {"category": "tea", "price": 5},
    ]
    # (65 - 50) x 2, and the coffee's 10 x 2 once more.
    assert data(create(client, card, order_total=65, cart_items=items))["points_awarded"] == 30 + 20


def test_cancels_all_that_is_left_after_a_refund(client: APIClient, card: Card) -> None:
    data(create(client, card, order_id="o-0", points=100))
    data(create(client, card, order_total=20, points_redeemed=50))
    half = create(client, card, type="refund", order_total=10)
    assert (data(half)["points_awarded"], data(half)["points_balance"]) == (-20, 100 - 50 + 40 + 25 - 20)
    assert half.json()["message"] == "Order refunded"
    too_much = refusal(create(client, card, type="refund", order_total="10.01"), 422, "VALIDATION_ERROR")
    assert too_much == {"order_total": ["More than is left of this order to refund: 10.00."]}
    rest = create(client, card, type="cancellation")
    assert (data(rest)["points_awarded"], data(rest)["points_balance"]) == (-20, 100)
    assert rest.json()["message"] == "Order cancelled"


def test_refuses_to_undo_what_is_not_there(client: APIClient, card: Card) -> None:
    refusal(create(client, card, type="refund"), 404, "NOT_FOUND")


def test_another_programmes_customer_and_card_are_none(client: APIClient, card: Card) -> None:
    other = Program.objects.create(slug=f"other-{card.program.slug}"[:50])
    stranger = CardFactory(customer=CustomerFactory(program=other))
    with nothing_moves(other):
        refusal(create(client, card, user_id=stranger.customer.serial, order_total=5), 404, "NOT_FOUND")
        refusal(create(client, card, loyalty_card_id=stranger.serial, order_total=5), 404, "CARD_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "order_total"),
        ({"order_total": 5, "user_id": None}, "user_id"),
        ({"order_total": 5, "order_id": ""}, "order_id"),
        ({"order_total": 5, "order_id": None}, "order_id"),
        ({"order_total": -1}, "order_total"),
        ({"order_total": 5, "currency": "euro"}, "currency"),
        ({"order_total": 5, "type": "gift"}, "type"),
        ({"order_total": 5, "points_redeemed": -1}, "points_redeemed"),
        ({"order_total": 5, "cart_items": "coffee"}, "cart_items"),
        ({"order_total": 5, "cart_items": [{"price": -1}]}, "cart_items.0.price"),
        ({"order_total": 5, "cart_items": [{"total": 10**30}]}, "cart_items.0.total"),
        ({"order_total": 5, "meta_data": 3}, "meta_data"),
    ],
)
def test_names_the_field_that_is_wrong(client: APIClient, card: Card, body: dict[str, Any], field: str) -> None:
    with nothing_moves(card.program):
        assert list(refusal(create(client, card, **body), 422, "VALIDATION_ERROR")) == [field]


def test_takes_the_number_of_an_order_as_a_number(client: APIClient, card: Card) -> None:
    assert data(create(client, card, order_id=77, order_total=10))["points_awarded"] == 20
    refusal(create(client, card, order_id="77", order_total=10), 409, "RESOURCE_ALREADY_EXISTS")


def test_earns_by_rules_in_the_programmes_currency_alone(client: APIClient, card: Card) -> None:
    with nothing_moves(card.program):
        faults = refusal(create(client, card, order_total=10, currency="JPY"), 422, "VALIDATION_ERROR")
    assert set(faults) == {"currency"}
    assert data(create(client, card, order_total=10, currency="JPY", points=3))["currency"] == "JPY"


def test_takes_no_more_off_than_the_order_costs(client: APIClient, card: Card) -> None:
    with nothing_moves(card.program):
        answer = create(client, card, order_total=10, points_discount_amount=10.01)
        faults = refusal(answer, 422, "VALIDATION_ERROR")
    assert set(faults) == {"points_discount_amount"}
    data(create(client, card, order_total=10, points_discount_amount=4.5))
    assert PointTransaction.objects.get(card=card).metadata["points_discount_amount"] == "4.5"
