import datetime
from typing import Any

import pytest
import time_machine
from django.test import override_settings

from cards.models import Card
from loyalty.models import Program
from points.models import PointTransaction
from tests.api.management.till import Till, data, error, nothing_moves
from tests.factories import CardFactory, CustomerFactory

MORNING = datetime.datetime(2026, 1, 2, 9, tzinfo=datetime.UTC)


def test_tells_a_card_and_what_became_of_the_points(till: Till) -> None:
    for points in (100, 1, 2, 3, 4):
        till.award(points)
    till.redeem(30)
    told = data(till.get(f"loyalty-cards/{till.card_id}"), 200)
    assert told["card_number"] == till.card.number
    assert (told["points_balance"], told["lifetime_points"], told["points_redeemed"]) == (80, 110, 30)
    assert (told["tier"], told["replaced_by"], told["status"]) == ("bronze", None, "active")
    assert [entry["points"] for entry in told["recent_transactions"]] == [-30, 4, 3, 2, 1]
    assert set(told["recent_transactions"][0]) == {"id", "type", "points", "reason", "created_at"}
    assert data(till.get(f"loyalty-cards/{till.card.number}")) == told


def test_is_right_at_the_moment_of_asking(till: Till, card: Card) -> None:
    with time_machine.travel(MORNING, tick=False) as clock:
        till.award(10, expires_at="2026-01-03")
        Card.objects.filter(pk=card.pk).update(expires_at=datetime.datetime(2026, 1, 4, tzinfo=datetime.UTC))
        clock.move_to(datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC))
        told = data(till.get(f"loyalty-cards/{till.card_id}"))
        assert (told["points_balance"], told["recent_transactions"][0]["type"]) == (0, "expire")
        assert told["status"] == "active"
        clock.move_to(datetime.datetime(2026, 1, 4, tzinfo=datetime.UTC))
        assert data(till.get(f"loyalty-cards/{till.card_id}"))["status"] == "expired"
        error(till.award(1), 403, "CARD_EXPIRED")


def test_tells_metadata_that_is_too_long_for_a_machine_word(till: Till, card: Card) -> None:
    Card.objects.filter(pk=card.pk).update(metadata={"orders": [10**30]})
    assert data(till.get(f"loyalty-cards/{till.card_id}"))["metadata"] == {"orders": [10**30]}


def test_does_not_know_cards_of_others(till: Till, stranger: Till) -> None:
    for reference in (stranger.card_id, stranger.card.number, "nonsense"):
        for path in ("", "/history", "/qr.svg"):
            answer = till.get(f"loyalty-cards/{reference}{path}")
            assert error(answer, 404, "CARD_NOT_FOUND") == {"card_id": reference}


class TestHistory:
    def test_leaves_the_balances_out(self, till: Till) -> None:
        till.award(10, reference="order_1")
        till.redeem(3)
        told = data(till.get(f"loyalty-cards/{till.card_id}/history"), 200)
        assert [entry["points"] for entry in told["transactions"]] == [-3, 10]
        assert not {"balance_before", "balance_after"} & set(told["transactions"][0])
        assert "current_balance" not in told["summary"]
        assert told["summary"]["points_awarded"] == 10
        assert told["pagination"]["per_page"] == 50
        filtered = data(till.get(f"loyalty-cards/{till.card_id}/history", reference="order_1", limit=1))
        assert [entry["points"] for entry in filtered["transactions"]] == [10]

    def test_refuses_a_malformed_query(self, till: Till) -> None:
        answer = till.get(f"loyalty-cards/{till.card_id}/history", limit="x")
        assert error(answer, 400, "INVALID_PARAMETERS")["field"] == "limit"

    def test_needs_its_scope(self, program: Program, till: Till) -> None:
        reader = Till(program, till.card, scopes=["loyalty:read"])
        answer = reader.get(f"loyalty-cards/{till.card_id}/history")
        assert error(answer, 403, "FORBIDDEN") == {"required_permissions": ["points:read"]}


def test_draws_the_number_as_a_qr_code(till: Till) -> None:
    answer = till.get(f"loyalty-cards/{till.card_id}/qr.svg")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert b"<svg" in answer.content


class TestList:
    @pytest.fixture
    def shop(self, till: Till, program: Program) -> dict[str, Till]:
        """Alice with 5 points, Bob with 20 of which 18 have just expired, Carol without any."""
        bob = Till(program, CardFactory(customer=CustomerFactory(program=program, name="Bob", email="Bob@example.com")))
        carol = Till(program, CardFactory(customer=CustomerFactory(program=program, name="Carol")))
        with time_machine.travel(MORNING, tick=False):
            bob.award(2)
            bob.award(18, expires_at="2026-01-03")
        till.award(5)
        return {"Alice": till, "Bob": bob, "Carol": carol}

    def names(self, till: Till, **query: Any) -> list[str]:
        return [card["customer_name"] for card in data(till.get("loyalty-cards", **query), 200)["cards"]]

    def test_tells_each_card_as_it_is_now(self, shop: dict[str, Till], till: Till) -> None:
        told = data(till.get("loyalty-cards"), 200)
        assert {card["customer_name"]: card["points_balance"] for card in told["cards"]} == {
            "Alice": 5,
            "Bob": 2,
            "Carol": 0,
        }
        assert told["pagination"]["total"] == 3
        assert PointTransaction.objects.filter(program=till.program).count() == 3

    @pytest.mark.parametrize(
        ("sort", "names"),
        [
            (None, ["Carol", "Bob", "Alice"]),
            ("created_at:desc", ["Carol", "Bob", "Alice"]),
            ("created_at:asc", ["Alice", "Bob", "Carol"]),
            ("points_balance:desc", ["Alice", "Bob", "Carol"]),
            ("points_balance:asc", ["Carol", "Bob", "Alice"]),
            ("last_activity:desc", ["Alice", "Bob", "Carol"]),
        ],
    )
    def test_sorts(self, shop: dict[str, Till], till: Till, sort: str | None, names: list[str]) -> None:
        assert self.names(till, **({} if sort is None else {"sort": sort})) == names

    def test_turns_pages_of_a_sorted_list(self, shop: dict[str, Till], till: Till) -> None:
        assert self.names(till, sort="points_balance:desc", limit=2, page=2) == ["Carol"]

    def test_filters(self, shop: dict[str, Till], till: Till) -> None:
        till.post(f"loyalty-cards/{shop['Bob'].card_id}/block", {"reason": "Stolen"})
        Card.objects.filter(pk=shop["Carol"].card.pk).update(expires_at=MORNING)
        assert self.names(till, status="blocked") == ["Bob"]
        assert self.names(till, status="expired") == ["Carol"]
        assert self.names(till, status="active") == ["Alice"]
        assert self.names(till, status="inactive") == []
        assert self.names(till, customer_email="bOb@EXAMPLE.com") == ["Bob"]
        assert self.names(till, tier="gold") == []
        assert self.names(till, created_after="2090-01-01") == []
        assert self.names(till, created_before="2020-01-01") == []
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        assert len(self.names(till, created_after=today, created_before=today)) == 3

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"status": "gone"}, "status"),
            ({"sort": "name:asc"}, "sort"),
            ({"sort": "created_at"}, "sort"),
            ({"created_after": "x"}, "created_after"),
            ({"limit": "0"}, "limit"),
            ({"page": "x"}, "page"),
            ({"customer_email": "\0"}, "customer_email"),
        ],
    )
    def test_refuses_a_malformed_query(self, till: Till, query: dict[str, str], field: str) -> None:
        assert error(till.get("loyalty-cards", **query), 400, "INVALID_PARAMETERS")["field"] == field

    def test_tells_no_cards_of_others(self, till: Till, stranger: Till) -> None:
        assert self.names(till) == ["Alice"]

    def test_needs_its_scope(self, program: Program, till: Till) -> None:
        writer = Till(program, till.card, scopes=["loyalty:write"])
        assert error(writer.get("loyalty-cards"), 403, "FORBIDDEN") == {"required_permissions": ["loyalty:read"]}
        error(writer.get(f"loyalty-cards/{till.card_id}"), 403, "FORBIDDEN")


class TestChange:
    def change(self, till: Till, **body: Any) -> Any:
        return till.client.patch(f"/api/loyalty-cards/{till.card_id}", body, format="json")

    def test_changes_what_is_sent_and_leaves_the_rest(self, till: Till) -> None:
        told = data(self.change(till, customer_name="Alicia", card_design="gold"), 200)
        assert (told["customer_name"], told["card_design"]) == ("Alicia", "gold")
        told = data(self.change(till, customer_phone="+370", metadata={"a": 1}))
        assert (told["customer_name"], told["customer_phone"], told["metadata"]) == ("Alicia", "+370", {"a": 1})
        told = data(self.change(till, customer_phone=None, metadata=None))
        assert (told["customer_phone"], told["metadata"]) == (None, {})

    @override_settings(ALLOWED_HOSTS=["shop.example"])
    def test_changes_nothing_for_a_host_that_it_does_not_know(self, till: Till) -> None:
        with nothing_moves(till.program):
            error(self.change(till, customer_name="Mallory"), 400, "INVALID_PARAMETERS")

    def test_is_done_by_put_as_well(self, till: Till) -> None:
        answer = till.client.put(f"/api/loyalty-cards/{till.card_id}", {"customer_name": "Alicia"}, format="json")
        assert data(answer, 200)["customer_name"] == "Alicia"

    @pytest.mark.parametrize(
        "body",
        [{"customer_name": ""}, {"customer_name": None}, {"customer_phone": 7}, {"metadata": 7}, {"card_design": ""}],
    )
    def test_refuses_a_malformed_body(self, till: Till, body: dict[str, Any]) -> None:
        with nothing_moves(till.program):
            error(self.change(till, **body), 400, "INVALID_PARAMETERS")

    def test_does_not_know_cards_of_others(self, till: Till, stranger: Till) -> None:
        with nothing_moves(stranger.program):
            answer = till.client.patch(f"/api/loyalty-cards/{stranger.card_id}", {"customer_name": "X"}, format="json")
            error(answer, 404, "CARD_NOT_FOUND")

    def test_needs_its_scope(self, program: Program, till: Till) -> None:
        reader = Till(program, till.card, scopes=["loyalty:read"])
        with nothing_moves(program):
            error(self.change(reader, customer_name="X"), 403, "FORBIDDEN")
