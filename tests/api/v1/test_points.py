import datetime
import json
from collections import Counter
from typing import Any

import pytest
import time_machine

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program
from points import definitions
from points.models import AccountRef, PointTransaction
from tests.api.management.till import Till, data, nothing_moves
from tests.api.shop.till import ShopTill
from tests.api.v1.client import Client, done, refused
from tests.api.v3.system import System, verified
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.threads import at_once

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def named(customer: Customer) -> str:
    return ids.public("cus", customer.pk)


def body(points: Any, **more: Any) -> dict[str, Any]:
    return {"customer_id": "customer-77", "points": points, "reason": "Purchase"} | more


def award(client: Client, points: Any, *, key: str | None = None, **more: Any) -> Any:
    return client.post("points/award", body(points, **more), key=key)


def adjust(client: Client, points: Any, *, key: str | None = None, **more: Any) -> Any:
    return client.post("points/adjust", body(points, **more), key=key)


def balance(client: Client) -> Any:
    return done(client.get("customers/customer-77"))["points_balance"]


def entries(program: Program) -> int:
    return PointTransaction.objects.filter(program=program).count()


# Awarding


def test_awards_what_the_contract_says(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False):
        more = {"customer_id": named(alice), "metadata": {"order_id": "order_1", "amount": 10000}}
        told = done(award(shop, 100, reference="order_1", **more), 201)
        entry = PointTransaction.objects.get(program=shop.program)
        assert told == {
            "id": ids.public("txn", entry.pk),
            "object": "points_transaction",
            "customer_id": named(alice),
            "type": "earned",
            "points": 100,
            "balance_after": 100,
            "reason": "Purchase",
            "reference": "order_1",
            "metadata": {"order_id": "order_1", "amount": 10000},
            "expires_at": "2027-03-02T12:00:00Z",
            "created_at": "2026-03-02T12:00:00Z",
        }
        assert done(award(shop, 20), 201)["balance_after"] == balance(shop) == 100 + 20
    assert not verified(shop.program)


def test_remembers_what_nobody_sent_as_nothing(shop: Client, alice: Customer) -> None:
    told = done(award(shop, 1, reference="", metadata=None, type=None, expires_at=None, unknown=[1]), 201)
    assert (told["reference"], told["metadata"]) == (None, None)
    assert PointTransaction.objects.get(program=shop.program).source == "purchase"


@pytest.mark.parametrize(
    ("word", "on_v3", "in_shop"),
    [
        (None, "Purchase", "award"),
        ("purchase", "Purchase", "award"),
        ("bonus", "BonusPromotion", "bonus"),
        ("referral", "BonusPromotion", "bonus"),
        ("activity", "BonusPromotion", "award"),
        ("manual", "Manual", "award"),
    ],
)
def test_tells_every_face_what_an_award_was_for(
    *, shop: Client, program: Program, alice: Customer, word: str | None, on_v3: str, in_shop: str
) -> None:
    card = CardFactory(customer=alice)
    done(award(shop, 10, type=word), 201)
    assert PointTransaction.objects.get(program=program).source == (word or "purchase")
    system, till = System(program, alice, definitions.find(program, None)), ShopTill(program, card)
    assert [row["source"] for row in system.told_list()["items"]] == [on_v3]
    assert [row["transaction_type"] for row in till.history()["data"]] == [in_shop]
    for kind in ("award", "bonus"):
        assert len(till.history(transaction_type=kind)["data"]) == (kind == in_shop)


def test_lets_points_expire_on_a_day(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        for expires_at in ("2026-03-04", "2026-03-04T00:00:00Z", "2026-03-04T02:00:00+02:00"):
            assert done(award(shop, 10, expires_at=expires_at), 201)["expires_at"] == "2026-03-04T00:00:00Z"
        for expires_at in ("2026-03-02T12:00:00Z", "2020-01-01", "soon", "1500-01-01", 7):
            with nothing_moves(shop.program):
                refused(award(shop, 10, expires_at=expires_at), 400, "parameter_invalid", "expires_at")
        clock.move_to(NOON + 2 * DAY)
        assert balance(shop) == 0


def test_awards_whatever_the_cards_are(shop: Client, alice: Customer) -> None:
    CardFactory(customer=alice, status="blocked")
    done(award(shop, 10), 201)
    assert balance(shop) == 10


# Adjusting


def test_adjusts_either_way_but_not_below_zero(shop: Client, alice: Customer) -> None:
    assert done(adjust(shop, 50), 201)["type"] == "adjusted"
    told = done(adjust(shop, -20, reason="Typo"), 201)
    assert (told["points"], told["balance_after"], told["reason"]) == (-20, 50 - 20, "Typo")
    assert told["expires_at"] is None
    with nothing_moves(shop.program):
        facts = refused(adjust(shop, -31), 400, "insufficient_balance")
    assert facts == {"current_balance": 30, "requested_points": 31}
    assert done(shop.get("customers/customer-77"))["lifetime_points"] == 0


def test_adjusts_below_zero_where_the_definition_allows_it(shop: Client, program: Program, alice: Customer) -> None:
    make_definition(program, code="debt", may_go_negative=True)
    assert done(adjust(shop, -31, definition="debt"), 201)["balance_after"] == -31


# Either


@pytest.mark.parametrize("post", [award, adjust])
def test_means_the_definition_that_is_named(shop: Client, program: Program, alice: Customer, post: Any) -> None:
    make_definition(program, code="miles", decimal_places=1)
    assert done(post(shop, 7.5, definition="miles"), 201)["balance_after"] == 7.5
    assert b'"points":0.1,' in post(shop, 0.1, definition="miles").content
    assert balance(shop) == 0
    with nothing_moves(program):
        refused(post(shop, 1, definition="none"), 400, "parameter_invalid", "definition")
        refused(post(shop, 7.5), 400, "parameter_invalid", "points")


@pytest.mark.parametrize("path", ["points/award", "points/adjust"])
@pytest.mark.parametrize("field", ["customer_id", "points", "reason"])
def test_names_what_is_missing(shop: Client, alice: Customer, path: str, field: str) -> None:
    sent = body(1)
    del sent[field]
    with nothing_moves(shop.program):
        refused(shop.post(path, sent), 400, "parameter_missing", field)
        refused(shop.post(path, sent | {field: None}), 400, "parameter_invalid", field)


@pytest.mark.parametrize("path", ["points/award", "points/adjust"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", "0"),
        ("points", '"100"'),
        ("points", "true"),
        ("points", "[1]"),
        ("points", "1.5"),
        ("points", "1e-999999999"),
        ("points", "1e15"),
        ("points", "1e999999999"),
        ("points", "1" + "0" * 5000),
        ("points", "NaN"),
        ("points", "Infinity"),
        ("customer_id", "77"),
        ("customer_id", '""'),
        ("customer_id", '"' + "x" * 101 + '"'),
        ("reason", '" "'),
        ("reason", '"' + "x" * 256 + '"'),
        ("reason", "{}"),
        ("reference", '"' + "x" * 256 + '"'),
        ("reference", "1"),
        ("metadata", '{"a": "' + "x" * 1024 + '"}'),
        ("metadata", '"{}"'),
        ("metadata", '{"a": 1e400}'),
        ("definition", "1"),
        ("definition", '"' + "x" * 51 + '"'),
    ],
)
def test_names_what_is_wrong(shop: Client, alice: Customer, path: str, field: str, value: str) -> None:
    sent = json.dumps(body(1) | {field: "?"}).replace('"?"', value)
    with nothing_moves(shop.program):
        answer = shop.client.post(f"/v1/{path}", sent, content_type="application/json")
        refused(answer, 400, "parameter_invalid", field)
        assert len(answer.content) < 1000


def test_awards_nothing_below_zero(shop: Client, alice: Customer) -> None:
    with nothing_moves(shop.program):
        refused(award(shop, -1), 400, "parameter_invalid", "points")
        refused(award(shop, 1, type="gift"), 400, "parameter_invalid", "type")
        refused(award(shop, 1, type=["bonus"]), 400, "parameter_invalid", "type")


@pytest.mark.parametrize("path", ["points/award", "points/adjust"])
@pytest.mark.parametrize("field", ["customer_id", "reason", "reference", "definition"])
def test_takes_no_nul(shop: Client, alice: Customer, path: str, field: str) -> None:
    sent = json.dumps(body(1) | {field: "a\0b"})
    with nothing_moves(shop.program):
        answer = shop.client.post(f"/v1/{path}", sent, content_type="application/json")
        refused(answer, 400, "parameter_invalid")


@pytest.mark.parametrize("post", [award, adjust])
def test_knows_no_customer_of_another(shop: Client, stranger: Client, alice: Customer, post: Any) -> None:
    with nothing_moves(shop.program):
        for reference in (named(alice), "customer-77", "cus_" + "0" * 32, "nobody"):
            refused(post(stranger, 5, customer_id=reference), 404, "customer_not_found")
    assert entries(stranger.program) == 0


@pytest.mark.parametrize(
    ("post", "scope"), [(award, "points:manage"), (adjust, "points:adjust")], ids=["award", "adjust"]
)
def test_needs_the_scope(program: Program, alice: Customer, post: Any, scope: str) -> None:
    every = {"points:read", "points:manage", "points:adjust", "loyalty:write"}
    with nothing_moves(program):
        answer = post(Client(program, scopes=sorted(every - {scope})), 5)
        assert refused(answer, 403, "forbidden") == {"required_permissions": [scope]}
    done(post(Client(program, scopes=[scope]), 5), 201)


def test_counts_towards_the_limit(program: Program, alice: Customer) -> None:
    Program.objects.filter(pk=program.pk).update(transaction_limit=2)
    shop = Client(program)
    first = award(shop, 1, key="k")
    done(adjust(shop, 1), 201)
    with nothing_moves(program):
        answer = award(shop, 1)
        facts = refused(answer, 429, "rate_limited")
        assert 1 <= facts["retry_after"] <= 60
        assert answer.headers["Retry-After"] == str(facts["retry_after"])
        assert award(shop, 1, key="k").content == first.content


# Once for a key


@pytest.mark.parametrize("post", [award, adjust])
def test_answers_the_first_answer_when_replayed(shop: Client, alice: Customer, post: Any) -> None:
    first = post(shop, 30, key="k")
    done(adjust(shop, -30), 201)
    again = post(shop, 30.0, key="k")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert balance(shop) == 30 - 30


def test_replays_a_debit_that_emptied_the_account(shop: Client, alice: Customer) -> None:
    done(award(shop, 30), 201)
    first = adjust(shop, -30, key="k")
    assert adjust(shop, -30, key="k").content == first.content
    assert balance(shop) == 0


def test_refuses_a_key_that_was_used_for_something_else(shop: Client, alice: Customer) -> None:
    done(award(shop, 30, key="k"), 201)
    with nothing_moves(shop.program):
        for answer in (
            award(shop, 31, key="k"),
            award(shop, 30, key="k", reference="order_1"),
            award(shop, 30, key="k", customer_id=named(alice)),
            adjust(shop, 30, key="k"),
        ):
            refused(answer, 422, "idempotency_key_reused")


def test_lets_each_account_have_the_key(shop: Client, program: Program, alice: Customer) -> None:
    CustomerFactory(program=program, external_id="bob")
    done(award(shop, 30, key="k"), 201)
    answer = award(shop, 30, key="k", customer_id="bob")
    assert "Idempotent-Replayed" not in answer.headers
    assert entries(program) == 2


def test_does_not_remember_a_refusal(shop: Client, alice: Customer) -> None:
    refused(adjust(shop, -5, key="k"), 400, "insufficient_balance")
    done(award(shop, 5), 201)
    assert done(adjust(shop, -5, key="k"), 201)["balance_after"] == 0


def test_posts_once_when_a_key_is_sent_8_times_at_once(shop: Client, alice: Customer) -> None:
    answers = at_once(*[lambda: award(shop, 10, key="k")] * 8)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert (balance(shop), entries(shop.program)) == (10, 1)


def test_takes_the_last_points_once(shop: Client, alice: Customer) -> None:
    done(award(shop, 10), 201)
    answers = at_once(*[lambda: adjust(shop, -10)] * 8)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: 7}
    assert balance(shop) == 0
    assert not verified(shop.program)


# The same ledger


def test_is_the_account_that_the_till_and_other_systems_see(shop: Client, program: Program, alice: Customer) -> None:
    till = Till(program, CardFactory(customer=alice))
    told = done(award(shop, 30, metadata={"a": 1}), 201)
    data(till.redeem(10), 201)
    [last, first] = data(till.get(f"points/history/{till.card_id}"))["transactions"]
    assert (first["id"], first["points"], first["metadata"], first["card_id"]) == (told["id"], 30, {"a": 1}, None)
    assert last["balance_after"] == balance(shop) == 30 - 10
    account = AccountRef(program=program, definition=definitions.find(program, None), customer_id=alice.pk)
    assert System(program, alice, account.definition).balance == 20
