"""Every refusal leaves in the shape of the face, whoever finds the fault."""

from typing import Any

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from cards.models import Card
from loyalty import api_keys
from loyalty.models import Program
from points import statements
from tests.api.management.till import nothing_moves
from tests.api.shop.till import ShopTill, data, error

HUGE = 10**400


def raw(till: ShopTill, body: bytes | str, content_type: str = "application/json", path: str = "points") -> Any:
    return till.client.post(f"/en/shop/{path}", body, content_type=content_type)


def test_of_a_path_that_leads_nowhere(till: ShopTill) -> None:
    assert error(till.get("nothing"), 404, "NOT_FOUND") == {}
    assert error(till.client.get("/en/shop"), 404, "NOT_FOUND") == {}


def test_of_a_method_that_a_path_does_not_take(till: ShopTill) -> None:
    for method in ("put", "delete", "patch", "options"):
        answer = getattr(till.client, method)("/lt/shop/points")
        assert error(answer, 405, "METHOD_NOT_ALLOWED") == {}
        assert answer.json()["message"] == "Šis adresas tokio metodo nepriima."


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b'{"card_id": 1, "description": "\\u0000"}', b"[" * 100_000, b'{"points": 1e}', b""]
)
def test_of_a_body_that_cannot_be_read(till: ShopTill, body: bytes) -> None:
    if body == b"":
        # No body is an empty one: every field is missing.
        assert set(error(raw(till, body), 422, "VALIDATION_ERROR")) == {"card_id", "points", "redemption_type"}
        return
    assert list(error(raw(till, body), 400, "VALIDATION_ERROR")) == ["body"]


def test_of_a_nul_character_in_a_query(till: ShopTill) -> None:
    assert "card_number" in error(till.get("loyalty-cards", card_number="\0"), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("body", ["[]", "1", "null", '"x"'])
def test_of_a_body_that_is_no_object(till: ShopTill, body: str) -> None:
    error(raw(till, body), 422, "VALIDATION_ERROR")


def test_of_a_body_that_is_not_json(till: ShopTill) -> None:
    assert error(raw(till, "a=1", "application/x-www-form-urlencoded"), 415, "UNSUPPORTED_MEDIA_TYPE") == {}


def test_of_a_body_that_is_too_large(till: ShopTill) -> None:
    answer = raw(till, b'"' + b"x" * 1024 * 1024 + b'"')
    assert error(answer, 413, "BODY_TOO_LARGE") == {}
    assert answer.json()["maximum_size"] == 1024 * 1024


def test_of_missing_or_wrong_credentials(till: ShopTill) -> None:
    for headers in ({}, {"HTTP_APIKEY": "sk_live_wrong"}, {"HTTP_AUTHORIZATION": "Bearer nothing"}):
        answer = APIClient().get("/lt/shop/points", **headers)
        assert error(answer, 401, "UNAUTHORIZED") == {}
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["message"] == "API prisijungimo duomenų nėra arba jie neteisingi."


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("post", "points", "points:manage"),
        ("get", "points", "points:read"),
        ("get", "points/card/1/balance", "points:read"),
        ("get", "transactions", "points:read"),
        ("get", "loyalty-cards", "loyalty:read"),
        ("get", "loyalty-cards/1", "loyalty:read"),
        ("get", "loyalty-cards/info", "loyalty:read"),
        ("get", "loyalty-cards/balance", "points:read"),
    ],
)
def test_of_a_scope_that_the_key_lacks(shop_program: Program, alice: Card, method: str, path: str, scope: str) -> None:
    till = ShopTill(shop_program, alice, scopes=["analytics:read"])
    answer = getattr(till, method)(path)
    assert error(answer, 403, "FORBIDDEN") == {}
    assert answer.json()["required_permissions"] == [scope]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("card_id", None),
        ("card_id", "x"),
        ("card_id", 1.5),
        ("card_id", -1),
        ("card_id", 0),
        ("card_id", True),
        ("card_id", HUGE),
        ("card_id", "9" * 16),
        ("card_id", ["1"]),
        ("points", "10"),
        ("points", True),
        ("points", -1),
        ("points", HUGE),
        ("points", {}),
        ("redemption_type", "gift"),
        ("redemption_type", []),
        ("purchase_amount", 0),
        ("purchase_amount", 0.001),
        ("purchase_amount", True),
        ("discount_amount", HUGE),
        ("discount_amount", "x"),
        ("description", 7),
        ("description", "x" * 256),
        ("metadata", []),
        ("metadata", {"x": "y" * 1024}),
    ],
)
def test_of_a_field_that_is_wrong(till: ShopTill, name: str, value: Any) -> None:
    data(till.award(100), 201)
    with nothing_moves(till.program):
        answer = till.post("points", till.body(10, redemption_type="cashback") | {name: value})
    assert list(error(answer, 422, "VALIDATION_ERROR")) == [name]


def test_of_points_that_are_finer_than_the_definition(till: ShopTill) -> None:
    data(till.award(100), 201)
    with nothing_moves(till.program):
        faults = error(till.redeem(0.5), 422, "VALIDATION_ERROR")
    assert faults == {"points": ["These points have at most 15 digits, 0 of them decimals."]}


def test_of_a_key_that_is_none(till: ShopTill) -> None:
    assert list(error(till.redeem(1, key=""), 422, "VALIDATION_ERROR")) == ["Idempotency-Key"]


def test_of_too_few_points(till: ShopTill) -> None:
    data(till.award(100), 201)
    with nothing_moves(till.program):
        answer = till.redeem(150)
    assert answer.json() == {
        "success": False,
        "message": "There are not enough points.",
        "code": "INSUFFICIENT_POINTS",
        "errors": {"points": ["Asked for: 150 points. Available: 100 points."]},
    }
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"status": "blocked"}, "CARD_BLOCKED"),
        ({"status": "inactive"}, "CARD_INACTIVE"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "CARD_EXPIRED"),
    ],
)
def test_of_a_card_that_does_not_redeem(till: ShopTill, state: dict[str, Any], code: str) -> None:
    data(till.award(100), 201)
    Card.objects.filter(pk=till.card.pk).update(**state)
    with nothing_moves(till.program):
        answer = till.redeem(10)
    assert error(answer, 403, code) == {}
    assert set(answer.json()) == {"success", "message", "code", "errors"}
    assert till.balance == 100


def test_of_a_card_that_is_not_there(till: ShopTill, stranger: ShopTill) -> None:
    for card_id in (stranger.card.serial, str(stranger.card.serial), 10**15 - 1):
        with nothing_moves(till.program), nothing_moves(stranger.program):
            assert error(till.redeem(10, card_id=card_id), 404, "CARD_NOT_FOUND") == {}


def test_of_an_account_that_had_its_transactions_of_the_minute(till: ShopTill) -> None:
    till.program.transaction_limit = 2
    till.program.save(update_fields=["transaction_limit"])
    data(till.award(100), 201)
    data(till.redeem(1), 201)
    answer = till.redeem(1)
    assert error(answer, 429, "TRANSACTION_LIMIT_EXCEEDED") == {}
    assert 1 <= answer.json()["retry_after"] <= 60
    assert answer.headers["Retry-After"] == str(answer.json()["retry_after"])


def test_of_a_fault_that_nobody_foresaw(till: ShopTill, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise ZeroDivisionError("SELECT secret")

    monkeypatch.setattr(statements, "balance", fail)
    answer = till.client.get(f"/lt/shop/points/card/{till.card.serial}/balance")
    assert error(answer, 500, "INTERNAL_ERROR") == {}
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert answer.json()["message"] == "Įvyko klaida mūsų pusėje."
    assert b"SELECT" not in answer.content


def test_of_a_database_that_does_not_answer(till: ShopTill, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise OperationalError("timeout")

    monkeypatch.setattr(statements, "balance", fail)
    answer = till.get(f"points/card/{till.card.serial}/balance")
    assert error(answer, 503, "UNAVAILABLE") == {}
    assert answer.json()["retry_after"] == 1
    assert answer.headers["Retry-After"] == "1"


def test_needs_no_session_and_leaves_no_cookie(till: ShopTill) -> None:
    answer = till.post("validate-credentials")
    assert not answer.cookies
    assert "Vary" not in answer.headers or "Cookie" not in answer.headers["Vary"]


def test_takes_each_form_of_credentials(shop_program: Program) -> None:
    key, secret = api_keys.generate(program=shop_program)
    forms = (
        {"HTTP_X_API_KEY": key.key_id, "HTTP_X_API_SECRET": secret},
        {"HTTP_AUTHORIZATION": f"Bearer {secret}"},
        {"HTTP_APIKEY": secret},
        {"HTTP_X_API_KEY": secret},
    )
    for headers in forms:
        answer = APIClient().post("/en/shop/validate-credentials", **headers)
        told = data(answer, 200)
        assert (told["valid"], told["key_id"], told["program"]) == (True, key.key_id, "Corner Shop")
        assert "points:manage" in told["scopes"]


def test_validates_a_key_whatever_it_may_do(shop_program: Program, alice: Card) -> None:
    till = ShopTill(shop_program, alice, scopes=["webhooks:manage"])
    assert data(till.post("validate-credentials"), 200)["scopes"] == ["webhooks:manage"]


def test_tells_the_health_without_credentials() -> None:
    assert data(APIClient().get("/lt/shop/system/health"), 200) == {"status": "ok"}
