import datetime
import threading
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from loyalty.models import Program
from tests.api.management.till import Till, data, error
from tests.factories import CardFactory, CustomerFactory

MORNING = datetime.datetime(2026, 1, 2, 9, tzinfo=datetime.UTC)


def transactions(till: Till, **query: Any) -> dict[str, Any]:
    return data(till.get("points/transactions", **query), 200)


def points_of(till: Till, **query: Any) -> list[Any]:
    return [entry["points"] for entry in transactions(till, **query)["transactions"]]


def test_lists_the_programme_in_the_order_of_writing(till: Till, program: Program) -> None:
    bob = Till(program, CardFactory(customer=CustomerFactory(program=program, name="Bob")))
    till.award(1, reference="order_1")
    bob.award(2, reference="order_1")
    till.redeem(1, reference="order_2")
    told = transactions(till)
    figures = [(entry["points"], entry["card_id"], entry["customer_id"]) for entry in told["transactions"]]
    assert figures == [
        (1, till.card_id, till.customer_id),
        (2, bob.card_id, bob.customer_id),
        (-1, till.card_id, till.customer_id),
    ]
    assert told["has_more"] is False
    assert points_of(till, reference="order_1") == [1, 2]
    assert points_of(till, type="redeem") == [-1]


def test_filters_by_time_and_by_member_of_staff(till: Till) -> None:
    with time_machine.travel(MORNING, tick=False) as clock:
        till.award(1, staff_member="Bob")
        clock.shift(datetime.timedelta(days=1))
        till.award(2)
    assert points_of(till, from_date="2026-01-03") == [2]
    assert points_of(till, to_date="2026-01-02") == [1]
    assert points_of(till, staff_member="Bob") == [1]


def test_names_what_was_reversed(till: Till) -> None:
    order = data(till.award(10))["transaction_id"]
    first = data(till.reverse(order, points=3))["transaction_id"]
    second = data(till.reverse(order, points=2))["transaction_id"]
    told = data(till.get(f"points/transactions/{order}"), 200)
    assert (told["reversed_points"], told["reversed_by"], told["reverses"]) == (3 + 2, [first, second], None)
    reversal = data(till.get(f"points/transactions/{first}"))
    assert (reversal["reverses"], reversal["reversed_points"], reversal["reversed_by"]) == (order, 0, [])
    listed = {entry["id"]: entry for entry in transactions(till)["transactions"]}
    assert listed[order] == told


def test_walks_through_by_cursor_while_others_are_added(till: Till) -> None:
    for points in range(1, 6):
        till.award(points)
    seen: list[int] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = transactions(till, **query)
        seen += [entry["points"] for entry in page["transactions"]]
        if len(seen) == 4:
            till.award(6)
        if not page["has_more"]:
            break
        query["starting_after"] = page["transactions"][-1]["id"]
    assert seen == [1, 2, 3, 4, 5, 6]


def test_walks_back_by_cursor_while_others_are_added(till: Till) -> None:
    # Entries of one transaction, too: their order is that of their ids.
    till.bulk(*(till.item("award", points) for points in range(1, 4)))
    till.award(4)
    newest = data(till.award(5))["transaction_id"]
    pages: list[list[int]] = []
    query: dict[str, Any] = {"limit": 2, "ending_before": newest}
    while True:
        page = transactions(till, **query)
        pages.append([entry["points"] for entry in page["transactions"]])
        till.award(6)
        if not page["has_more"]:
            break
        query["ending_before"] = page["transactions"][0]["id"]
    assert pages == [[3, 4], [1, 2]]


def test_has_nothing_before_the_first(till: Till) -> None:
    first = data(till.award(1))["transaction_id"]
    till.award(2)
    assert transactions(till, ending_before=first) == {"transactions": [], "has_more": False}


def test_goes_back_among_what_the_filters_select(till: Till) -> None:
    till.award(1)
    till.award(2)
    till.redeem(3)
    last = data(till.award(4))["transaction_id"]
    assert points_of(till, type="award", ending_before=last) == [1, 2]


def test_goes_one_way_at_a_time(till: Till) -> None:
    cursor = data(till.award(1))["transaction_id"]
    answer = till.get("points/transactions", starting_after=cursor, ending_before=cursor)
    assert error(answer, 400, "INVALID_PARAMETERS")["details"] == {"field": "ending_before", "rule": "exclusive"}


def test_does_not_show_a_row_while_one_could_still_come_before_it(till: Till, program: Program) -> None:
    bob = Till(program, CardFactory(customer=CustomerFactory(program=program, name="Bob")))
    slow_has_begun, slow_may_end = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with transaction.atomic():
                till.award(1)
                slow_has_begun.set()
                slow_may_end.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert slow_has_begun.wait(20)
    bob.award(2)
    early = points_of(bob)
    slow_may_end.set()
    thread.join()
    assert early == []
    assert points_of(bob) == [1, 2]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"type": "gift"}, "type"),
        ({"from_date": "2026-01-02", "to_date": "2026-01-01"}, "from_date"),
        ({"reference": "\0"}, "reference"),
    ],
)
def test_refuses_a_malformed_query(till: Till, query: dict[str, str], field: str) -> None:
    assert error(till.get("points/transactions", **query), 400, "INVALID_PARAMETERS")["field"] == field


def test_does_not_know_a_cursor_of_others(till: Till, stranger: Till) -> None:
    theirs = data(stranger.award(1))["transaction_id"]
    for cursor in (theirs, "txn_" + "0" * 32, "nonsense"):
        for way in ("starting_after", "ending_before"):
            error(till.get("points/transactions", **{way: cursor}), 404, "TRANSACTION_NOT_FOUND")


def test_does_not_tell_transactions_of_others(till: Till, stranger: Till) -> None:
    theirs = data(stranger.award(1, reference="order_1"))["transaction_id"]
    assert points_of(till, reference="order_1") == []
    error(till.get(f"points/transactions/{theirs}"), 404, "TRANSACTION_NOT_FOUND")
    error(till.get("points/transactions/nonsense"), 404, "TRANSACTION_NOT_FOUND")


def test_needs_its_scope(program: Program, till: Till) -> None:
    manager = Till(program, till.card, scopes=["points:manage"])
    error(manager.get("points/transactions"), 403, "FORBIDDEN")
    error(manager.get("points/transactions/nonsense"), 403, "FORBIDDEN")
