import datetime
import json
from collections import Counter
from typing import Any

import pytest
import time_machine

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program
from points.models import PointAccount
from tests.api.management.till import Till, data, nothing_moves
from tests.api.v1.client import Client, done, refused
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.threads import at_once

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)

JANE = {
    "email": "jane@example.com",
    "name": "Jane Doe",
    "phone": "+370 600 00000",
    "external_id": "customer-1",
    "locale": "lt-LT",
    "metadata": {"vip": True, "sizes": [1, 2.5]},
}


def named(customer: Customer) -> str:
    return ids.public("cus", customer.pk)


# Making


def test_makes_a_customer(shop: Client, program: Program) -> None:
    body = done(shop.post("customers", JANE), 201)
    made = program.customers.get()
    assert body == JANE | {
        "id": named(made),
        "object": "customer",
        "points_balance": 0,
        "pending_points": 0,
        "held_points": 0,
        "lifetime_points": 0,
        "tier": "Bronze",
        "cards": [],
        "created_at": made.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert {name: getattr(made, name) for name in JANE} == JANE


@pytest.mark.parametrize("body", [None, {}, dict.fromkeys(JANE), {"name": "", "phone": " ", "card": {"unknown": 1}}])
def test_needs_nothing_to_make_one(shop: Client, program: Program, body: Any) -> None:
    for _ in range(2):
        told = done(shop.post("customers", body), 201)
        nothing = {"email": None, "name": None, "phone": None, "external_id": None, "locale": None, "metadata": {}}
        assert {name: told[name] for name in nothing} == nothing
    assert program.customers.count() == 2


def test_refuses_what_is_no_json_object(shop: Client, program: Program) -> None:
    for body in (b"null", b"[]", b'"x"', b"{"):
        with nothing_moves(program):
            answer = shop.client.post("/v1/customers", body, content_type="application/json")
            refused(answer, 400, "parameter_invalid")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", ""),
        ("email", 7),
        ("email", ["jane@example.com"]),
        ("email", "a@" + "b" * 250 + ".com"),
        ("name", "x" * 201),
        ("name", 7),
        ("name", {}),
        ("phone", "1" * 51),
        ("phone", 10**30),
        ("external_id", ""),
        ("external_id", "   "),
        ("external_id", "x" * 101),
        ("external_id", 10**40),
        ("external_id", True),
        ("external_id", "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
        ("external_id", "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0-and-more"),
        ("locale", ""),
        ("locale", "e"),
        ("locale", "lt_LT"),
        ("locale", "lt-"),
        ("locale", "en\n"),
        ("locale", "sgn-Latn-001"),
        ("locale", 1),
        ("metadata", []),
        ("metadata", "{}"),
        ("metadata", {"a": "x" * 1024}),
        ("metadata", {"a": 1e400}),
    ],
)
def test_names_what_is_wrong(shop: Client, program: Program, alice: Customer, field: str, value: Any) -> None:
    body = json.dumps({field: value}).replace("Infinity", "1e400")
    with nothing_moves(program):
        for call, path in ((shop.client.post, "/v1/customers"), (shop.client.patch, f"/v1/customers/{named(alice)}")):
            refused(call(path, body, content_type="application/json"), 400, "parameter_invalid", field)


@pytest.mark.parametrize("field", ["email", "name", "phone", "external_id", "locale"])
def test_takes_no_nul(shop: Client, program: Program, alice: Customer, field: str) -> None:
    body = f'{{"{field}": "a\\u0000b"}}'
    with nothing_moves(program):
        for call, path in ((shop.client.post, "/v1/customers"), (shop.client.patch, f"/v1/customers/{named(alice)}")):
            refused(call(path, body, content_type="application/json"), 400, "parameter_invalid")


@pytest.mark.parametrize("locale", ["en", "lt-LT", "lt-lt", "fil", "es-419", "zh-Hant-TW"])
def test_takes_the_tag_of_a_language(shop: Client, locale: str) -> None:
    assert done(shop.post("customers", {"locale": locale}), 201)["locale"] == locale


@pytest.mark.parametrize("address", ["jane@example.com", "JANE@Example.COM"])
def test_makes_no_other_with_an_address_in_any_case(shop: Client, program: Program, address: str) -> None:
    done(shop.post("customers", JANE), 201)
    with nothing_moves(program):
        refused(shop.post("customers", {"email": address}), 409, "customer_exists", "email")


def test_makes_no_other_with_an_external_id(shop: Client, program: Program) -> None:
    done(shop.post("customers", JANE), 201)
    with nothing_moves(program):
        refused(shop.post("customers", {"external_id": "customer-1"}), 409, "customer_exists", "external_id")
        refused(shop.post("customers", JANE), 409, "customer_exists", "email")
    done(shop.post("customers", {"external_id": "CUSTOMER-1"}), 201)


def test_lets_another_programme_have_the_same(shop: Client, stranger: Client) -> None:
    assert done(shop.post("customers", JANE), 201)["id"] != done(stranger.post("customers", JANE), 201)["id"]


@pytest.mark.parametrize("field", ["email", "external_id"])
def test_lets_one_of_8_make_it(shop: Client, program: Program, field: str) -> None:
    addresses = ["race@example.com", "RACE@example.com"] if field == "email" else ["race", "race"]
    answers = at_once(*[lambda n=n: shop.post("customers", {field: addresses[n % 2]}) for n in range(8)])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "customer_exists", field)
    assert program.customers.count() == 1


# Once for a key


def test_answers_the_first_answer_when_replayed(shop: Client, program: Program) -> None:
    first = shop.post("customers", JANE, key="k")
    done(shop.patch(f"customers/{first.json()['id']}", {"name": "Jane Smith"}))
    again = shop.post("customers", dict(reversed(JANE.items())), key="k")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert program.customers.count() == 1


def test_refuses_a_key_that_was_used_for_something_else(shop: Client, program: Program) -> None:
    done(shop.post("customers", JANE, key="k"), 201)
    with nothing_moves(program):
        refused(shop.post("customers", {"name": "Bob"}, key="k"), 422, "idempotency_key_reused")


def test_does_not_remember_a_refusal(shop: Client, alice: Customer) -> None:
    body = {"email": alice.email}
    refused(shop.post("customers", body, key="k"), 409, "customer_exists", "email")
    done(shop.patch(f"customers/{named(alice)}", {"email": None}))
    assert "Idempotent-Replayed" not in shop.post("customers", body, key="k").headers


def test_makes_one_when_a_key_is_sent_8_times_at_once(shop: Client, program: Program) -> None:
    answers = at_once(*[lambda: shop.post("customers", {"name": "Jane"}, key="k")] * 8)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert program.customers.count() == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ä"])
def test_names_a_key_that_is_none(shop: Client, program: Program, key: str) -> None:
    with nothing_moves(program):
        refused(shop.post("customers", JANE, key=key), 400, "parameter_invalid", "Idempotency-Key")


# Telling


def test_tells_a_customer_by_either_id(shop: Client, alice: Customer) -> None:
    by_id = done(shop.get(f"customers/{named(alice)}"))
    assert (by_id["id"], by_id["email"], by_id["name"]) == (named(alice), alice.email, "Alice")
    assert done(shop.get("customers/customer-77")) == by_id


def test_takes_our_id_before_the_shops(shop: Client, program: Program, alice: Customer) -> None:
    """An external id like one of ours can only be an old one."""
    bob = CustomerFactory(program=program, external_id=named(alice))
    old = CustomerFactory(program=program, external_id="cus_" + "0" * 32)
    assert done(shop.get(f"customers/{named(alice)}"))["id"] == named(alice)
    assert done(shop.get(f"customers/{named(bob)}"))["id"] == named(bob)
    assert done(shop.get(f"customers/{old.external_id}"))["id"] == named(old)


def test_knows_no_customer_of_another(shop: Client, stranger: Client, alice: Customer) -> None:
    unknown = [named(alice), "customer-77", "cus_" + "0" * 32, "cus_", "%00", "a%00b", "x" * 300, "9" * 60, "%FF"]
    for reference in unknown:
        assert refused(stranger.get(f"customers/{reference}"), 404, "customer_not_found") == {}
        with nothing_moves(shop.program):
            refused(stranger.patch(f"customers/{reference}", {"name": "Mallory"}), 404, "customer_not_found")


def test_tells_what_the_customer_has_by_the_clock(shop: Client, program: Program, alice: Customer) -> None:
    till = Till(program, CardFactory(customer=alice))
    with time_machine.travel(NOON, tick=False) as clock:
        data(till.award(400), 201)
        data(till.award(200, valid_from=(NOON + DAY).isoformat()), 201)
        data(till.award(50, expires_at=(NOON + 2 * DAY).isoformat()), 201)
        data(till.redeem(20), 201)

        def told() -> tuple[Any, ...]:
            body = done(shop.get("customers/customer-77"))
            return body["points_balance"], body["pending_points"], body["lifetime_points"], body["tier"]

        assert told() == (400 + 50 - 20, 200, 400 + 50, "Bronze")
        clock.move_to(NOON + DAY)
        assert told() == (400 + 50 - 20 + 200, 0, 400 + 50 + 200, "Silver")
        clock.move_to(NOON + 2 * DAY)
        assert told() == (400 + 200, 0, 400 + 50 + 200, "Silver")


def test_tells_the_tier_that_other_points_decide_on(shop: Client, program: Program, alice: Customer) -> None:
    program.definitions.update(counts_for_tiers=False)
    make_definition(program, code="status", counts_for_tiers=True)
    till = Till(program, CardFactory(customer=alice))
    data(till.award(5), 201)
    data(till.award(1500, definition="status"), 201)
    body = done(shop.get("customers/customer-77"))
    assert (body["points_balance"], body["tier"]) == (5, "Gold")


def test_tells_the_cards_the_oldest_first(shop: Client, alice: Customer) -> None:
    first = CardFactory(customer=alice, expires_at=NOON)
    second = CardFactory(customer=alice, status="blocked")
    cards = done(shop.get("customers/customer-77"))["cards"]
    assert cards == [
        {
            "id": ids.public("card", card.pk),
            "number": card.number,
            "status": status,
            "expires_at": ends,
            "created_at": card.created_at.isoformat().replace("+00:00", "Z"),
        }
        for card, status, ends in ((first, "expired", "2026-03-02T12:00:00Z"), (second, "blocked", None))
    ]


# Changing


def test_changes_what_is_sent(shop: Client, alice: Customer) -> None:
    before = done(shop.get("customers/customer-77"))
    assert done(shop.patch("customers/customer-77", {})) == before
    changed = done(shop.patch("customers/customer-77", {"name": "Alice Adams", "metadata": {"a": 1}}))
    assert changed == before | {"name": "Alice Adams", "metadata": {"a": 1}}
    assert done(shop.get(f"customers/{named(alice)}")) == changed
    changed = done(shop.patch(f"customers/{named(alice)}", JANE))
    assert changed == before | JANE


def test_clears_what_is_null(shop: Client, alice: Customer) -> None:
    before = done(shop.patch(f"customers/{named(alice)}", JANE))
    cleared = done(shop.patch(f"customers/{named(alice)}", dict.fromkeys(JANE)))
    assert cleared == before | dict.fromkeys(JANE) | {"metadata": {}}
    alice.refresh_from_db()
    assert (alice.email, alice.external_id, alice.name, alice.locale) == (None, None, "", "")


def test_takes_what_the_customer_has_already(shop: Client, alice: Customer) -> None:
    assert alice.email is not None
    changed = done(shop.patch("customers/customer-77", {"email": alice.email.upper(), "external_id": "customer-77"}))
    assert changed["email"] == alice.email.upper()


def test_takes_nothing_that_another_has(shop: Client, program: Program, alice: Customer) -> None:
    bob = CustomerFactory(program=program, email="bob@example.com", external_id="bob")
    with nothing_moves(program):
        answer = shop.patch(f"customers/{named(bob)}", {"name": "Bob", "email": str(alice.email).upper()})
        refused(answer, 409, "customer_exists", "email")
        refused(shop.patch("customers/bob", {"external_id": "customer-77"}), 409, "customer_exists", "external_id")


@pytest.mark.parametrize("field", ["email", "external_id"])
def test_lets_one_of_8_take_it(shop: Client, program: Program, field: str) -> None:
    people = CustomerFactory.create_batch(8, program=program)
    value = "race@example.com"
    answers = at_once(*[lambda one=one: shop.patch(f"customers/{named(one)}", {field: value}) for one in people])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 7}
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "customer_exists", field)
    assert program.customers.filter(**{field: value}).count() == 1


def test_lets_one_make_or_take_it(shop: Client, program: Program, alice: Customer) -> None:
    for n in range(10):
        address = {"email": f"race-{n}@example.com"}
        answers = at_once(
            lambda address=address: shop.post("customers", address),
            lambda address=address: shop.patch("customers/customer-77", address),
        )
        assert sorted(answer.status_code for answer in answers) in ([200, 409], [201, 409])
        assert program.customers.filter(**address).count() == 1


# Who may


def test_needs_the_scopes(program: Program, alice: Customer) -> None:
    reader, writer = Client(program, scopes=["loyalty:read"]), Client(program, scopes=["loyalty:write"])
    with nothing_moves(program):
        for answer in (reader.post("customers", JANE), reader.patch("customers/customer-77", JANE)):
            assert refused(answer, 403, "forbidden") == {"required_permissions": ["loyalty:write"]}
    for path in ("customers", "customers/customer-77"):
        assert refused(writer.get(path), 403, "forbidden") == {"required_permissions": ["loyalty:read"]}
        done(reader.get(path))
    done(writer.post("customers", JANE), 201)


def test_opens_no_account_by_telling(shop: Client, program: Program, alice: Customer) -> None:
    done(shop.get("customers/customer-77"))
    done(shop.get("customers"))
    assert not PointAccount.objects.filter(program=program).exists()


def test_takes_a_body_up_to_1_mib(shop: Client) -> None:
    large = b'{"name": "' + b"x" * 1024 * 1024 + b'"}'
    answer = shop.client.post("/v1/customers", large, content_type="application/json")
    assert refused(answer, 413, "body_too_large") == {"maximum_size": 1024 * 1024}
    refused(shop.client.post("/v1/customers", b"{}", content_type="text/plain"), 415, "unsupported_media_type")
