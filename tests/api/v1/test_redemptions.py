"""POST /v1/points/redeem and /v1/redemptions: codes for points, at the till and back."""

import datetime
import re
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
import time_machine

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program, Scope
from points import definitions
from points.models import PointTransaction
from rewards.models import Redemption, VoucherRule
from tests.api.management.till import Till, data, error, nothing_moves
from tests.api.v1.client import Client, done, refused
from tests.api.v1.test_points import award, balance, named
from tests.api.v1.test_rewards import made
from tests.api.v3.system import System, verified
from tests.api.v3.system import done as done_on_v3
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.threads import at_once
from tests.points.till import some_id

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def _lawful(program: Program) -> Any:
    yield
    assert verified(program) == []


def redeem(client: Client, *, key: str | None = None, **said: Any) -> Any:
    return client.post("points/redeem", {"customer_id": "customer-77"} | said, key=key)


@pytest.fixture
def reward(shop: Client, alice: Customer) -> dict[str, Any]:
    """Five euros off for 200 points, of which Alice has 500."""
    done(award(shop, 500), 201)
    return made(shop, discount_amount=5, stock=3, code_valid_days=30, on_expiry="returned")


@pytest.fixture
def code(shop: Client, reward: dict[str, Any]) -> dict[str, Any]:
    return done(redeem(shop, reward_id=reward["id"]), 201)


def stock(shop: Client, reward: dict[str, Any]) -> Any:
    return done(shop.get(f"rewards/{reward['id']}"))["stock"]


def count(program: Program) -> int:
    return Redemption.objects.filter(program=program).count()


def test_redeems_what_the_contract_says(shop: Client, alice: Customer, reward: dict[str, Any]) -> None:
    with time_machine.travel(NOON, tick=False):
        told = done(redeem(shop, customer_id=named(alice), reward_id=reward["id"], points=200), 201)
    redemption = Redemption.objects.get(program=shop.program)
    assert re.fullmatch(r"REDEEM-[2-9A-HJ-NP-Z]{6}", told["code"])
    assert told == {
        "id": ids.public("red", redemption.pk),
        "object": "redemption",
        "customer_id": named(alice),
        "reward_id": reward["id"],
        "points": 200,
        "code": told["code"],
        "discount_amount": 5,
        "discount_percent": None,
        "currency": "EUR",
        "status": "active",
        "balance_after": 300,
        "expires_at": "2026-04-01T12:00:00Z",
        "used_at": None,
        "created_at": "2026-03-02T12:00:00Z",
    }
    with time_machine.travel(NOON, tick=False):
        assert (balance(shop), stock(shop, reward)) == (300, 2)


def test_redeems_points_alone_at_the_value_of_a_point(shop: Client, reward: dict[str, Any]) -> None:
    VoucherRule.objects.create(definition=definitions.find(shop.program, None), point_value="0.015")
    told = done(redeem(shop, points=101), 201)
    wanted = ("reward_id", "points", "discount_amount", "discount_percent", "currency", "expires_at", "balance_after")
    # 1.515, lowered to the cent.
    assert [told[name] for name in wanted] == [None, 101, 1.51, None, "EUR", None, 399]


def test_tells_the_entry_by_the_code(shop: Client, alice: Customer, reward: dict[str, Any]) -> None:
    first = done(redeem(shop, reward_id=reward["id"]), 201)
    second = done(redeem(shop, points=7, reason="A present", metadata={"basket": 3}), 201)
    rows = done(shop.get("points", customer_id="customer-77"))["data"]
    told = [[row[name] for name in ("type", "points", "reason", "reference", "metadata")] for row in rows]
    assert told == [
        ["redeemed", -7, "A present", second["code"], {"basket": 3}],
        ["redeemed", -200, "Coffee", first["code"], None],
        ["earned", 500, "Purchase", None, None],
    ]
    [newest, *_] = System(shop.program, alice, definitions.find(shop.program, None)).told_list()["items"]
    assert (newest["type"], newest["source"]) == ("Deduction", "RewardVoucher")


def test_redeems_points_of_another_kind(shop: Client, reward: dict[str, Any]) -> None:
    make_definition(shop.program, code="miles", decimal_places=1)
    done(award(shop, 10.5, definition="miles"), 201)
    flight = made(shop, definition="miles", points_cost=2.5)
    assert done(redeem(shop, reward_id=flight["id"]), 201)["balance_after"] == 8
    assert done(redeem(shop, points=0.5, definition="miles"), 201)["balance_after"] == 7.5
    refused(redeem(shop, reward_id=flight["id"], definition="points"), 400, "parameter_invalid", "definition")
    refused(redeem(shop, points=1, definition="none"), 400, "parameter_invalid", "definition")
    assert balance(shop) == 500


REFUSED = [
    ({"points": 500.5}, "parameter_invalid", "points"),
    ({"points": 0}, "parameter_invalid", "points"),
    ({"points": -5}, "parameter_invalid", "points"),
    ({"points": "200"}, "parameter_invalid", "points"),
    ({"points": True}, "parameter_invalid", "points"),
    ({"points": 10**15}, "parameter_invalid", "points"),
    ({"points": 10**400}, "parameter_invalid", "points"),
    ({"points": 5, "reason": "x" * 256}, "parameter_invalid", "reason"),
    ({"points": 5, "reason": 7}, "parameter_invalid", "reason"),
    ({"points": 5, "metadata": []}, "parameter_invalid", "metadata"),
    ({"points": 5, "metadata": {"a": "x" * 1024}}, "parameter_invalid", "metadata"),
    ({"points": 5, "customer_id": 7}, "parameter_invalid", "customer_id"),
    ({"reward_id": 7}, "parameter_invalid", "reward_id"),
    ({"points": 5, "customer_id": None}, "parameter_invalid", "customer_id"),
    ({}, "parameter_missing", "points"),
    ({"points": None, "reward_id": None}, "parameter_missing", "points"),
]


@pytest.mark.parametrize(("said", "code", "param"), REFUSED)
def test_refuses_what_makes_no_sense(
    shop: Client, reward: dict[str, Any], said: dict[str, Any], code: str, param: str
) -> None:
    with nothing_moves(shop.program):
        refused(redeem(shop, **said), 400, code, param)
    assert count(shop.program) == 0


def test_says_what_is_missing(shop: Client, reward: dict[str, Any]) -> None:
    refused(shop.post("points/redeem", {"points": 5}), 400, "parameter_missing", "customer_id")
    refused(shop.post("points/redeem", [1]), 400, "parameter_invalid")
    for text in ("a\0b", "rwd_\0"):
        refused(redeem(shop, reward_id=text), 400, "parameter_invalid")
        refused(redeem(shop, points=5, reason=text), 400, "parameter_invalid")


def test_says_why_a_reward_is_not_to_be_had(shop: Client, program: Program, reward: dict[str, Any]) -> None:
    def offer(**said: Any) -> str:
        return made(shop, **{"points_cost": 100} | said)["id"]

    with nothing_moves(program):
        assert refused(redeem(shop, points=501), 400, "insufficient_balance") == {
            "current_balance": 500,
            "requested_points": 501,
        }
        refused(redeem(shop, reward_id=offer(points_cost=501)), 400, "insufficient_balance")
        refused(redeem(shop, reward_id=offer(), points=99), 400, "price_mismatch", "points")
        refused(redeem(shop, reward_id=offer(active=False)), 409, "reward_unavailable")
        refused(redeem(shop, reward_id=offer(valid_from="2999-01-01")), 409, "reward_unavailable")
        refused(redeem(shop, reward_id=offer(valid_to="2020-01-01")), 409, "reward_unavailable")
        refused(redeem(shop, reward_id=offer(stock=0)), 409, "reward_out_of_stock")
        refused(redeem(shop, reward_id=offer(min_tier="gold")), 409, "tier_required")
    assert count(program) == 0
    once = offer(per_customer_limit=1)
    done(redeem(shop, reward_id=once), 201)
    with nothing_moves(program):
        refused(redeem(shop, reward_id=once), 409, "reward_limit_reached")


def test_knows_nothing_of_other_programmes(shop: Client, stranger: Client, code: dict[str, Any]) -> None:
    theirs = CustomerFactory(program=stranger.program)
    reward = made(shop)
    with nothing_moves(shop.program), nothing_moves(stranger.program):
        refused(redeem(stranger, points=5), 404, "customer_not_found")
        refused(redeem(stranger, customer_id=named(theirs), reward_id=reward["id"]), 404, "reward_not_found")
        refused(redeem(shop, customer_id=named(theirs), points=5), 404, "customer_not_found")
        for unknown in (ids.public("rwd", some_id()), "none", code["id"]):
            refused(redeem(shop, reward_id=unknown), 404, "reward_not_found")
        for name in (code["id"], code["code"]):
            refused(stranger.get(f"redemptions/{name}"), 404, "redemption_not_found")
            refused(stranger.post(f"redemptions/{name}/use"), 404, "redemption_not_found")
            refused(stranger.post(f"redemptions/{name}/cancel"), 404, "redemption_not_found")
        for name in (ids.public("red", some_id()), "REDEEM-222222", "none", "%00", "REDEEM-%00AAAAA"):
            refused(shop.get(f"redemptions/{name}"), 404, "redemption_not_found")
            refused(shop.post(f"redemptions/{name}/use"), 404, "redemption_not_found")
    assert done(shop.get(f"redemptions/{code['id']}")) == code


def test_answers_the_first_code_under_a_key(shop: Client, reward: dict[str, Any]) -> None:
    answers = at_once(*[lambda: redeem(shop, reward_id=reward["id"], key="basket-1")] * 8)
    assert Counter(answer.status_code for answer in answers) == {201: 8}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert (count(shop.program), balance(shop), stock(shop, reward)) == (1, 300, 2)
    done(shop.patch(f"rewards/{reward['id']}", {"active": False, "points_cost": 100}))
    with nothing_moves(shop.program):
        again = redeem(shop, reward_id=reward["id"], key="basket-1")
        assert (again.content, again.headers["Idempotent-Replayed"]) == (answers[0].content, "true")
        refused(redeem(shop, points=5, key="basket-1"), 422, "idempotency_key_reused")
        # A key is the account's, whatever is posted on it.
        refused(award(shop, 5, key="basket-1"), 422, "idempotency_key_reused")


def test_is_used_once_by_id_or_code(shop: Client, reward: dict[str, Any], code: dict[str, Any]) -> None:
    other = done(redeem(shop, reward_id=reward["id"]), 201)
    with time_machine.travel(datetime.datetime.now(datetime.UTC), tick=False):
        used = done(shop.post(f"redemptions/{quote(' ' + code['code'].lower() + ' ')}/use"))
        assert used == code | {"status": "used", "used_at": used["used_at"]}
        assert used["used_at"] is not None
    for name in (code["id"], code["code"]):
        assert done(shop.get(f"redemptions/{name}")) == used
        with nothing_moves(shop.program):
            refused(shop.post(f"redemptions/{name}/use"), 409, "already_used")
            refused(shop.post(f"redemptions/{name}/cancel"), 409, "already_used")
    assert done(shop.post(f"redemptions/{other['id']}/use"))["status"] == "used"
    assert stock(shop, reward) == 1


def test_is_cancelled_once_and_gives_all_back(shop: Client, reward: dict[str, Any], code: dict[str, Any]) -> None:
    cancelled = done(shop.post(f"redemptions/{code['code']}/cancel"))
    assert cancelled == code | {"status": "cancelled"}
    assert (balance(shop), stock(shop, reward)) == (500, 3)
    [newest, *_] = done(shop.get("points", customer_id="customer-77"))["data"]
    assert [newest[name] for name in ("type", "points", "reason", "reference")] == [
        *("reversed", 200, "Code cancelled", code["code"]),
    ]
    with nothing_moves(shop.program):
        refused(shop.post(f"redemptions/{code['code']}/cancel"), 409, "redemption_cancelled")
        refused(shop.post(f"redemptions/{code['code']}/use"), 409, "redemption_cancelled")
    assert done(redeem(shop, reward_id=reward["id"]), 201)["code"] != code["code"]


@pytest.mark.parametrize(
    "look",
    [
        lambda shop: done(shop.get("customers/customer-77"))["points_balance"],
        lambda shop: done(shop.get("customers"))["data"][0]["points_balance"],
        lambda shop: done(shop.get("customers/customer-77/explain"))["points_balance"],
        lambda shop: done(shop.get("points", customer_id="customer-77"))["data"][0]["balance_after"],
        lambda shop: done(shop.post("holds", {"customer_id": "customer-77", "points": 500}), 201)["points"],
    ],
    ids=["customer", "customers", "explain", "points", "hold"],
)
def test_counts_what_came_back_when_somebody_looks(shop: Client, code: dict[str, Any], look: Any) -> None:
    with time_machine.travel(datetime.datetime.fromisoformat(code["expires_at"]), tick=False):
        assert look(shop) == 500


@pytest.mark.parametrize("verb", ["use", "cancel"])
def test_answers_the_first_end_under_a_key(shop: Client, code: dict[str, Any], verb: str) -> None:
    answers = at_once(*[lambda: shop.post(f"redemptions/{code['id']}/{verb}", key="end-1")] * 6)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    other = "cancel" if verb == "use" else "use"
    refused(shop.post(f"redemptions/{code['id']}/{other}", key="end-1"), 422, "idempotency_key_reused")
    assert balance(shop) == (300 if verb == "use" else 500)


def test_lapses_by_the_clock(shop: Client, reward: dict[str, Any], code: dict[str, Any]) -> None:
    end = datetime.datetime.fromisoformat(code["expires_at"])
    with time_machine.travel(end - datetime.timedelta(microseconds=1), tick=False):
        assert done(shop.get(f"redemptions/{code['id']}"))["status"] == "active"
    with time_machine.travel(end, tick=False):
        # With a key, too, the refusal leaves what was due.
        refused(shop.post(f"redemptions/{code['id']}/use", key="late"), 409, "redemption_expired")
        assert (balance(shop), stock(shop, reward)) == (500, 3)
        assert done(shop.get(f"redemptions/{code['id']}")) == code | {"status": "expired"}
        with nothing_moves(shop.program):
            refused(shop.post(f"redemptions/{code['id']}/cancel"), 409, "redemption_expired")


def test_is_reversed_on_no_face_but_by_cancelling(
    shop: Client, program: Program, alice: Customer, code: dict[str, Any]
) -> None:
    entry = PointTransaction.objects.get(program=program, type="redeem")
    till = Till(program, CardFactory(customer=alice))
    system = System(program, alice, definitions.find(program, None))
    with nothing_moves(program):
        error(till.reverse(ids.public("txn", entry.pk)), 409, "NOT_REVERSIBLE")
        told = system.transact("Cancellation", 200, cancels=str(entry.pk)).json()
        assert told["errorCode"] == "TransactionNotCancellable"
    [newest, *_] = data(till.get(f"points/history/{till.card_id}"))["transactions"]
    assert newest["reference"] == code["code"]
    assert done_on_v3(system.get(f"point-transactions/{entry.pk}"))["amount"] == -200


def test_is_reversed_once_it_is_used(
    shop: Client, program: Program, alice: Customer, reward: dict[str, Any], code: dict[str, Any]
) -> None:
    entry = PointTransaction.objects.get(program=program, type="redeem")
    till = Till(program, CardFactory(customer=alice))
    done(shop.post(f"redemptions/{code['code']}/use"))
    data(till.reverse(ids.public("txn", entry.pk), points=150), 201)
    assert (balance(shop), stock(shop, reward)) == (450, 2)
    error(till.reverse(ids.public("txn", entry.pk), points=51), 409, "ALREADY_REVERSED")


def test_is_reversed_no_more_once_its_points_are_back(
    shop: Client, program: Program, alice: Customer, code: dict[str, Any]
) -> None:
    entry = PointTransaction.objects.get(program=program, type="redeem")
    till = Till(program, CardFactory(customer=alice))
    with time_machine.travel(datetime.datetime.fromisoformat(code["expires_at"]), tick=False):
        error(till.reverse(ids.public("txn", entry.pk)), 409, "ALREADY_REVERSED")
        assert balance(shop) == 500


def test_goes_with_a_customer_who_is_merged(shop: Client, code: dict[str, Any]) -> None:
    anna = CustomerFactory(program=shop.program)
    done(shop.post("customers/customer-77/merge", {"into": named(anna)}))
    assert done(shop.get(f"redemptions/{code['id']}")) == code | {"customer_id": named(anna)}
    assert done(redeem(shop, points=50), 201)["customer_id"] == named(anna)
    done(shop.post(f"redemptions/{code['code']}/cancel"))
    assert done(shop.get(f"customers/{named(anna)}"))["points_balance"] == 500 - 50


def test_counts_towards_the_limit_of_an_account(shop: Client, program: Program, reward: dict[str, Any]) -> None:
    program.transaction_limit = 2
    program.save(update_fields=["transaction_limit"])
    made_first = done(redeem(shop, points=1), 201)
    answer = redeem(shop, points=1)
    assert refused(answer, 429, "rate_limited") == {"retry_after": int(answer.headers["Retry-After"])}
    refused(shop.post(f"redemptions/{made_first['id']}/cancel"), 429, "rate_limited")
    done(shop.post(f"redemptions/{made_first['id']}/use"))


def test_needs_its_scopes(program: Program, code: dict[str, Any]) -> None:
    reader = Client(program, scopes=[Scope.POINTS_READ])
    manager = Client(program, scopes=[Scope.POINTS_MANAGE])
    path = f"redemptions/{code['id']}"
    with nothing_moves(program):
        for answer in (redeem(reader, points=5), reader.post(f"{path}/use"), reader.post(f"{path}/cancel")):
            assert refused(answer, 403, "forbidden") == {"required_permissions": ["points:manage"]}
    assert refused(manager.get(path), 403, "forbidden") == {"required_permissions": ["points:read"]}
    assert done(reader.get(path)) == code
    assert done(manager.post(f"{path}/cancel"))["status"] == "cancelled"


def test_gives_the_last_one_to_one_customer(shop: Client, program: Program) -> None:
    reward = made(shop, points_cost=100, stock=2)
    people = CustomerFactory.create_batch(8, program=program)
    for one in people:
        done(award(shop, 100, customer_id=named(one)), 201)
    answers = at_once(*[lambda one=one: redeem(shop, customer_id=named(one), reward_id=reward["id"]) for one in people])
    assert Counter(answer.status_code for answer in answers) == {201: 2, 409: 6}
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "reward_out_of_stock")
    assert stock(shop, reward) == 0
