import datetime
import json
import re
import threading
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.models import IdempotencyRecord
from points.models import PointTransaction
from tests.api.management.till import Till, nothing_moves
from tests.api.shop.till import ShopTill, data, error

NOON = datetime.datetime(2026, 1, 15, 12, tzinfo=datetime.UTC)


def test_answers_what_was_spent_and_what_is_left(till: ShopTill) -> None:
    with time_machine.travel(NOON, tick=False):
        data(till.award(600), 201)
        body = {"purchase_amount": 25.99, "discount_amount": 5, "description": "Coffee", "metadata": {"order_id": "77"}}
        answer = data(till.redeem(100, redemption_type="purchase_discount", **body), 201)
    entry = PointTransaction.objects.get(program=till.program, type="redeem")
    assert answer == {
        "transaction": {
            "id": entry.serial,
            "points_redeemed": 100,
            "redemption_type": "purchase_discount",
            "discount_amount": 5,
            "voucher_code": None,
            "expires_at": None,
            "created_at": "2026-01-15T12:00:00Z",
        },
        # 600 points ever earned are Silver; that some of them are spent does not lower the tier.
        "balance": {"current_points": 600 - 100, "previous_points": 600, "points_redeemed": 100, "tier": "Silver"},
    }
    assert (entry.reason, entry.reference, entry.card_id) == ("Coffee", "77", till.card.pk)
    assert entry.metadata == {
        "order_id": "77",
        "redemption": {"redemption_type": "purchase_discount", "purchase_amount": "25.99", "discount_amount": "5"},
    }


def test_makes_a_voucher_that_is_good_for_twelve_months(till: ShopTill) -> None:
    with time_machine.travel(datetime.datetime(2028, 2, 29, 12, tzinfo=datetime.UTC), tick=False):
        data(till.award(300), 201)
        first = data(till.redeem(100, redemption_type="voucher", discount_amount=5), 201)["transaction"]
        second = data(till.redeem(100, redemption_type="voucher"), 201)["transaction"]
        [shown, _, _] = till.history()["data"]
    for voucher in (first, second):
        assert re.fullmatch(r"([2-9A-HJ-NP-Z]{4}-){3}[2-9A-HJ-NP-Z]{4}", voucher["voucher_code"])
        assert voucher["expires_at"] == "2029-02-28T12:00:00Z"
    assert first["voucher_code"] != second["voucher_code"]
    assert (first["discount_amount"], second["discount_amount"]) == (5, None)
    assert shown["metadata"] == {
        "redemption": {
            "redemption_type": "voucher",
            "voucher_code": second["voucher_code"],
            "expires_at": "2029-02-28T12:00:00Z",
        }
    }


def test_shows_no_voucher_that_the_caller_made_up(till: ShopTill) -> None:
    data(till.award(10), 201)
    sent = {"voucher_code": "FREE", "redemption": {"voucher_code": "FREE"}}
    data(till.redeem(10, redemption_type="cashback", metadata=sent), 201)
    assert till.history()["data"][0]["metadata"] == {
        "voucher_code": "FREE",
        "redemption": {"redemption_type": "cashback"},
    }


@pytest.mark.parametrize("kind", ["free_product", "cashback"])
def test_asks_for_no_amount_where_it_needs_none(till: ShopTill, kind: str) -> None:
    data(till.award(10), 201)
    told = data(till.redeem(10, redemption_type=kind), 201)["transaction"]
    assert (told["discount_amount"], told["voucher_code"], told["expires_at"]) == (None, None, None)


@pytest.mark.parametrize(
    ("kind", "amounts", "is_good"),
    [
        ("purchase_discount", {}, False),
        ("purchase_discount", {"discount_amount": None, "purchase_amount": 10}, False),
        ("purchase_discount", {"discount_amount": 0.01}, True),
        ("purchase_discount", {"discount_amount": 10, "purchase_amount": 10}, True),
        ("purchase_discount", {"discount_amount": 10.01, "purchase_amount": 10}, False),
        ("purchase_discount", {"discount_amount": "10.01", "purchase_amount": "10.00"}, False),
        ("cashback", {"discount_amount": 10, "purchase_amount": 10}, True),
        ("cashback", {"discount_amount": 11, "purchase_amount": 10}, False),
        ("free_product", {"discount_amount": 11, "purchase_amount": 10}, True),
        ("voucher", {"discount_amount": 11, "purchase_amount": 10}, True),
    ],
)
def test_gives_no_more_money_than_the_purchase_costs(
    till: ShopTill, kind: str, amounts: dict[str, Any], is_good: bool
) -> None:
    data(till.award(10), 201)
    if is_good:
        data(till.redeem(10, redemption_type=kind, **amounts), 201)
        return
    with nothing_moves(till.program):
        answer = till.redeem(10, redemption_type=kind, **amounts)
    assert list(error(answer, 422, "VALIDATION_ERROR")) == ["discount_amount"]


def test_names_every_bad_field_at_once(till: ShopTill) -> None:
    faults = error(till.post("points", {"points": "x", "discount_amount": 0}), 422, "VALIDATION_ERROR")
    assert set(faults) == {"card_id", "points", "redemption_type", "discount_amount"}


def test_takes_the_card_as_digits_too(till: ShopTill) -> None:
    data(till.award(10), 201)
    data(till.redeem(4, card_id=str(till.card.serial)), 201)
    data(till.redeem(4, card_id=float(till.card.serial)), 201)
    assert till.balance == 10 - 4 - 4


def test_describes_itself_where_nobody_does(till: ShopTill, kasa: ShopTill) -> None:
    data(till.award(20), 201)
    data(till.redeem(10, description=" "), 201)
    data(kasa.redeem(10), 201)
    for shop, own in ((till, "Points redeemed"), (kasa, "Panaudoti taškai")):
        assert [row["description"] for row in shop.history(transaction_type="redeem")["data"]] == [own, own]


def test_answers_the_first_answer_again_whatever_has_happened_since(till: ShopTill) -> None:
    data(till.award(10), 201)
    first = till.redeem(10, key="k1", redemption_type="voucher")
    management = Till(till.program, till.card)
    management.post(f"loyalty-cards/{management.card_id}/block", {"reason": "Stolen"})
    with nothing_moves(till.program):
        again = till.redeem(10, key="k1", redemption_type="voucher")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    with nothing_moves(till.program):
        error(till.redeem(9, key="k1"), 422, "IDEMPOTENCY_KEY_REUSED")


def test_does_not_remember_a_refusal(till: ShopTill) -> None:
    error(till.redeem(10, key="k1"), 400, "INSUFFICIENT_POINTS")
    data(till.award(10), 201)
    data(till.redeem(10, key="k1"), 201)


def test_keeps_the_answer_with_the_posting(till: ShopTill) -> None:
    data(till.award(10), 201)
    answer = till.redeem(10, key="k1", redemption_type="voucher")
    record = IdempotencyRecord.objects.get(
        key="k1", owner_id=PointTransaction.objects.filter(program=till.program).values("account_id")[:1]
    )
    assert (record.status, json.loads(record.body)) == (201, answer.json())


def test_costs_no_statement_more_than_on_the_management_face(till: ShopTill) -> None:
    management = Till(till.program, till.card)
    data(till.award(10), 201)
    # What is prepared is prepared once on a connection.
    for redeem in (management.redeem, till.redeem):
        assert redeem(1).status_code == 201
    asked = []
    for redeem in (management.redeem, till.redeem):
        with CaptureQueriesContext(connection) as queries:
            assert redeem(1).status_code == 201
        asked.append([query["sql"].partition("_")[0] for query in queries])
    assert asked[0] == asked[1]
    assert asked[1].count("EXECUTE find") == 2


def test_spends_points_once_when_sent_ten_times_at_once(till: ShopTill) -> None:
    data(till.award(10), 201)
    bodies: list[bytes] = []

    def call() -> None:
        try:
            bodies.append(till.redeem(10, key="k1", redemption_type="voucher").content)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(bodies), len(set(bodies))) == (10, 1)
    assert json.loads(bodies[0])["success"] is True
    assert till.balance == 0
