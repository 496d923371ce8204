"""A member reads the own cards with a token, and reaches nothing else."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from cards.models import Card
from loyalty import api_keys, ids
from loyalty.models import ApiKey, Scope
from tests.api.management.description import DescribedClient
from tests.api.management.till import Till, nothing_moves
from tests.api.shop.members import Shop, data, get, make_shop, post, refused, serial
from tests.factories import CardFactory, CustomerFactory


@pytest.fixture
def shop() -> Shop:
    return make_shop()


# Reading what is the member's own


def readings(card: Card) -> list[tuple[str, dict[str, Any]]]:
    """Every way to read of a card, and its query."""
    number, customer = serial(card), serial(card.customer)
    return [
        (f"loyalty-cards/{number}", {}),
        ("loyalty-cards/info", {"card_id": number}),
        ("loyalty-cards/info", {"card_number": card.number}),
        ("loyalty-cards/info", {"user_id": customer}),
        ("loyalty-cards/balance", {"card_id": number}),
        ("loyalty-cards/balance", {"card_number": card.number}),
        ("loyalty-cards/balance", {"user_id": customer}),
        (f"points/card/{number}/balance", {}),
        ("points", {"card_id": number}),
    ]


def test_reads_the_own_card_in_every_way(shop: Shop) -> None:
    token = shop.token()
    for path, query in readings(shop.alice):
        data(get(f"/en/shop/{path}", token, **query))


def test_reads_what_the_key_reads(shop: Shop) -> None:
    Till(shop.program, shop.alice).award(30)
    token = shop.token()
    for path, query in readings(shop.alice):
        assert get(f"/lt/shop/{path}", token, **query).json() == get(f"/lt/shop/{path}", shop.secret, **query).json()
    [entry] = data(get("/en/shop/points", token, card_id=shop.alice.serial))["data"]
    assert entry["points"] == 30


@pytest.mark.parametrize(("locale", "message"), [("en", "There is no such card."), ("lt", "Tokios kortelės nėra.")])
def test_knows_no_card_of_another(shop: Shop, locale: str, message: str) -> None:
    """Another customer's card, another programme's, and one that does not exist: all alike."""
    token = shop.token()
    for card in (shop.bob, make_shop().alice):
        for path, query in readings(card):
            told = refused(get(f"/{locale}/shop/{path}", token, **query), 404, "CARD_NOT_FOUND")
            assert told == {"success": False, "message": message, "code": "CARD_NOT_FOUND", "errors": {}}
    assert told == refused(get(f"/{locale}/shop/loyalty-cards/999999999999", token), 404, "CARD_NOT_FOUND")


def test_knows_no_card_that_is_both_the_own_and_anothers(shop: Shop) -> None:
    token = shop.token()
    for query in (
        {"card_id": serial(shop.alice), "user_id": serial(shop.bob.customer)},
        {"card_id": serial(shop.bob), "user_id": serial(shop.alice.customer)},
        {"card_number": shop.bob.number, "user_id": serial(shop.alice.customer)},
    ):
        refused(get("/en/shop/loyalty-cards/info", token, **query), 404, "CARD_NOT_FOUND")


def test_lists_the_own_cards_alone(shop: Shop) -> None:
    second = CardFactory(customer=shop.alice.customer)
    token = shop.token()
    listed = data(get("/en/shop/loyalty-cards", token))
    assert {card["id"] for card in listed} == {serial(shop.alice), serial(second)}
    assert data(get("/en/shop/loyalty-cards", token, user_id=serial(shop.bob.customer))) == []
    assert data(get("/en/shop/loyalty-cards", token, card_number=shop.bob.number)) == []


def test_lists_the_own_transactions_alone(shop: Shop) -> None:
    Till(shop.program, shop.alice).award(30)
    Till(shop.program, shop.bob).award(50)
    told = data(get("/en/shop/points", shop.token()))
    assert [entry["points"] for entry in told["data"]] == [30]
    assert (told["total"], told["summary"]["total_awarded"]) == (1, 30)


def test_finds_nothing_where_the_member_has_no_card(shop: Shop) -> None:
    customer = CustomerFactory(program=shop.program)
    token = shop.token(customer)
    assert data(get("/en/shop/loyalty-cards", token)) == []
    refused(get("/en/shop/loyalty-cards/info", token, user_id=serial(customer)), 404, "CARD_NOT_FOUND")
    assert data(get("/en/shop/points", token))["data"] == []


def test_reads_no_more_than_the_key_may(shop: Shop) -> None:
    key, secret = api_keys.generate(program=shop.program, scopes=[Scope.LOYALTY_READ])
    token = data(shop.ask({"user_id": serial(shop.alice.customer)}, secret=secret))["token"]
    number = serial(shop.alice)
    data(get(f"/en/shop/loyalty-cards/{number}", token))
    for path in (f"points/card/{number}/balance", "points"):
        told = refused(get(f"/en/shop/{path}", token), 403, "FORBIDDEN")
        assert told["required_permissions"] == ["points:read"]
    ApiKey.objects.filter(pk=key.pk).update(scopes=[])
    refused(get(f"/en/shop/loyalty-cards/{number}", token), 403, "FORBIDDEN")


def test_is_taken_from_any_address(shop: Shop) -> None:
    token = shop.token()
    ApiKey.objects.filter(pk=shop.key.pk).update(allowed_ips=["192.0.2.0/24"])
    data(get("/en/shop/loyalty-cards", token))
    refused(get("/en/shop/loyalty-cards", shop.secret), 401, "UNAUTHORIZED")


def test_leaves_every_other_credential_as_it_was(shop: Shop) -> None:
    client = DescribedClient(raise_request_exception=False)
    for headers in (
        {"HTTP_X_API_KEY": shop.key.key_id, "HTTP_X_API_SECRET": shop.secret},
        {"HTTP_X_API_KEY": shop.secret},
        {"HTTP_APIKEY": shop.secret},
        {"HTTP_AUTHORIZATION": f"bearer {shop.secret}"},
        # The secret is what every face looks at first.
        {"HTTP_X_API_KEY": shop.key.key_id, "HTTP_X_API_SECRET": shop.secret, "HTTP_AUTHORIZATION": "Bearer eyJ"},
    ):
        assert len(data(client.get("/en/shop/loyalty-cards", **headers))) == 2
    for headers in ({"HTTP_APIKEY": shop.token()}, {"HTTP_X_API_KEY": shop.token()}, {}):
        refused(client.get("/en/shop/loyalty-cards", **headers), 401, "UNAUTHORIZED")


def test_costs_one_query_and_writes_nothing(shop: Shop) -> None:
    token, number = shop.token(), serial(shop.alice)
    with CaptureQueriesContext(connection) as queries:
        data(get(f"/en/shop/loyalty-cards/{number}", token))
    asked = [query["sql"] for query in queries if not query["sql"].startswith("PREPARE")]
    assert [sql for sql in asked if "loyalty_apikey" in sql or sql.startswith("EXECUTE find_key")] == asked[:1]
    assert all(sql.startswith(("EXECUTE find_", "EXECUTE read_", "SELECT")) for sql in asked)


def test_asks_the_database_nothing_about_what_is_no_token(shop: Shop) -> None:
    forgery = shop.token()[:-1] + "!"
    with CaptureQueriesContext(connection) as queries:
        refused(get("/en/shop/loyalty-cards", forgery), 401, "UNAUTHORIZED")
    assert len(queries) == 0


# Everything else


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    described = json.loads(APIClient().get("/api/schema").content)
    return {
        (method, path): operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_is_described_where_it_is_taken() -> None:
    taken = {name for name, told in operations().items() if {"memberToken": []} in told.get("security", [])}
    assert taken == {
        ("get", "/{locale}/shop/points"),
        ("get", "/{locale}/shop/points/card/{card_id}/balance"),
        ("get", "/{locale}/shop/loyalty-cards"),
        ("get", "/{locale}/shop/loyalty-cards/info"),
        ("get", "/{locale}/shop/loyalty-cards/balance"),
        ("get", "/{locale}/shop/loyalty-cards/{card_id}"),
    }
    for name in taken:
        assert "With a member's token" in operations()[name]["description"]


def test_is_refused_by_every_other_operation(shop: Shop) -> None:
    Till(shop.program, shop.alice).award(30)
    token, number = shop.token(), serial(shop.alice)
    card_id, bodies = ids.public("card", shop.alice.pk), [{}, {"card_id": number, "points": 10}]
    called = 0
    with nothing_moves(shop.program):
        for (method, template), operation in operations().items():
            if {"memberToken": []} in operation.get("security", [{"memberToken": []}]):
                continue
            is_shop = template.startswith("/{locale}/")
            path = template.replace("{locale}", "lt").replace("{card_id}", str(number) if is_shop else card_id)
            path = path.replace("{transaction_id}", "1")
            for body in bodies:
                answer = call(method, path, body, token)
                assert answer.status_code == 401, (method, path)
                told = answer.json()
                if template.startswith("/api/v3/"):
                    assert told["errorCode"] == "Unauthorized"
                elif template.startswith("/v1/"):
                    assert (told["error"]["type"], told["error"]["code"]) == ("authentication_error", "unauthorized")
                else:
                    assert (told if is_shop else told["error"])["code"] == "UNAUTHORIZED"
                called += 1
    assert called > 50


def test_posts_nothing_under_an_idempotency_key_that_was_answered(shop: Shop) -> None:
    body = {"card_id": serial(shop.alice), "transaction_type": "manual", "points": 10}
    done = post("/en/shop/points/award", body, shop.secret, HTTP_IDEMPOTENCY_KEY="k")
    assert done.status_code == 201
    token = shop.token()
    with nothing_moves(shop.program):
        answer = post("/en/shop/points/award", body, token, HTTP_IDEMPOTENCY_KEY="k")
        refused(answer, 401, "UNAUTHORIZED")
        assert "Idempotent-Replayed" not in answer.headers


def test_takes_no_other_method_where_a_member_reads(shop: Shop) -> None:
    token = shop.token()
    for method in ("post", "put", "patch", "delete"):
        assert call(method, f"/en/shop/loyalty-cards/{serial(shop.alice)}", {}, token).status_code == 401


def call(method: str, path: str, body: Any, bearer: str) -> Any:
    client = APIClient(raise_request_exception=False)
    sent = {} if method == "get" else {"data": body, "format": "json"}
    return getattr(client, method)(path, **sent, HTTP_AUTHORIZATION=f"Bearer {bearer}")
