"""GET /v1/customers/{id}/explain: why a balance is what it is."""

import datetime
from decimal import Decimal

import time_machine

from cards.models import Customer
from loyalty.models import Program, Scope
from points import definitions, ledger, rules
from points.models import AccountRef
from tests.api.v1.client import Client, done, refused
from tests.api.v1.test_holds import award, hold, named
from tests.points.till import Till, posting
from tiers.models import TierScheme

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


def explain(shop: Client, **query: str) -> dict:
    return done(shop.get("customers/customer-77/explain", **query))


def till_of(program: Program, customer: Customer) -> Till:
    kind = definitions.find(program, None)
    return Till(AccountRef(program=program, definition=kind, customer_id=customer.pk))


def test_tells_each_lot_and_what_it_paid(program: Program, shop: Client, alice: Customer) -> None:
    first = award(shop, alice, 100, expires_at="2099-01-01T00:00:00Z", reference="order_1")
    second = award(shop, alice, 50, expires_at="2098-01-01T00:00:00Z")
    till = till_of(program, alice)
    spent = till.redeem(70, at=datetime.datetime.now(datetime.UTC))
    till.reverse(spent, 5, at=datetime.datetime.now(datetime.UTC))
    told = explain(shop)
    assert (told["object"], told["definition"], told["points_balance"]) == ("explanation", "points", 100 + 50 - 70 + 5)
    # What ends first has paid first, and is empty.
    [lot] = told["lots"]
    assert (lot["transaction_id"], lot["type"], lot["reference"]) == (first["id"], "award", "order_1")
    assert (lot["points"], lot["left"], lot["held"], lot["status"]) == (100, 85, 0, "available")
    assert [(paid["type"], paid["points"]) for paid in lot["paid"]] == [("reverse", -5), ("redeem", 20)]
    assert second["id"] not in {one["transaction_id"] for one in told["lots"]}
    assert told["points_balance"] == sum(one["left"] for one in told["lots"])


def test_tells_what_is_pending_and_held_and_expiring(program: Program, shop: Client, alice: Customer) -> None:
    award(shop, alice, 100, expires_at="2099-01-01T00:00:00Z")
    now = datetime.datetime.now(datetime.UTC)
    till_of(program, alice).award(40, at=now, valid_from=now + datetime.timedelta(days=3))
    held = done(hold(shop, alice, 30, reference="basket_1"), 201)
    soon = award(shop, alice, 7, expires_at=(now + datetime.timedelta(days=5)).isoformat())
    told = explain(shop)
    assert (told["points_balance"], told["pending_points"], told["held_points"]) == (77, 40, 30)
    assert [(lot["left"], lot["held"], lot["status"]) for lot in told["lots"]] == [
        (7, 0, "available"),
        (70, 30, "available"),
        (40, 0, "pending"),
    ]
    assert [(one["id"], one["points"], one["reference"]) for one in told["holds"]] == [(held["id"], 30, "basket_1")]
    assert told["expiring"][0] == {"points": 7, "expires_at": soon["expires_at"]}


def test_settles_what_is_due_first(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        award(shop, alice, 100, expires_at="2026-03-03T00:00:00Z")
        clock.shift(datetime.timedelta(days=2))
        told = explain(shop)
        assert (told["points_balance"], told["lots"]) == (0, [])
        assert done(shop.get("points", customer_id="customer-77"))["data"][0]["type"] == "expired"


def test_tells_a_debt(program: Program, shop: Client, alice: Customer) -> None:
    kind = definitions.find(program, None)
    kind.may_go_negative = True
    kind.save(update_fields=["may_go_negative"])
    award(shop, alice, 10)
    body = {"customer_id": named(alice), "points": -25, "reason": "Typo"}
    done(shop.post("points/adjust", body), 201)
    told = explain(shop)
    assert (told["points_balance"], told["debt_points"], told["lots"]) == (-15, 15, [])


def test_tells_the_arithmetic_of_the_tier(program: Program, shop: Client, alice: Customer) -> None:
    TierScheme.objects.filter(program=program).update(basis="rolling", window_months=12)
    rules.publish(program=program, by="test")
    program.refresh_from_db()
    award(shop, alice, 600)
    tier = explain(shop)["tier"]
    assert (tier["name"], tier["basis"], tier["points"], tier["min_points"]) == ("Silver", "rolling", 600, 500)
    assert (tier["next"], tier["points_to_next"]) == ("Gold", 1500 - 600)
    assert [row["points"] for row in tier["counted"]] == [600]
    assert tier["until"] is not None
    assert sum(Decimal(row["points"]) for row in tier["counted"]) == tier["points"]


def test_tells_no_months_where_all_counts(shop: Client, alice: Customer) -> None:
    award(shop, alice, 600)
    tier = explain(shop)["tier"]
    assert (tier["basis"], tier["points"], tier["counted"], tier["until"]) == ("lifetime", 600, [], None)


def test_tells_of_at_most_a_hundred_lots(program: Program, shop: Client, alice: Customer) -> None:
    account, now = till_of(program, alice).account, datetime.datetime.now(datetime.UTC)
    ledger.post_many([posting(account, "award", 1, at=now) for _ in range(101)])
    told = explain(shop)
    assert (len(told["lots"]), told["has_more_lots"], told["points_balance"]) == (100, True, 101)


def test_tells_of_who_has_nothing(shop: Client, alice: Customer) -> None:
    told = explain(shop)
    assert (told["points_balance"], told["lots"], told["holds"], told["expiring"]) == (0, [], [], [])
    assert told["tier"]["name"] == "Bronze"


def test_refuses_what_is_not_there(program: Program, shop: Client, stranger: Client, alice: Customer) -> None:
    refused(shop.get("customers/nobody/explain"), 404, "customer_not_found")
    refused(stranger.get(f"customers/{named(alice)}/explain"), 404, "customer_not_found")
    refused(shop.get("customers/customer-77/explain", definition="gems"), 400, "parameter_invalid", "definition")
    refused(Client(program, scopes=[Scope.LOYALTY_READ]).get("customers/customer-77/explain"), 403, "forbidden")
