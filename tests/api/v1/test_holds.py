"""POST /v1/holds, GET /v1/holds/{id}, POST …/capture and …/release."""

import datetime
from typing import Any

import pytest
import time_machine

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program, Scope
from tests.api.v1.client import Client, done, refused
from tests.api.v3.system import verified
from tests.factories import CardFactory

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


def named(customer: Customer) -> str:
    return ids.public("cus", customer.pk)


def award(shop: Client, customer: Customer, points: Any, **more: Any) -> Any:
    body = {"customer_id": named(customer), "points": points, "reason": "Purchase"}
    return done(shop.post("points/award", body | more), 201)


def hold(shop: Client, customer: Customer, points: Any, *, key: str | None = None, **more: Any) -> Any:
    return shop.post("holds", {"customer_id": named(customer), "points": points} | more, key=key)


def told(shop: Client, customer: Customer) -> tuple[Any, Any]:
    answer = done(shop.get(f"customers/{named(customer)}"))
    return answer["points_balance"], answer["held_points"]


def test_sets_points_aside(program: Program, shop: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    with time_machine.travel(datetime.datetime.now(datetime.UTC), tick=False):
        held = done(hold(shop, alice, 30, expires_in=600, reference="basket_1", metadata={"till": 4}), 201)
        assert held["object"] == "hold"
        assert (held["customer_id"], held["points"], held["captured_points"]) == (named(alice), 30, 0)
        assert (held["status"], held["reference"], held["metadata"]) == ("active", "basket_1", {"till": 4})
        lasts = datetime.datetime.fromisoformat(held["expires_at"]) - datetime.datetime.fromisoformat(
            held["created_at"]
        )
        assert lasts == 10 * MINUTE
    assert told(shop, alice) == (70, 30)
    assert done(shop.get(f"holds/{held['id']}")) == held
    assert verified(program) == []


def test_captures_all_of_it(program: Program, shop: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    held = done(hold(shop, alice, 30), 201)
    captured = done(shop.post(f"holds/{held['id']}/capture"))
    assert (captured["status"], captured["captured_points"]) == ("captured", 30)
    assert told(shop, alice) == (70, 0)
    [redeemed, _] = done(shop.get("points", customer_id=named(alice)))["data"]
    assert (redeemed["id"], redeemed["type"], redeemed["points"]) == (captured["transaction_id"], "redeemed", -30)
    refused(shop.post(f"holds/{held['id']}/capture"), 409, "hold_resolved")
    refused(shop.post(f"holds/{held['id']}/release"), 409, "hold_resolved")
    assert done(shop.get(f"holds/{held['id']}")) == captured
    assert verified(program) == []


def test_captures_a_part_and_gives_the_rest_back(program: Program, shop: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    held = done(hold(shop, alice, 30), 201)
    refused(shop.post(f"holds/{held['id']}/capture", {"points": 31}), 400, "insufficient_balance")
    captured = done(shop.post(f"holds/{held['id']}/capture", {"points": 12, "reason": "Order 7"}))
    assert (captured["points"], captured["captured_points"]) == (30, 12)
    assert told(shop, alice) == (88, 0)
    assert verified(program) == []


def test_releases_it(shop: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    held = done(hold(shop, alice, 30), 201)
    assert done(shop.post(f"holds/{held['id']}/release"))["status"] == "released"
    assert told(shop, alice) == (100, 0)


def test_lapses_by_the_clock(program: Program, shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        award(shop, alice, 100)
        held = done(hold(shop, alice, 30), 201)
        clock.shift(15 * MINUTE - datetime.timedelta(microseconds=1))
        assert told(shop, alice) == (70, 30)
        clock.shift(datetime.timedelta(microseconds=1))
        assert told(shop, alice) == (100, 0)
        assert done(shop.get(f"holds/{held['id']}"))["status"] == "lapsed"
        refused(shop.post(f"holds/{held['id']}/capture"), 409, "hold_resolved")
    assert verified(program) == []


def test_shows_in_the_history_of_the_management_face_alone(shop: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    held = done(hold(shop, alice, 30), 201)
    done(shop.post(f"holds/{held['id']}/release"))
    [row] = done(shop.get("points", customer_id=named(alice)))["data"]
    assert row["type"] == "earned"
    history = shop.client.get(f"/api/points/history/{named(alice)}").json()["data"]["transactions"]
    assert [entry["type"] for entry in history] == ["release", "hold", "award"]


def test_answers_the_first_time_again(shop: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    first = hold(shop, alice, 30, key="basket")
    again = hold(shop, alice, 30, key="basket")
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    path = f"holds/{done(first, 201)['id']}/capture"
    captured = shop.post(path, key="payment")
    assert shop.post(path, key="payment").content == captured.content
    refused(shop.post(path, {"points": 3}, key="payment"), 422, "idempotency_key_reused")
    assert told(shop, alice) == (70, 0)


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({"points": 0}, "points"),
        ({"points": "many"}, "points"),
        ({"points": 0.5}, "points"),
        ({"points": 10**16}, "points"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": 7 * 24 * 3600 + 1}, "expires_in"),
        ({"expires_in": "600"}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": 1.5}, "expires_in"),
        ({"expires_in": 10**400}, "expires_in"),
        ({"reference": "x" * 256}, "reference"),
        ({"metadata": [1]}, "metadata"),
        ({"definition": "gems"}, "definition"),
    ],
)
def test_refuses_what_is_wrong(sent: dict[str, Any], param: str, shop: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    refused(hold(shop, alice, **({"points": 10} | sent)), 400, "parameter_invalid", param)
    assert told(shop, alice) == (100, 0)


def test_refuses_more_than_there_is(shop: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    done(hold(shop, alice, 70), 201)
    facts = refused(hold(shop, alice, 31), 400, "insufficient_balance")
    assert facts == {"current_balance": 30, "requested_points": 31}


@pytest.mark.parametrize("body", ["[]", '""', "0", "false", "null", "[30]", "{"])
def test_captures_nothing_by_what_is_no_json_object(shop: Client, alice: Customer, body: str) -> None:
    award(shop, alice, 100)
    held = done(hold(shop, alice, 30), 201)
    path = f"/v1/holds/{held['id']}/capture"
    refused(shop.client.post(path, body, content_type="application/json"), 400, "parameter_invalid")
    assert told(shop, alice) == (70, 30)
    assert done(shop.client.post(path))["captured_points"] == 30


def test_does_not_know_what_is_another_programmes(shop: Client, stranger: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    held = done(hold(shop, alice, 30), 201)
    refused(hold(stranger, alice, 1), 404, "customer_not_found")
    for path in (f"holds/{held['id']}", "holds/hld_0", "holds/%00", f"holds/{ids.public('hld', ids.new_id())}"):
        refused(stranger.get(path), 404, "hold_not_found")
        refused(stranger.post(f"{path}/capture"), 404, "hold_not_found")
        refused(stranger.post(f"{path}/release"), 404, "hold_not_found")
    assert told(shop, alice) == (70, 30)


def test_needs_the_scope(program: Program, alice: Customer) -> None:
    reader = Client(program, scopes=[Scope.POINTS_READ])
    facts = refused(hold(reader, alice, 1), 403, "forbidden")
    assert facts == {"required_permissions": ["points:manage"]}


def test_shows_in_the_balances_of_every_face(program: Program, shop: Client, alice: Customer) -> None:
    card = CardFactory(customer=alice)
    card.refresh_from_db(fields=["serial"])
    award(shop, alice, 100)
    done(hold(shop, alice, 30), 201)
    management = shop.client.get(f"/api/points/balance/{card.number}").json()["data"]
    assert (management["current_balance"], management["held_points"]) == (70, 30)
    face = shop.client.get(f"/en/shop/points/card/{card.serial}/balance").json()["data"]["balance"]
    assert (face["current_points"], face["held_points"]) == (70, 30)
    [account] = shop.client.get("/api/v3/point-accounts", {"contactId": str(alice.pk)}).json()["items"]
    assert (account["balance"], account["heldPoints"]) == (70, 30)
