"""/v1/rewards: making, telling, changing and listing what customers get for points."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from loyalty import ids
from loyalty.models import Program, Scope
from rewards.models import Reward
from tests.api.management.till import nothing_moves
from tests.api.v1.client import Client, done, refused
from tests.factories import make_definition
from tests.points.threads import at_once
from tests.points.till import some_id

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
COFFEE = {"name": "Coffee", "points_cost": 200}


def make(shop: Client, *, key: str | None = None, **said: Any) -> Any:
    return shop.post("rewards", COFFEE | said, key=key)


def made(shop: Client, **said: Any) -> dict[str, Any]:
    return done(make(shop, **said), 201)


def count(program: Program) -> int:
    return Reward.objects.filter(program=program).count()


def test_makes_what_the_contract_says(shop: Client) -> None:
    told = made(
        shop,
        description="A large one",
        category="drinks",
        discount_amount=5.5,
        stock=25,
        per_customer_limit=2,
        valid_from="2026-01-01T12:00:00+02:00",
        valid_to="2026-12-31",
        code_valid_days=30,
        on_expiry="returned",
        min_tier="silver",
        active=False,
    )
    reward = Reward.objects.get(program=shop.program)
    assert told == {
        "id": ids.public("rwd", reward.pk),
        "object": "reward",
        "name": "Coffee",
        "description": "A large one",
        "category": "drinks",
        "points_cost": 200,
        "definition": "points",
        "discount_amount": 5.5,
        "discount_percent": None,
        "currency": "EUR",
        "stock": 25,
        "per_customer_limit": 2,
        "valid_from": "2026-01-01T10:00:00Z",
        "valid_to": "2027-01-01T00:00:00Z",
        "code_valid_days": 30,
        "on_expiry": "returned",
        "min_tier": "silver",
        "active": False,
        "created_at": told["created_at"],
    }
    assert done(shop.get(f"rewards/{told['id']}")) == told


def test_needs_a_name_and_a_price_alone(shop: Client) -> None:
    told = made(shop, definition=None, discount_percent=None, currency=None, unknown=[1])
    wanted = ("currency", "definition", "on_expiry", "active", "stock", "description", "category", "min_tier")
    assert [told[name] for name in wanted] == ["EUR", "points", "forfeited", True, None, None, None, None]


def test_is_bought_with_the_points_that_are_named(shop: Client) -> None:
    make_definition(shop.program, code="miles", decimal_places=2)
    told = made(shop, definition="miles", points_cost=2.50, discount_percent=12.500, currency="USD")
    assert [told[name] for name in ("definition", "points_cost", "discount_percent", "currency")] == [
        *("miles", 2.5, 12.5, "USD"),
    ]
    refused(make(shop, definition="none"), 400, "parameter_invalid", "definition")


REFUSED = [
    ("name", None),
    ("name", ""),
    ("name", "x" * 101),
    ("name", 7),
    ("points_cost", 0),
    ("points_cost", -1),
    ("points_cost", 1.5),
    ("points_cost", "100"),
    ("points_cost", True),
    ("points_cost", 10**15),
    ("points_cost", None),
    ("description", "x" * 1001),
    ("category", ["drinks"]),
    ("discount_amount", 0),
    ("discount_amount", 1.005),
    ("discount_amount", 10**14),
    ("discount_amount", 10**400),
    ("discount_percent", 100.01),
    ("discount_percent", -1),
    ("currency", "euro"),
    ("stock", -1),
    ("stock", 1.5),
    ("stock", 10**9 + 1),
    ("stock", "5"),
    ("per_customer_limit", 0),
    ("per_customer_limit", 1001),
    ("valid_from", "yesterday"),
    ("valid_to", "0001-01-01"),
    ("code_valid_days", 0),
    ("code_valid_days", 32_768),
    ("on_expiry", "return"),
    ("on_expiry", None),
    ("min_tier", "copper"),
    ("min_tier", 3),
    ("active", "yes"),
    ("active", None),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_refuses_what_makes_no_sense(shop: Client, name: str, value: Any) -> None:
    refused(make(shop, **{name: value}), 400, "parameter_invalid", name)
    assert count(shop.program) == 0
    reward = made(shop)
    refused(shop.patch(f"rewards/{reward['id']}", {name: value}), 400, "parameter_invalid", name)
    assert done(shop.get(f"rewards/{reward['id']}")) == reward


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"discount_amount": 5, "discount_percent": 5}, "discount_percent"),
        ({"valid_from": "2026-03-02T12:00:00Z", "valid_to": "2026-03-02T12:00:00Z"}, "valid_to"),
    ],
)
def test_refuses_what_does_not_go_together(shop: Client, said: dict[str, Any], param: str) -> None:
    refused(make(shop, **said), 400, "parameter_invalid", param)
    # Also where one half of it is there already.
    [first, second] = said.items()
    reward = made(shop, **dict([first]))
    refused(shop.patch(f"rewards/{reward['id']}", dict([second])), 400, "parameter_invalid", param)
    assert done(shop.get(f"rewards/{reward['id']}")) == reward


def test_refuses_nul_characters(shop: Client) -> None:
    for name in ("name", "category", "min_tier"):
        refused(make(shop, **{name: "a\0b"}), 400, "parameter_invalid")
    refused(shop.get("rewards", category="a\0b"), 400, "parameter_invalid", "category")
    refused(shop.get("rewards/rwd_%00"), 404, "reward_not_found")


@pytest.mark.parametrize("name", ["name", "points_cost"])
def test_says_what_is_missing(shop: Client, name: str) -> None:
    body = {field: value for field, value in COFFEE.items() if field != name}
    refused(shop.post("rewards", body), 400, "parameter_missing", name)
    refused(shop.post("rewards", [1]), 400, "parameter_invalid")


def test_makes_one_under_a_key(shop: Client) -> None:
    answers = at_once(*[lambda: make(shop, key="reward-1")] * 6)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert count(shop.program) == 1
    refused(make(shop, key="reward-1", points_cost=300), 422, "idempotency_key_reused")


def test_changes_what_is_sent_and_clears_what_is_null(shop: Client) -> None:
    reward = made(
        shop, description="Hot", category="drinks", discount_amount=5, stock=3, min_tier="gold", currency="USD"
    )
    path = f"rewards/{reward['id']}"
    changed = done(shop.patch(path, {"points_cost": 250, "stock": 9, "active": False, "definition": "other"}))
    assert changed == reward | {"points_cost": 250, "stock": 9, "active": False}
    cleared = dict.fromkeys(("description", "category", "discount_amount", "stock", "min_tier"))
    changed = done(shop.patch(path, cleared | {"discount_percent": 10, "currency": None}))
    assert changed == reward | cleared | {
        "points_cost": 250,
        "active": False,
        "discount_percent": 10,
        "currency": "EUR",
    }
    assert done(shop.patch(path, {})) == done(shop.get(path)) == changed


def test_reads_a_bare_date_by_the_programmes_clocks(shop: Client) -> None:
    shop.program.timezone = "Europe/Vilnius"
    shop.program.save(update_fields=["timezone"])
    told = made(shop, valid_from="2026-07-01", valid_to="2026-07-31")
    assert (told["valid_from"], told["valid_to"]) == ("2026-06-30T21:00:00Z", "2026-07-31T21:00:00Z")


def test_does_not_find_what_is_not_there(shop: Client, stranger: Client) -> None:
    reward = made(shop)
    for client, name in [
        (stranger, reward["id"]),
        (shop, ids.public("rwd", some_id())),
        (shop, reward["id"].replace("rwd", "red")),
        (shop, "none"),
        (shop, reward["id"].upper()),
    ]:
        refused(client.get(f"rewards/{name}"), 404, "reward_not_found")
        refused(client.patch(f"rewards/{name}", {"name": "Mine"}), 404, "reward_not_found")
    assert done(shop.get(f"rewards/{reward['id']}")) == reward
    assert done(stranger.get("rewards"))["data"] == []


def test_needs_its_scopes(program: Program, shop: Client) -> None:
    reader = Client(program, scopes=[Scope.POINTS_READ, Scope.POINTS_MANAGE])
    manager = Client(program, scopes=[Scope.REWARDS_MANAGE])
    path = f"rewards/{made(manager)['id']}"
    for answer in (make(reader), reader.patch(path, {"stock": 1})):
        assert refused(answer, 403, "forbidden") == {"required_permissions": ["rewards:manage"]}
    for answer in (manager.get(path), manager.get("rewards")):
        assert refused(answer, 403, "forbidden") == {"required_permissions": ["points:read"]}
    assert done(reader.get(path)) == done(reader.get("rewards"))["data"][0]
    assert count(program) == 1


# Lists


def names(page: dict[str, Any]) -> list[str]:
    return [reward["name"] for reward in page["data"]]


def test_lists_the_newest_first_in_pages_both_ways(shop: Client) -> None:
    for n in range(7):
        made(shop, name=f"R{n}")
    first = done(shop.get("rewards", limit=3))
    assert (first["object"], names(first), first["has_more"]) == ("list", ["R6", "R5", "R4"], True)
    # One that is made meanwhile comes before all of them.
    made(shop, name="R7")
    second = done(shop.get("rewards", limit=3, starting_after=first["data"][-1]["id"]))
    third = done(shop.get("rewards", limit=3, starting_after=second["data"][-1]["id"]))
    assert (names(second), names(third), third["has_more"]) == (["R3", "R2", "R1"], ["R0"], False)
    back = done(shop.get("rewards", limit=3, ending_before=third["data"][0]["id"]))
    assert (names(back), back["has_more"]) == (names(second), True)
    back = done(shop.get("rewards", limit=9, ending_before=second["data"][0]["id"]))
    assert (names(back), back["has_more"]) == (["R7", "R6", "R5", "R4"], False)


def test_lists_those_that_are_asked_for(shop: Client) -> None:
    for n, (category, is_active) in enumerate([("drinks", True), ("drinks", False), ("books", True), (None, False)]):
        made(shop, name=f"R{n}", category=category, active=is_active)
    assert names(done(shop.get("rewards", active="true"))) == ["R2", "R0"]
    assert names(done(shop.get("rewards", active="false"))) == ["R3", "R1"]
    assert names(done(shop.get("rewards", category="drinks"))) == ["R1", "R0"]
    assert names(done(shop.get("rewards", category="drinks", active="true", limit=1))) == ["R0"]
    assert names(done(shop.get("rewards", category="toys"))) == []
    assert names(done(shop.get("rewards", active="", category=""))) == ["R3", "R2", "R1", "R0"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"active": "yes"}, "active"),
        ({"category": "x" * 51}, "category"),
        ({"limit": "0"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"starting_after": "rwd_" + "0" * 32}, "starting_after"),
        ({"starting_after": "none"}, "starting_after"),
        ({"starting_after": "x", "ending_before": "x"}, "ending_before"),
    ],
)
def test_refuses_a_query_that_makes_no_sense(shop: Client, query: dict[str, str], param: str) -> None:
    made(shop)
    refused(shop.get("rewards", **query), 400, "parameter_invalid", param)


def test_goes_on_from_no_reward_of_others(shop: Client, stranger: Client) -> None:
    theirs = made(stranger)
    refused(shop.get("rewards", starting_after=theirs["id"]), 400, "parameter_invalid", "starting_after")


def test_makes_rewards_that_move_no_points(shop: Client) -> None:
    with nothing_moves(shop.program), time_machine.travel(NOON, tick=False):
        assert made(shop, points_cost=999_999_999_999_999)["points_cost"] == Decimal(999_999_999_999_999)
