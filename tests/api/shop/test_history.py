"""The history of a card's customer and the list of the programme's transactions."""

import datetime
from typing import Any

import pytest
import time_machine

from points.models import PointTransaction
from tests.api.management.till import Till
from tests.api.management.till import data as management_data
from tests.api.shop.till import ShopTill, data, error
from tests.factories import CardFactory, CustomerFactory

MONDAY = datetime.datetime(2026, 1, 12, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def busy(till: ShopTill) -> ShopTill:
    """A card with one entry of each kind, an hour apart: a purchase, a bonus, a redemption that was given back wholly,
    one that was given back in part, a correction, points that wait, and points that expired."""
    management = Till(till.program, till.card)
    with time_machine.travel(MONDAY, tick=False) as clock:

        def done(answer: Any) -> Any:
            clock.shift(3600)
            return management_data(answer, 201)

        def awarded(answer: Any) -> None:
            data(answer, 201)
            clock.shift(3600)

        awarded(till.post("points/award", till.body(100, transaction_type="purchase", purchase_amount=50)))
        awarded(till.post("points/award", till.body(40, transaction_type="bonus", description="Birthday")))
        first = done(management.redeem(30))
        done(management.reverse(first["transaction_id"]))
        second = done(management.redeem(20))
        done(management.reverse(second["transaction_id"], points=5))
        done(management.adjust(-3))
        done(management.award(7, valid_from="2099-01-01"))
        done(management.award(8, expires_at=(MONDAY + DAY).isoformat()))
    return till


def rows(till: ShopTill, **query: Any) -> list[tuple[str, Any]]:
    """This will answer kind and points, the oldest first."""
    return [(row["transaction_type"], row["points"]) for row in reversed(till.history(per_page=50, **query)["data"])]


ALL = [
    ("award", 100),
    ("bonus", 40),
    ("redeem", -30),
    ("adjustment", 30),
    ("redeem", -20),
    ("adjustment", 5),
    ("adjustment", -3),
    ("award", 7),
    ("award", 8),
    ("expired", -8),
]


def test_tells_each_entry(till: ShopTill) -> None:
    with time_machine.travel(MONDAY, tick=False):
        data(till.award(50, description="Coffee", metadata={"order_id": "77"}), 201)
        history = till.history()
    entry = PointTransaction.objects.get(program=till.program)
    [row] = history.pop("data")
    calculation = row["metadata"].pop("calculation")
    assert calculation["points"] == "50"
    assert row == {
        "id": entry.serial,
        "transaction_type": "award",
        "points": 50,
        "balance_before": 0,
        "balance_after": 50,
        "description": "Coffee",
        "status": "completed",
        "card": {"id": till.card.serial, "card_number": f"LC****{till.card.number[-4:]}"},
        "metadata": {"order_id": "77", "transaction_type": "manual"},
        "created_at": "2026-01-12T12:00:00Z",
        "expires_at": "2027-01-12T12:00:00Z",
    }
    assert history == {
        "current_page": 1,
        "per_page": 15,
        "total": 1,
        "last_page": 1,
        "summary": {"total_awarded": 50, "total_redeemed": 0, "net_change": 50, "transaction_count": 1},
    }


def test_lists_every_kind_newest_first_and_sums_them(busy: ShopTill) -> None:
    assert rows(busy) == ALL
    assert busy.history()["summary"] == {
        "total_awarded": 100 + 40 + 7 + 8,
        "total_redeemed": 30 + 20,
        "net_change": 100 + 40 - 30 + 30 - 20 + 5 - 3 + 7 + 8 - 8,
        "transaction_count": 10,
    }


@pytest.mark.parametrize("kind", ["award", "bonus", "redeem", "adjustment", "expired"])
def test_selects_by_kind(busy: ShopTill, kind: str) -> None:
    chosen = [row for row in ALL if row[0] == kind]
    assert rows(busy, transaction_type=kind) == chosen
    assert busy.history(transaction_type=kind)["summary"]["net_change"] == sum(points for _, points in chosen)


@pytest.mark.parametrize(
    ("status", "chosen"),
    [
        ("cancelled", [("redeem", -30)]),
        ("pending", [("award", 7)]),
        ("completed", [row for row in ALL if row not in (("redeem", -30), ("award", 7))]),
        ("all", ALL),
        ("", ALL),
    ],
)
def test_selects_by_what_became_of_it(busy: ShopTill, status: str, chosen: list[tuple[str, Any]]) -> None:
    assert rows(busy, status=status) == chosen
    if status in ("cancelled", "pending", "completed"):
        assert {row["status"] for row in busy.history(status=status)["data"]} == {status}


def test_selects_by_both(busy: ShopTill) -> None:
    assert rows(busy, transaction_type="redeem", status="completed") == [("redeem", -20)]


def test_tells_a_referral_as_a_bonus(till: ShopTill) -> None:
    data(till.post("points/award", till.body(40, transaction_type="referral")), 201)
    assert rows(till) == rows(till, transaction_type="bonus") == [("bonus", 40)]
    assert rows(till, transaction_type="award") == []


def test_tells_an_award_without_metadata_as_an_award(till: ShopTill) -> None:
    management = Till(till.program, till.card)
    management.award(10)
    management.award(11, metadata={"transaction_type": {"is": "no word"}})
    assert rows(till, transaction_type="award") == [("award", 10), ("award", 11)]


def test_leaves_out_what_only_became_available(till: ShopTill) -> None:
    management = Till(till.program, till.card)
    with time_machine.travel(MONDAY) as clock:
        management.award(10, valid_from=(MONDAY + DAY).isoformat())
        assert [row["status"] for row in till.history()["data"]] == ["pending"]
        clock.shift(2 * DAY)
        history = till.history()
        assert [row["status"] for row in history["data"]] == ["completed"]
        assert history["total"] == 1
        assert till.balance == 10


@pytest.mark.parametrize(
    ("dates", "count"),
    [
        ({"date_from": "2026-01-12T12:00:00Z", "date_to": "2026-01-12T13:00:00Z"}, 2),
        ({"date_from": "2026-01-12T12:00:01Z", "date_to": "2026-01-12T12:59:59Z"}, 0),
        ({"date_from": "2026-01-12", "date_to": "2026-01-12"}, 9),
        ({"date_to": "2026-01-11"}, 0),
        # What expired on the thirteenth was written when somebody asked for it.
        ({"date_from": "2026-01-13"}, 1),
        ({"date_from": "2026-01-12T14:00:00+02:00", "date_to": "2026-01-12T15:00:00+02:00"}, 2),
    ],
)
def test_selects_by_date(busy: ShopTill, dates: dict[str, str], count: int) -> None:
    assert busy.history(**dates)["total"] == count


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"date_from": "2026-01-13", "date_to": "2026-01-12"}, "date_from"),
        ({"date_from": "yesterday"}, "date_from"),
        ({"date_to": "0001-01-01"}, "date_to"),
        ({"transaction_type": "reverse"}, "transaction_type"),
        ({"status": "gone"}, "status"),
        ({"card_id": "x"}, "card_id"),
        ({"card_id": "9" * 400}, "card_id"),
        ({"page": "0"}, "page"),
        ({"page": "x"}, "page"),
        ({"per_page": "-1"}, "per_page"),
        ({"per_page": "1.5"}, "per_page"),
    ],
)
@pytest.mark.parametrize("path", ["points", "transactions"])
def test_refuses_what_it_cannot_read(till: ShopTill, path: str, query: dict[str, str], field: str) -> None:
    assert list(error(till.get(path, **query), 422, "VALIDATION_ERROR")) == [field]


@pytest.mark.parametrize("path", ["points", "transactions", "loyalty-cards"])
def test_names_all_that_it_cannot_read(till: ShopTill, path: str) -> None:
    answer = till.get(path, page="0", per_page="x", card_id="y", user_id="z")
    named = {"page", "per_page", "user_id" if path == "loyalty-cards" else "card_id"}
    assert set(error(answer, 422, "VALIDATION_ERROR")) == named


@pytest.mark.parametrize(
    ("query", "sizes", "meta"),
    [
        ({}, 10, (1, 1, 15, 10)),
        ({"per_page": 4}, 4, (1, 3, 4, 10)),
        ({"per_page": 4, "page": 3}, 2, (3, 3, 4, 10)),
        ({"per_page": 4, "page": 4}, 0, (4, 3, 4, 10)),
        ({"per_page": 5, "page": 2}, 5, (2, 2, 5, 10)),
        ({"per_page": 51}, 10, (1, 1, 50, 10)),
        ({"page": "9" * 99}, 0, (int("9" * 99), 1, 15, 10)),
        ({"page": "", "per_page": ""}, 10, (1, 1, 15, 10)),
        ({"status": "cancelled", "transaction_type": "award"}, 0, (1, 1, 15, 0)),
    ],
)
def test_pages(busy: ShopTill, query: dict[str, Any], sizes: int, meta: tuple[int, ...]) -> None:
    history = busy.history(**query)
    assert len(history["data"]) == sizes
    assert (history["current_page"], history["last_page"], history["per_page"], history["total"]) == meta
    answer = busy.get("transactions", card_id=busy.card.serial, **query).json()
    assert answer["data"] == history["data"]
    assert tuple(answer["meta"][name] for name in ("current_page", "last_page", "per_page", "total")) == meta


def test_is_the_customers_whichever_card_is_asked(till: ShopTill) -> None:
    second = CardFactory(customer=till.card.customer)
    data(till.award(10), 201)
    data(till.redeem(4, card_id=second.serial), 201)
    told = data(till.get("points", card_id=second.serial))["data"]
    assert [row["card"]["id"] for row in told] == [second.serial, till.card.serial]


def test_tells_no_card_where_none_was_used(till: ShopTill) -> None:
    management = Till(till.program, till.card)
    answer = management.post("points/award", {"customer_id": management.customer_id, "points": 5, "reason": "Gift"})
    management_data(answer, 201)
    [row] = till.history()["data"]
    assert (row["card"], row["metadata"]) == (None, None)


@pytest.mark.parametrize("path", ["points", "transactions"])
def test_is_of_the_whole_programme_without_a_card(till: ShopTill, stranger: ShopTill, path: str) -> None:
    other = CardFactory(customer=CustomerFactory(program=till.program, name="Bob"))
    data(till.award(10), 201)
    data(till.award(20, card_id=other.serial), 201)
    data(stranger.award(30), 201)
    answer = till.get(path).json()["data"]
    told = answer if path == "transactions" else answer["data"]
    assert [(row["points"], row["card"]["id"]) for row in told] == [(20, other.serial), (10, till.card.serial)]


@pytest.mark.parametrize("path", ["points", "transactions"])
def test_knows_no_card_of_another_programme(till: ShopTill, stranger: ShopTill, path: str) -> None:
    data(stranger.award(30), 201)
    error(till.get(path, card_id=stranger.card.serial), 404, "CARD_NOT_FOUND")


def test_is_the_own_one_for_a_member(till: ShopTill) -> None:
    bob = CardFactory(customer=CustomerFactory(program=till.program, name="Bob"))
    data(till.award(10), 201)
    data(till.award(20, card_id=bob.serial), 201)
    token = data(till.post("auth/token", {"user_id": bob.customer.serial}))["token"]
    till.client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    for query in ({}, {"card_id": bob.serial}):
        assert [row["points"] for row in data(till.get("points", **query))["data"]] == [20]
    error(till.get("points", card_id=till.card.serial), 404, "CARD_NOT_FOUND")
