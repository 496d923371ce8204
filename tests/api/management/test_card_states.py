import datetime
import threading
import time
from typing import Any

import pytest
from django.db import connection, transaction

from cards.models import Card
from loyalty.models import Program
from points.models import PointAccount, PointTransaction
from tests.api.management.till import Till, data, error, nothing_moves


def change(till: Till, action: str, *, key: str | None = None, **body: Any) -> Any:
    return till.post(f"loyalty-cards/{till.card_id}/{action}", body, key=key)


def test_a_blocked_card_neither_earns_nor_redeems(till: Till) -> None:
    till.award(10)
    told = data(change(till, "block", reason="Stolen", internal_note="Called at noon"), 200)
    assert told.pop("blocked_at").endswith("Z")
    assert told == {
        "id": till.card_id,
        "status": "blocked",
        "reason": "Stolen",
        "can_earn_points": False,
        "can_redeem_points": False,
    }
    with nothing_moves(till.program):
        assert error(till.award(1), 403, "CARD_BLOCKED") == {"card_id": till.card_id}
        assert error(till.redeem(1), 403, "CARD_BLOCKED") == {"card_id": till.card_id}
    assert till.balance == 10


def test_a_customer_named_without_a_card_earns_and_redeems_although_every_card_is_blocked(till: Till) -> None:
    change(till, "block", reason="Stolen")
    customer = {"card_id": None, "customer_id": till.customer_id}
    data(till.award(10, **customer), 201)
    data(till.redeem(4, **customer), 201)
    assert till.balance == 10 - 4


def test_what_a_blocked_card_earned_and_spent_can_be_reversed(till: Till) -> None:
    order = data(till.award(10))["transaction_id"]
    spending = data(till.redeem(4))["transaction_id"]
    change(till, "block", reason="Stolen")
    data(till.reverse(spending), 201)
    data(till.reverse(order), 201)
    assert till.balance == 10 - 4 + 4 - 10


def test_points_of_a_blocked_card_can_be_expired(till: Till) -> None:
    till.award(10)
    change(till, "block", reason="Stolen")
    assert data(till.expire(points=4), 200)["points_expired"] == 4
    assert till.balance == 10 - 4


def test_an_unblocked_card_works_again(till: Till) -> None:
    change(till, "block", reason="Stolen")
    told = data(change(till, "unblock", reason="Found"), 200)
    assert told == {
        "id": till.card_id,
        "status": "active",
        "reason": "Found",
        "blocked_at": None,
        "can_earn_points": True,
        "can_redeem_points": True,
    }
    data(till.award(1), 201)


def test_an_unblocked_card_is_what_it_was_before_the_block(till: Till) -> None:
    new = {"customer_email": "jane@example.com", "customer_name": "Jane", "auto_activate": False}
    card_id = data(till.post("loyalty-cards", new), 201)["id"]
    # Blocked twice: the second time, it was blocked before.
    for action in ("block", "block", "unblock"):
        told = data(till.post(f"loyalty-cards/{card_id}/{action}", {"reason": "Suspicious"}), 200)
    assert (told["status"], told["can_earn_points"], told["blocked_at"]) == ("inactive", False, None)
    error(till.award(1, card_id=card_id), 403, "CARD_INACTIVE")
    data(till.post(f"loyalty-cards/{card_id}/activate"), 200)
    for action in ("block", "unblock"):
        told = data(till.post(f"loyalty-cards/{card_id}/{action}", {"reason": "Suspicious"}), 200)
    assert told["status"] == "active"


def test_a_card_that_is_not_blocked_stays_as_it_is(till: Till, card: Card) -> None:
    Card.objects.filter(pk=card.pk).update(status="inactive")
    assert data(change(till, "unblock", reason="Found"), 200)["status"] == "inactive"


def test_an_inactive_card_becomes_active(till: Till, card: Card) -> None:
    Card.objects.filter(pk=card.pk).update(status="inactive")
    with nothing_moves(till.program):
        assert error(till.redeem(1), 403, "CARD_INACTIVE") == {"card_id": till.card_id}
    assert data(change(till, "activate"), 200)["status"] == "active"
    data(till.award(1), 201)
    assert data(change(till, "activate"), 200)["status"] == "active"


def test_a_blocked_card_is_not_activated_past_its_block(till: Till) -> None:
    change(till, "block", reason="Stolen")
    with nothing_moves(till.program):
        error(change(till, "activate"), 403, "CARD_BLOCKED")


def test_a_replaced_card_stays_inactive_and_names_the_new_one(till: Till) -> None:
    till.award(10)
    new = data(change(till, "replace", reason="Lost"), 201)
    assert (new["replaces"], new["status"], new["points_balance"]) == (till.card_id, "active", 10)
    assert new["card_number"] != till.card.number
    assert new["customer_id"] == till.customer_id
    old = data(till.get(f"loyalty-cards/{till.card_id}"))
    assert (old["status"], old["replaced_by"], old["points_balance"]) == ("inactive", new["id"], 10)
    error(till.award(1), 403, "CARD_INACTIVE")
    data(till.award(1, card_id=new["id"]), 201)
    with nothing_moves(till.program):
        for action in ("activate", "replace", "unblock", "block"):
            facts = error(change(till, action, reason="Again"), 409, "CARD_REPLACED")
            assert facts == {"card_id": till.card_id, "replaced_by": new["id"]}


def test_a_blocked_card_can_be_replaced(till: Till) -> None:
    change(till, "block", reason="Lost")
    assert data(change(till, "replace", reason="Lost"), 201)["status"] == "active"


def test_a_replacement_takes_over_what_the_card_was(till: Till, card: Card) -> None:
    end = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)
    Card.objects.filter(pk=card.pk).update(expires_at=end, design="gold", metadata={"a": 1})
    new = data(change(till, "replace", reason="Lost"), 201)
    assert (new["expires_at"], new["card_design"], new["metadata"]) == ("2090-01-01T00:00:00Z", "gold", {"a": 1})


@pytest.mark.parametrize("action", ["block", "unblock", "activate", "replace"])
def test_each_answers_the_same_when_replayed(till: Till, action: str) -> None:
    first = change(till, action, reason="Lost", key="k1")
    again = change(till, action, reason="Lost", key="k1")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    error(change(till, action, reason="Stolen", key="k1"), 422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("action", ["block", "unblock", "replace"])
@pytest.mark.parametrize("reason", [None, "", " ", 7, "x" * 256])
def test_each_needs_a_reason(till: Till, action: str, reason: Any) -> None:
    with nothing_moves(till.program):
        facts = error(change(till, action, reason=reason), 400, "INVALID_PARAMETERS")
    assert facts["field"] == "reason"


@pytest.mark.parametrize("action", ["block", "unblock", "activate", "replace"])
def test_none_knows_cards_of_others(till: Till, stranger: Till, action: str) -> None:
    with nothing_moves(stranger.program):
        answer = till.post(f"loyalty-cards/{stranger.card_id}/{action}", {"reason": "Lost"})
        error(answer, 404, "CARD_NOT_FOUND")


@pytest.mark.parametrize("action", ["block", "unblock", "activate", "replace"])
def test_each_needs_its_scope(program: Program, till: Till, action: str) -> None:
    reader = Till(program, till.card, scopes=["loyalty:read", "points:manage"])
    with nothing_moves(program):
        facts = error(change(reader, action, reason="Lost"), 403, "FORBIDDEN")
    assert facts == {"required_permissions": ["loyalty:write"]}


@pytest.mark.parametrize("is_first_posting", [True, False])
def test_nothing_posts_after_the_answer_that_the_card_is_blocked(till: Till, is_first_posting: bool) -> None:
    if not is_first_posting:
        till.award(1)
    answers: list[Any] = []

    def block() -> None:
        try:
            answers.append((change(till, "block", reason="Stolen"), time.monotonic()))
        finally:
            connection.close()

    thread = threading.Thread(target=block)
    # A posting that is on its way: it has seen an active card, and holds the account's lock until it commits.
    with transaction.atomic():
        data(till.award(10), 201)
        thread.start()
        time.sleep(0.5)
        assert answers == []
        committed_at = time.monotonic()
    thread.join()
    [(answer, answered_at)] = answers
    assert data(answer, 200)["status"] == "blocked"
    assert answered_at > committed_at
    error(till.award(1), 403, "CARD_BLOCKED")


def test_nothing_posts_after_the_answer_when_many_post(till: Till, program: Program) -> None:
    is_blocked = threading.Event()
    late: list[int] = []

    def post() -> None:
        try:
            while not is_blocked.is_set():
                till.award(1)
            late.append(till.award(1).status_code)
        finally:
            connection.close()

    program.transaction_limit = None
    program.save(update_fields=["transaction_limit"])
    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    data(change(till, "block", reason="Stolen"), 200)
    posted = PointTransaction.objects.filter(program=program).count()
    is_blocked.set()
    for thread in threads:
        thread.join()
    assert late == [403] * 4
    assert PointTransaction.objects.filter(program=program).count() == posted
    assert PointAccount.objects.get(program=program).balance == posted
