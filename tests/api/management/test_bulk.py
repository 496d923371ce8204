import json
import random
import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from loyalty import errors
from loyalty.models import ApiKey, IdempotencyRecord, Program, Scope
from points import definitions
from points.api import bulk_items, management_shapes
from points.models import PointTransaction
from tests.api.management.till import Till, data, error, nothing_moves
from tests.factories import CardFactory, CustomerFactory


def test_posts_good_items_and_names_bad_ones(till: Till) -> None:
    till.award(250)
    told = data(
        till.bulk(
            till.item("award", 25, reference="order_78", metadata={"n": 1.5}),
            till.item("redeem", 1000),
            till.item("adjust", -5, card_id=till.card.number),
        ),
        200,
    )
    assert (told["processed"], told["successful"], told["failed"]) == (3, 2, 1)
    first, second, third = told["results"]
    assert first.pop("transaction_id").startswith("txn_")
    assert first == {"card_id": till.card_id, "status": "success", "new_balance": 275}
    assert second == {
        "card_id": till.card_id,
        "status": "failed",
        "error": {
            "code": "INSUFFICIENT_POINTS",
            "message": "There are not enough points.",
            "current_balance": 275,
            "requested_points": 1000,
        },
    }
    assert (third["card_id"], third["new_balance"]) == (till.card.number, 270)
    assert told["processing_time"].endswith("s")
    assert till.balance == 250 + 25 - 5


def test_does_items_one_after_another(till: Till) -> None:
    items = [till.item("redeem", 5), till.item("award", 5), till.item("redeem", 5), till.item("redeem", 1)]
    results = data(till.bulk(*items))["results"]
    assert [result["status"] for result in results] == ["failed", "success", "success", "failed"]
    assert till.balance == 0


def test_posts_nothing_when_one_item_of_an_atomic_call_is_refused(till: Till) -> None:
    till.award(10)
    with nothing_moves(till.program):
        facts = error(
            till.bulk(till.item("award", 5), till.item("redeem", 16), mode="atomic", key="b1"), 422, "BULK_ROLLED_BACK"
        )
    assert (facts["processed"], facts["successful"], facts["failed"]) == (2, 0, 1)
    assert facts["results"][0] == {"card_id": till.card_id, "status": "rolled_back"}
    assert facts["results"][1]["error"]["code"] == "INSUFFICIENT_POINTS"
    # A refusal is not remembered: the same key may be used once the cause is mended.
    till.award(1)
    told = data(till.bulk(till.item("award", 5), till.item("redeem", 16), mode="atomic", key="b1"), 200)
    assert told["successful"] == 2


def test_tells_every_fault_of_an_atomic_call_also_beside_malformed_items(till: Till) -> None:
    with nothing_moves(till.program):
        facts = error(
            till.bulk(7, till.item("redeem", 1), till.item("award", 1), mode="atomic"), 422, "BULK_ROLLED_BACK"
        )
    assert [result["status"] for result in facts["results"]] == ["failed", "failed", "rolled_back"]


def test_posts_all_items_of_an_atomic_call(till: Till) -> None:
    told = data(till.bulk(till.item("award", 5), till.item("redeem", 5), mode="atomic"), 200)
    assert (told["successful"], till.balance) == (2, 0)


def test_only_tells_what_would_happen(till: Till) -> None:
    till.award(10)
    with nothing_moves(till.program):
        told = data(
            till.bulk(till.item("redeem", 4), till.item("redeem", 7), validate_only=True, key="b1"),
            200,
        )
    assert told["results"][0] == {
        "card_id": till.card_id,
        "status": "success",
        "transaction_id": None,
        "new_balance": 10 - 4,
    }
    assert told["results"][1]["status"] == "failed"
    assert not IdempotencyRecord.objects.filter(owner_id=till.program.pk).exists()


def test_names_no_transaction_of_a_second_item_that_was_only_tried(till: Till) -> None:
    item = till.item("award", 10, idempotency_key="order_1")
    with nothing_moves(till.program):
        first, second = data(till.bulk(item, item, validate_only=True))["results"]
    assert second == first | {"replayed": True}
    assert (first["transaction_id"], first["new_balance"]) == (None, 10)


def test_sends_twelve_statements_at_most_however_items_name_their_accounts(till: Till, program: Program) -> None:
    other = Till(program, CardFactory(customer=CustomerFactory(program=program)))
    definitions.create_definition(program=program, code="miles", name="Miles")
    by_customer = {"customer_id": other.customer_id, "card_id": None}
    items = [
        *(till.item("award", 1), other.item("award", 1, card_id=other.card.number)),
        *(till.item("award", 1, **by_customer), till.item("award", 1, definition="miles")),
        *(till.item("award", 1, definition=f"unknown-{n}") for n in range(20)),
    ]
    data(till.bulk(*items))
    with CaptureQueriesContext(connection) as queries:
        told = data(till.bulk(*items, key="night"))
    statements = [query["sql"] for query in queries.captured_queries]
    assert (told["successful"], told["failed"]) == (4, 20)
    assert statements[-1] == "COMMIT"
    assert len(statements[statements.index("BEGIN") :]) <= 12
    assert len(statements) <= 12 + 5, "\n".join(statements)


@pytest.mark.parametrize("names", [{"card_id": None}, {"customer_id": "cus_1"}])
def test_words_how_an_item_names_nobody_or_two_as_a_single_posting_does(till: Till, names: dict[str, Any]) -> None:
    single = till.post("points/award", till.body(1) | names).json()["error"]
    [result] = data(till.bulk(till.item("award", 1, **names)))["results"]
    assert result["error"]["message"] == single["message"]
    assert result["error"]["details"] == single["details"]


MALFORMED: list[tuple[Any, str]] = [
    (None, "INVALID_PARAMETERS"),
    ([], "INVALID_PARAMETERS"),
    ({"type": "gift"}, "INVALID_PARAMETERS"),
    ({"type": ["award"]}, "INVALID_PARAMETERS"),
    ({"type": None}, "INVALID_PARAMETERS"),
    ({"card_id": None}, "INVALID_PARAMETERS"),
    ({"card_id": 7}, "INVALID_PARAMETERS"),
    ({"customer_id": "cus_1"}, "INVALID_PARAMETERS"),
    ({"reason": None}, "INVALID_PARAMETERS"),
    ({"reason": " "}, "INVALID_PARAMETERS"),
    ({"reason": "x" * 256}, "INVALID_PARAMETERS"),
    ({"reference": 7}, "INVALID_PARAMETERS"),
    ({"metadata": []}, "INVALID_PARAMETERS"),
    ({"expires_at": "soon"}, "INVALID_PARAMETERS"),
    ({"expires_at": "2020-01-01"}, "INVALID_PARAMETERS"),
    ({"idempotency_key": ""}, "INVALID_PARAMETERS"),
    ({"idempotency_key": "ä"}, "INVALID_PARAMETERS"),
    ({"definition": "stamps"}, "INVALID_PARAMETERS"),
    ({"points": None}, "INVALID_PARAMETERS"),
    ({"points": 0}, "INVALID_POINTS"),
    ({"points": -5}, "INVALID_POINTS"),
    ({"points": 0.5}, "INVALID_POINTS"),
    ({"points": "5"}, "INVALID_POINTS"),
    ({"points": True}, "INVALID_POINTS"),
    ({"card_id": "card_" + "0" * 32}, "CARD_NOT_FOUND"),
    ({"card_id": "nonsense"}, "CARD_NOT_FOUND"),
]


@pytest.mark.parametrize(("change", "code"), MALFORMED)
def test_lets_a_bad_item_fail_by_itself(till: Till, change: Any, code: str) -> None:
    bad = till.item("award", 1) | change if isinstance(change, dict) else change
    told = data(till.bulk(till.item("award", 5), bad, till.item("award", 6)), 200)
    assert [result["status"] for result in told["results"]] == ["success", "failed", "success"]
    assert told["results"][1]["error"]["code"] == code
    assert till.balance == 5 + 6


def test_lets_an_item_fail_by_itself_that_is_too_deep_to_be_remembered(till: Till) -> None:
    depth = 300
    deep = '{"a":' * depth + "1" + "}" * depth
    bad = json.dumps(till.item("award", 1, idempotency_key="deep"))[:-1] + f', "more": {deep}}}'
    body = f'{{"transactions": [{bad}, {json.dumps(till.item("award", 1))}]}}'

    told = data(till.client.post("/api/points/bulk", body, content_type="application/json"), 200)

    assert [result["status"] for result in told["results"]] == ["failed", "success"]
    assert told["results"][0]["error"]["details"]["rule"] == "max_depth"
    assert till.balance == 1


@pytest.mark.parametrize("key", [None, "bulk-1"])
def test_names_an_amount_of_any_size_that_is_none(till: Till, key: str | None) -> None:
    items = json.dumps([till.item("award", 5), till.item("award", 7)]).replace("7,", "1e-999999999999,")
    headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
    raw = f'{{"transactions": {items}}}'
    answer = till.client.post("/api/points/bulk", raw, content_type="application/json", **headers)
    good, bad = data(answer, 200)["results"]
    assert (good["status"], bad["error"]["code"]) == ("success", "INVALID_POINTS")
    assert len(answer.content) < 1000
    assert till.balance == 5


def test_takes_customers_definitions_and_starts(till: Till, program: Program) -> None:
    definitions.create_definition(program=program, code="miles", name="Miles", decimal_places=1)
    item = {"customer_id": till.customer_id, "type": "award", "points": Decimal("1.5"), "reason": "Flight"}
    told = data(
        till.bulk(
            item | {"definition": "miles"},
            till.item("award", 7, valid_from="2090-01-01"),
            item | {"points": 1, "customer_id": "cus_" + "0" * 32},
        )
    )
    first, second, third = told["results"]
    assert first.pop("transaction_id")
    assert first == {"card_id": None, "customer_id": till.customer_id, "status": "success", "new_balance": 1.5}
    assert second["new_balance"] == 0
    assert third["error"]["code"] == "NOT_FOUND"


def test_fails_an_adjustment_without_the_scope(program: Program, till: Till) -> None:
    manager = Till(program, till.card, scopes=["points:manage"])
    results = data(manager.bulk(manager.item("award", 1), manager.item("adjust", 1)), 200)["results"]
    assert results[0]["status"] == "success"
    assert results[1]["error"]["required_permissions"] == ["points:adjust"]
    assert results[1]["error"]["code"] == "FORBIDDEN"


def test_refuses_blocked_cards(till: Till) -> None:
    till.post(f"loyalty-cards/{till.card_id}/block", {"reason": "Stolen"})
    results = data(till.bulk(till.item("award", 1), till.item("adjust", 1)))["results"]
    assert results[0]["error"] == {
        "code": "CARD_BLOCKED",
        "message": "The card is blocked.",
        "card_id": till.card_id,
    }
    assert results[1]["status"] == "success"


def test_replays_an_item_by_its_key(till: Till) -> None:
    item = till.item("award", 10, idempotency_key="order_1")
    [first] = data(till.bulk(item))["results"]
    again, twice = data(till.bulk(item, item))["results"]
    assert again == twice == first | {"replayed": True}
    [other] = data(till.bulk(item | {"points": 11}))["results"]
    assert other["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    # A key is the account's, whichever call it came with; this is another request.
    error(till.award(10, key="order_1"), 422, "IDEMPOTENCY_KEY_REUSED")
    assert till.balance == 10


def test_replays_the_second_of_two_in_one_call(till: Till) -> None:
    item = till.item("award", 10, idempotency_key="order_1")
    first, second = data(till.bulk(item, item))["results"]
    assert second == first | {"replayed": True}
    assert till.balance == 10


def test_answers_the_same_when_replayed(till: Till) -> None:
    items = [till.item("award", 10), till.item("redeem", 50)]
    first = till.bulk(*items, key="night")
    again = till.bulk(*items, key="night")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    with nothing_moves(till.program):
        error(till.bulk(*items[:1], key="night"), 422, "IDEMPOTENCY_KEY_REUSED")
    assert till.balance == 10


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "transactions"),
        ({"transactions": None}, "transactions"),
        ({"transactions": []}, "transactions"),
        ({"transactions": {"a": 1}}, "transactions"),
        ({"transactions": [1], "mode": "both"}, "mode"),
        ({"transactions": [1], "validate_only": "yes"}, "validate_only"),
    ],
)
def test_refuses_a_malformed_body(till: Till, body: Any, field: str) -> None:
    assert error(till.post("points/bulk", body), 400, "INVALID_PARAMETERS")["field"] == field


def test_takes_a_thousand_items_and_no_more(till: Till, program: Program) -> None:
    program.transaction_limit = 1
    program.save(update_fields=["transaction_limit"])
    cards = [till, *(Till(program, CardFactory(customer=CustomerFactory(program=program))) for _ in range(9))]
    items = [cards[n % 10].item("award", 1) for n in range(1000)]
    assert data(till.bulk(*items), 200)["successful"] == 1000
    assert [one.balance for one in cards] == [100] * 10
    with nothing_moves(program):
        facts = error(till.bulk(*items, items[0]), 422, "BULK_OPERATION_TOO_LARGE")
    assert facts == {"provided_size": 1001, "maximum_size": 1000}


def test_never_deadlocks_over_the_same_cards_in_random_order(till: Till, program: Program) -> None:
    cards = [till, *(Till(program, CardFactory(customer=CustomerFactory(program=program))) for _ in range(19))]
    answers: list[int] = []

    def post(seed: int) -> None:
        order = random.Random(seed)
        try:
            for _ in range(5):
                items = [one.item("award", 1) for one in order.sample(cards, len(cards))]
                answers.append(data(till.bulk(*items), 200)["successful"])
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [20] * 20
    assert {one.balance for one in cards} == {4 * 5}


def test_does_not_know_cards_of_others(till: Till, stranger: Till) -> None:
    with nothing_moves(stranger.program):
        results = data(
            till.bulk(
                till.item("award", 1, card_id=stranger.card_id),
                till.item("award", 1, card_id=stranger.card.number),
                {"customer_id": stranger.customer_id, "type": "award", "points": 1, "reason": "Order reward"},
            )
        )["results"]
    assert [result["error"]["code"] for result in results] == ["CARD_NOT_FOUND", "CARD_NOT_FOUND", "NOT_FOUND"]


def test_needs_its_scope(program: Program, till: Till) -> None:
    adjuster = Till(program, till.card, scopes=["points:adjust"])
    error(adjuster.bulk(adjuster.item("adjust", 1)), 403, "FORBIDDEN")


def test_posts_entries_that_remember_their_card_and_reference(till: Till) -> None:
    data(till.bulk(till.item("award", 1, reference="order_1", staff_member="Bob")))
    entry = PointTransaction.objects.get(program=till.program)
    assert (entry.card_id, entry.reference, entry.staff_member) == (till.card.pk, "order_1", "Bob")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**16) | st.decimals(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
FIELDS = list(management_shapes.BulkItemInput().fields)
GOOD = {"card_id": "LC000000000000", "type": "adjust", "points": 1, "reason": "Typo"}
VALUES = JSON | st.sampled_from(["award", "2026-01-01", "2026-01-01T00:00:00", "x" * 256, Decimal("1.5")])


@given(change=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3), missing=st.sets(st.sampled_from(FIELDS)))
def test_reads_items_as_their_description_would(change: dict[str, Any], missing: set[str]) -> None:
    item = {name: value for name, value in (GOOD | change).items() if name not in missing}
    key = ApiKey(program=Program(), key_id="key_1", scopes=list(Scope.values))
    read = bulk_items.read(item, key)
    try:
        management_shapes.BulkItemInput.read(item)
        expected = None
    except errors.Refusal as refusal:
        expected = refusal.code
    if expected is None and item["type"] != "adjust" and item["points"] < 0:
        expected = "INVALID_POINTS"
    assert (read.code if isinstance(read, errors.Refusal) else None) == expected, json.dumps(item, default=str)
