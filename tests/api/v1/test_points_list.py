import datetime
from typing import Any

import pytest
import time_machine

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program
from points.models import PointTransaction
from tests.api.management.till import Till, data
from tests.api.v1.client import Client, done, refused
from tests.factories import CardFactory, CustomerFactory, make_definition

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def listed(client: Client, **query: Any) -> dict[str, Any]:
    return done(client.get("points", customer_id="customer-77", **query))


def points(body: dict[str, Any]) -> list[Any]:
    return [row["points"] for row in body["data"]]


def award(client: Client, amount: Any, **more: Any) -> Any:
    body = {"customer_id": "customer-77", "points": amount, "reason": "Order"} | more
    return done(client.post("points/award", body), 201)


@pytest.fixture
def seven(shop: Client, alice: Customer) -> list[str]:
    """The ids of seven awards of 1 to 7 points, the oldest first."""
    return [award(shop, n)["id"] for n in range(1, 8)]


def test_tells_each_kind_of_transaction(shop: Client, program: Program, alice: Customer) -> None:
    till = Till(program, CardFactory(customer=alice))
    with time_machine.travel(NOON, tick=False) as clock:
        first = data(till.award(100, expires_at=(NOON + 3 * DAY).isoformat(), reference="order_1"), 201)
        data(till.award(40, valid_from=(NOON + DAY).isoformat()), 201)
        clock.move_to(NOON + 2 * DAY)
        spent = data(till.redeem(30), 201)
        data(till.adjust(-5), 201)
        data(till.reverse(spent["transaction_id"], points=10), 201)
        clock.move_to(NOON + 3 * DAY)
        body = listed(shop)
        assert [(row["type"], row["points"], row["balance_after"]) for row in body["data"]] == [
            ("expired", -75, 40),
            ("reversed", 10, 75 + 40),
            ("adjusted", -5, 65 + 40),
            ("redeemed", -30, 70 + 40),
            ("earned", 40, 100),
            ("earned", 100, 100),
        ]
        assert body["data"][-1] == {
            "id": first["transaction_id"],
            "object": "points_transaction",
            "customer_id": ids.public("cus", alice.pk),
            "type": "earned",
            "points": 100,
            "balance_after": 100,
            "reason": "Order reward",
            "reference": "order_1",
            "metadata": None,
            "expires_at": "2026-03-05T12:00:00Z",
            "created_at": "2026-03-02T12:00:00Z",
        }
        for word, expected in (("earned", [40, 100]), ("redeemed", [-30]), ("expired", [-75]), ("adjusted", [-5])):
            assert points(listed(shop, type=word)) == expected
        assert points(listed(shop, type="reversed")) == [10]
    # What only made the 40 points available is told nowhere.
    assert PointTransaction.objects.filter(program=program, type="activate").count() == 1


def test_does_not_go_on_from_what_it_does_not_tell(shop: Client, program: Program, alice: Customer) -> None:
    till = Till(program, CardFactory(customer=alice))
    with time_machine.travel(NOON, tick=False) as clock:
        data(till.award(40, valid_from=(NOON + DAY).isoformat()), 201)
        clock.move_to(NOON + 2 * DAY)
        assert points(listed(shop)) == [40]
        hidden = PointTransaction.objects.get(program=program, type="activate")
        answer = shop.get("points", customer_id="customer-77", starting_after=ids.public("txn", hidden.pk))
        refused(answer, 400, "parameter_invalid", "starting_after")


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_goes_through_all_pages_and_back(shop: Client, seven: list[str], order: str, limit: int) -> None:
    everything = seven if order == "asc" else seven[::-1]
    pages: list[dict[str, Any]] = []
    query: dict[str, Any] = {}
    while not pages or pages[-1]["has_more"]:
        pages.append(listed(shop, order=order, limit=limit, **query))
        query = {"starting_after": pages[-1]["data"][-1]["id"]}
    found = [[row["id"] for row in page["data"]] for page in pages]
    assert found == [everything[n : n + limit] for n in range(0, 7, limit)]
    back: list[list[str]] = []
    query = {"ending_before": everything[-1]}
    more = True
    while more:
        page = listed(shop, order=order, limit=limit, **query)
        more = page["has_more"]
        back.insert(0, [row["id"] for row in page["data"]])
        query = {"ending_before": back[0][0]}
    assert [one for page in back for one in page] == everything[:-1]


def test_lists_the_newest_first_unless_told_otherwise(shop: Client, seven: list[str]) -> None:
    assert points(listed(shop)) == points(listed(shop, order="desc", limit=100)) == [7, 6, 5, 4, 3, 2, 1]
    assert points(listed(shop, order="asc")) == [1, 2, 3, 4, 5, 6, 7]
    by_id = done(shop.get("points", customer_id=listed(shop)["data"][0]["customer_id"]))
    assert by_id == listed(shop)
    assert (by_id["object"], by_id["has_more"]) == ("list", False)


def test_neither_skips_nor_repeats_while_transactions_are_added(shop: Client, seven: list[str]) -> None:
    seen: list[str] = []
    for _ in range(7):
        query = {"starting_after": seen[-1]} if seen else {}
        seen += [row["id"] for row in listed(shop, limit=1, **query)["data"]]
        award(shop, 100)
    assert seen == seven[::-1]
    oldest_first: list[Any] = []
    query = {}
    for n in range(100):
        page = listed(shop, order="asc", limit=2, **query)
        oldest_first += points(page)
        if not page["has_more"]:
            break
        query = {"starting_after": page["data"][-1]["id"]}
        if n < 3:
            award(shop, 200)
    assert oldest_first == [1, 2, 3, 4, 5, 6, 7] + [100] * 7 + [200] * 3


def test_goes_on_within_one_kind_from_a_row_of_another(shop: Client, program: Program, seven: list[str]) -> None:
    customer = program.customers.get()
    till = Till(program, CardFactory(customer=customer))
    spent = data(till.redeem(3), 201)["transaction_id"]
    award(shop, 8)
    assert points(listed(shop, type="earned", starting_after=spent, limit=2)) == [7, 6]
    assert points(listed(shop, type="earned", ending_before=spent)) == [8]
    assert points(listed(shop, type="redeemed", starting_after=seven[0])) == []


def test_settles_what_fell_due(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        award(shop, 10, expires_at="2026-03-04")
        clock.move_to(NOON + 3 * DAY)
        body = listed(shop)
        assert points(body) == [-10, 10]
        assert body["data"][0]["reason"] == "Points expired"


def test_means_the_definition_that_is_named(shop: Client, program: Program, alice: Customer) -> None:
    make_definition(program, code="miles", decimal_places=1)
    award(shop, 7.5, definition="miles")
    assert points(listed(shop, definition="miles")) == [7.5]
    assert listed(shop) == {"object": "list", "data": [], "has_more": False}
    refused(shop.get("points", customer_id="customer-77", definition="x"), 400, "parameter_invalid", "definition")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "9" * 101}, "limit"),
        ({"order": "up"}, "order"),
        ({"type": "award"}, "type"),
        ({"type": "a\0b"}, "type"),
        ({"starting_after": "txn_" + "0" * 32}, "starting_after"),
        ({"starting_after": "cus_" + "0" * 32}, "starting_after"),
        ({"starting_after": "a\0b"}, "starting_after"),
        ({"starting_after": "x" * 101}, "starting_after"),
        ({"ending_before": "1"}, "ending_before"),
        ({"starting_after": "a", "ending_before": "b"}, "ending_before"),
        ({"customer_id": "a\0b"}, "customer_id"),
        ({"customer_id": "x" * 101}, "customer_id"),
        ({"definition": "a\0b"}, "definition"),
    ],
)
def test_names_what_is_wrong(shop: Client, alice: Customer, query: dict[str, str], param: str) -> None:
    answer = shop.get("points", **{"customer_id": "customer-77"} | query)
    refused(answer, 400, "parameter_invalid", param)


def test_needs_a_customer(shop: Client, stranger: Client, seven: list[str]) -> None:
    refused(shop.get("points"), 400, "parameter_missing", "customer_id")
    refused(shop.get("points", customer_id=""), 400, "parameter_missing", "customer_id")
    for reference in ("customer-77", "nobody", "cus_" + "0" * 32):
        refused(stranger.get("points", customer_id=reference), 404, "customer_not_found")


def test_goes_on_from_no_row_of_another(shop: Client, program: Program, stranger: Client, seven: list[str]) -> None:
    CustomerFactory(program=program, external_id="bob")
    CustomerFactory(program=stranger.program, external_id="bob")
    for client in (shop, stranger):
        answer = client.get("points", customer_id="bob", starting_after=seven[3])
        refused(answer, 400, "parameter_invalid", "starting_after")


def test_lowers_a_limit_above_100(shop: Client, program: Program, alice: Customer) -> None:
    Program.objects.filter(pk=program.pk).update(transaction_limit=None)
    till = Till(program, CardFactory(customer=alice))
    data(till.bulk(*[till.item("award", 1) for _ in range(101)]), 200)
    for limit in (101, 10**30):
        body = listed(shop, limit=limit)
        assert (len(body["data"]), body["has_more"]) == (100, True)
    assert len(listed(shop)["data"]) == 20


def test_needs_the_scope(program: Program, alice: Customer) -> None:
    answer = Client(program, scopes=["points:manage"]).get("points", customer_id="customer-77")
    assert refused(answer, 403, "forbidden") == {"required_permissions": ["points:read"]}
    assert listed(Client(program, scopes=["points:read"]))["data"] == []
