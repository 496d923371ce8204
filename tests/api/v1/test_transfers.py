"""POST /v1/transfers."""

from typing import Any

import pytest

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program, Scope
from tests.api.v1.client import Client, done, refused
from tests.api.v1.test_holds import award, named, told
from tests.api.v3.system import verified
from tests.factories import CustomerFactory


@pytest.fixture(autouse=True)
def _with_transfers(program: Program) -> None:
    program.transfers_enabled = True
    program.save(update_fields=["transfers_enabled"])


@pytest.fixture
def bob(program: Program) -> Customer:
    return CustomerFactory(program=program, external_id="customer-78")


def send(shop: Client, points: Any, *, key: str | None = None, **more: Any) -> Any:
    body = {"from_customer_id": "customer-77", "to_customer_id": "customer-78", "points": points, "reason": "A present"}
    return shop.post("transfers", body | more, key=key)


def test_sends_points(program: Program, shop: Client, alice: Customer, bob: Customer) -> None:
    award(shop, alice, 100, expires_at="2099-01-01T00:00:00Z")
    sent = done(send(shop, 40), 201)
    assert (sent["object"], sent["from_customer_id"], sent["to_customer_id"], sent["points"]) == (
        "transfer",
        named(alice),
        named(bob),
        40,
    )
    assert sent["id"].removeprefix("trf_") == sent["transactions"][0].removeprefix("txn_")
    assert (told(shop, alice), told(shop, bob)) == ((60, 0), (40, 0))
    rows = [done(shop.get("points", customer_id=who))["data"][0] for who in ("customer-77", "customer-78")]
    assert [(row["id"], row["type"], row["points"]) for row in rows] == [
        (sent["transactions"][0], "transferred", -40),
        (sent["transactions"][1], "transferred", 40),
    ]
    [lot] = done(shop.get("customers/customer-78/explain"))["lots"]
    assert (lot["points"], lot["expires_at"]) == (40, "2099-01-01T00:00:00Z")
    assert lot["origin"] is not None
    assert verified(program) == []


def test_answers_the_first_time_again(shop: Client, alice: Customer, bob: Customer) -> None:
    award(shop, alice, 100)
    first = send(shop, 40, key="present")
    assert send(shop, 40, key="present").content == first.content
    refused(send(shop, 41, key="present"), 422, "idempotency_key_reused")
    assert told(shop, bob) == (40, 0)


def test_is_off_unless_the_programme_says_otherwise(
    program: Program, shop: Client, alice: Customer, bob: Customer
) -> None:
    program.transfers_enabled = False
    program.save(update_fields=["transfers_enabled"])
    award(shop, alice, 100)
    refused(send(shop, 40), 403, "transfers_disabled")
    assert (told(shop, alice), told(shop, bob)) == ((100, 0), (0, 0))


def test_refuses_more_than_a_day_allows(program: Program, shop: Client, alice: Customer, bob: Customer) -> None:
    program.transfer_daily_points = 50
    program.save(update_fields=["transfer_daily_points"])
    award(shop, alice, 100)
    done(send(shop, 50), 201)
    answer = send(shop, 1)
    facts = refused(answer, 429, "rate_limited")
    assert 0 < facts["retry_after"] <= 24 * 3600
    assert answer.headers["Retry-After"] == str(facts["retry_after"])


def test_refuses_what_is_not_there(shop: Client, alice: Customer, bob: Customer) -> None:
    award(shop, alice, 10)
    refused(send(shop, 11), 400, "insufficient_balance")
    refused(send(shop, 1, to_customer_id="customer-77"), 400, "parameter_invalid", "to_customer_id")
    refused(send(shop, 1, to_customer_id="nobody"), 404, "customer_not_found")
    refused(send(shop, 1, from_customer_id=ids.public("cus", ids.new_id())), 404, "customer_not_found")
    refused(send(shop, 1, reason=None), 400, "parameter_invalid", "reason")
    refused(send(shop, -1), 400, "parameter_invalid", "points")
    assert (told(shop, alice), told(shop, bob)) == ((10, 0), (0, 0))


def test_does_not_reach_other_programmes(shop: Client, stranger: Client, alice: Customer, bob: Customer) -> None:
    award(shop, alice, 10)
    refused(send(stranger, 1, from_customer_id=named(alice), to_customer_id=named(bob)), 404, "customer_not_found")


def test_needs_the_scope(program: Program, alice: Customer, bob: Customer) -> None:
    refused(send(Client(program, scopes=[Scope.POINTS_READ]), 1), 403, "forbidden")
