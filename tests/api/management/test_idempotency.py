import json
import threading
from typing import Any

import pytest
from django.db import connection

from loyalty.models import IdempotencyRecord, Program
from points.models import PointTransaction
from tests.api.management.till import Till, data, error, nothing_moves


def test_answers_the_first_answer_again_whatever_has_happened_since(till: Till) -> None:
    till.award(50)
    first = till.redeem(50, key="k1")
    till.post(f"loyalty-cards/{till.card_id}/block", {"reason": "Stolen"})
    with nothing_moves(till.program):
        again = till.redeem(50, key="k1")
    assert (again.status_code, again.content) == (201, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


def test_takes_the_body_for_the_same_however_it_is_written(till: Till) -> None:
    first = data(till.award(10, metadata={"a": 1, "b": [2.50, 1e3]}, key="k1"), 201)
    body = (
        f'{{ "reason":"Order\\u0020reward", "metadata": {{"b": [2.5, 1000], "a": 1.0}}, "points": 1e1,'
        f'"card_id": "{till.card_id}" }}'
    )
    answer = till.client.post(
        "/api/points/award", body, content_type="application/json; charset=utf-8", HTTP_IDEMPOTENCY_KEY="k1"
    )
    assert data(answer, 201) == first
    assert answer.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("change", [{"points": 11}, {"reason": "Other"}, {"metadata": {"a": 1}}, {"unknown": 1}])
def test_refuses_the_key_with_another_body(till: Till, change: dict[str, Any]) -> None:
    data(till.award(10, key="k1"), 201)
    with nothing_moves(till.program):
        assert error(till.post("points/award", till.body(10) | change, key="k1"), 422, "IDEMPOTENCY_KEY_REUSED") == {}


def test_refuses_the_key_on_another_path(till: Till) -> None:
    data(till.award(10, key="k1"), 201)
    with nothing_moves(till.program):
        error(till.redeem(10, key="k1"), 422, "IDEMPOTENCY_KEY_REUSED")


def test_belongs_to_the_account(till: Till, stranger: Till) -> None:
    data(till.award(10, key="k1"), 201)
    data(stranger.award(10, key="k1"), 201)
    second = data(till.post("loyalty-cards", {"customer_email": "jo@example.com", "customer_name": "Jo"}, key="k1"))
    data(till.award(10, card_id=second["id"], key="k1"), 201)
    assert till.balance == 10


def test_is_one_for_all_cards_of_a_customer(till: Till) -> None:
    second = data(till.post("loyalty-cards", {"customer_id": till.customer_id}))["id"]
    data(till.award(10, key="k1"), 201)
    error(till.award(10, card_id=second, key="k1"), 422, "IDEMPOTENCY_KEY_REUSED")


def test_does_not_remember_a_refusal(till: Till) -> None:
    error(till.redeem(10, key="k1"), 400, "INSUFFICIENT_POINTS")
    till.award(10)
    data(till.redeem(10, key="k1"), 201)


def test_decides_before_the_state_of_the_card_and_the_amount(till: Till) -> None:
    data(till.award(10, key="k1"), 201)
    till.post(f"loyalty-cards/{till.card_id}/block", {"reason": "Stolen"})
    error(till.redeem(99, key="k1"), 422, "IDEMPOTENCY_KEY_REUSED")
    error(till.redeem(99, key="k2"), 403, "CARD_BLOCKED")


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\tb", "\x7f"])
def test_refuses_what_is_no_key(till: Till, key: str) -> None:
    with nothing_moves(till.program):
        facts = error(till.award(1, key=key), 400, "INVALID_PARAMETERS")
    assert facts["field"] == "Idempotency-Key"


@pytest.mark.parametrize("key", ["x", "x" * 255, "a b", "~!{}"])
def test_takes_printable_ascii(till: Till, key: str) -> None:
    data(till.award(1, key=key), 201)
    assert till.award(1, key=key).headers["Idempotent-Replayed"] == "true"


def test_posts_once_when_sent_twenty_times_at_once(till: Till, program: Program) -> None:
    bodies: list[bytes] = []

    def call() -> None:
        try:
            bodies.append(till.award(10, key="k1").content)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 20
    assert len(set(bodies)) == 1
    assert json.loads(bodies[0])["success"] is True
    assert PointTransaction.objects.filter(program=program).count() == 1


def test_commits_with_the_posting(till: Till) -> None:
    data(till.award(10, key="k1"), 201)
    record = IdempotencyRecord.objects.get(key="k1", owner_id=_account_id(till))
    assert (record.status, json.loads(record.body)["data"]["points"]) == (201, 10)


def test_reads_a_body_that_is_nested_too_deeply_for_it(till: Till) -> None:
    deep = json.loads("[" * 300 + "]" * 300)
    facts = error(till.post("points/award", till.body(1) | {"unknown": deep}, key="k1"), 400, "INVALID_PARAMETERS")
    assert facts["field"] == "body"


def _account_id(till: Till) -> Any:
    return PointTransaction.objects.filter(program=till.program).values_list("account_id", flat=True).get()
