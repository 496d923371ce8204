"""The path decides the language of `message` and of the texts in `errors`; nothing else does."""

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from loyalty.api import refusals
from points.ledger import InsufficientPoints
from tests.api.management.till import Till
from tests.api.management.till import error as management_error
from tests.api.shop.till import ShopTill, data, error


def test_answers_in_the_language_of_the_path(till: ShopTill, kasa: ShopTill) -> None:
    data(till.award(100), 201)
    for shop, language, message in (
        (till, "en", "Points redeemed successfully"),
        (kasa, "lt", "Taškai panaudoti sėkmingai"),
    ):
        answer = shop.redeem(10)
        assert answer.json()["message"] == message
        assert answer.headers["Content-Language"] == language


def test_words_a_refusal_in_the_language_of_the_path(till: ShopTill, kasa: ShopTill) -> None:
    body = {"card_id": True, "points": 0, "redemption_type": "gift", "description": "x" * 256}
    english, lithuanian = till.post("points", body), kasa.post("points", body)
    assert english.json() == {
        "success": False,
        "message": "The request is not valid.",
        "code": "VALIDATION_ERROR",
        "errors": {
            "card_id": ["Must be a whole number above zero."],
            "points": ["Points must be above zero."],
            "redemption_type": ["Not one of the choices."],
            "description": ["At most 255 characters."],
        },
    }
    assert lithuanian.json() == {
        "success": False,
        "message": "Užklausa netinkama.",
        "code": "VALIDATION_ERROR",
        "errors": {
            "card_id": ["Turi būti sveikasis skaičius, didesnis už nulį."],
            "points": ["Taškų turi būti daugiau už nulį."],
            "redemption_type": ["Tokio pasirinkimo nėra."],
            "description": ["Daugiausia 255 simboliai."],
        },
    }
    assert (english.headers["Content-Language"], lithuanian.headers["Content-Language"]) == ("en", "lt")


@pytest.mark.parametrize(
    ("body", "english", "lithuanian"),
    [
        (b'{"a":\n x}', "Not valid JSON: line 2, column 2.", "Netinkamas JSON: 2 eilutė, 2 stulpelis."),
        (b"{} {}", "Not valid JSON: line 1, column 4.", "Netinkamas JSON: 1 eilutė, 4 stulpelis."),
        (b'"\xff"', "Not UTF-8.", "Ne UTF-8."),
        (
            b'{"description": "\\u0000"}',
            "Text must not hold a NUL character or half a surrogate pair.",
            "Tekste negali būti NUL simbolio ar pusės surogatinės poros.",
        ),
        (b"1e99999999999999999999", "Holds a number that cannot be read.", "Yra skaičius, kurio negalima perskaityti."),
    ],
)
def test_says_where_a_body_is_no_json(
    till: ShopTill, kasa: ShopTill, body: bytes, english: str, lithuanian: str
) -> None:
    for shop, text in ((till, english), (kasa, lithuanian)):
        answer = shop.client.post(f"/{shop.locale}/shop/points", body, content_type="application/json")
        assert (answer.status_code, answer.json()["errors"]) == (400, {"body": [text]})


def test_tells_its_own_reasons_in_the_language_of_who_asks_and_no_others(till: ShopTill, kasa: ShopTill) -> None:
    kasa.award(10, description="Loyalty cards")
    till.award(10)
    kasa.redeem(10)
    told = [[row["description"] for row in shop.history()["data"]] for shop in (till, kasa)]
    assert told == [
        ["Points redeemed", "Manual", "Loyalty cards"],
        ["Panaudoti taškai", "Rankinis įrašas", "Loyalty cards"],
    ]


@pytest.mark.parametrize(
    ("asked", "balance", "text"),
    [
        ("150", "1", "Prašyta: 150 taškų. Yra: 1 taškas."),
        ("21", "2", "Prašyta: 21 taškas. Yra: 2 taškai."),
        ("11", "0", "Prašyta: 11 taškų. Yra: 0 taškų."),
        ("1.5", "-3", "Prašyta: 1,5 taško. Yra: -3 taškai."),
    ],
)
def test_counts_points_as_lithuanian_does(asked: str, balance: str, text: str) -> None:
    with translation.override("lt"):
        refusal = InsufficientPoints(current_balance=Decimal(balance), requested_points=Decimal(asked))
        assert refusals.shop(refusal)[1]["errors"] == {"points": [text]}


@pytest.mark.parametrize(
    ("amount", "text"), [("1", "1 point"), ("0", "0 points"), ("1.50", "1.5 points"), ("1000", "1000 points")]
)
def test_counts_points_as_english_does(amount: str, text: str) -> None:
    assert refusals.points(Decimal(amount)) == text


@pytest.mark.parametrize("locale", ["de", "EN", "lt-LT", "ltx", "%00", "xx"])
@pytest.mark.parametrize("path", ["system/health", "points", "nothing"])
def test_knows_no_other_language(till: ShopTill, locale: str, path: str) -> None:
    answer = till.client.get(f"/{locale}/shop/{path}")
    assert error(answer, 404, "NOT_FOUND") == {}
    assert answer.headers["Content-Language"] == "en"


def test_asks_nobody_else_for_the_language(kasa: ShopTill) -> None:
    answer = kasa.client.get("/lt/shop/system/health", HTTP_ACCEPT_LANGUAGE="en")
    assert answer.json()["message"] == "Paslauga veikia."


def test_forgets_the_language_with_the_request(till: ShopTill, kasa: ShopTill) -> None:
    for path in ("points", "nothing"):
        kasa.post(path, {})
        assert translation.get_language() == "en"
    management = Till(till.program, till.card)
    facts = management_error(management.post("points/award", {"card_id": "x"}), 400, "INVALID_PARAMETERS")
    assert facts["errors"]["points"] == ["This field is required."]
    answer = management.get("points/balance/nobody")
    assert answer.json()["error"]["message"] == "There is no such card."
    assert "Content-Language" not in answer.headers


def test_speaks_two_languages_at_once(till: ShopTill, kasa: ShopTill) -> None:
    heard: dict[str, set[str]] = {"en": set(), "lt": set()}

    def ask(shop: ShopTill) -> None:
        for _ in range(20):
            heard[shop.locale].add(shop.get("nothing").json()["message"])

    threads = [threading.Thread(target=ask, args=[shop]) for shop in (till, kasa) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"en": {"There is nothing here."}, "lt": {"Čia nieko nėra."}}


def test_replays_in_the_language_of_the_first_call(kasa: ShopTill, till: ShopTill) -> None:
    data(till.award(100), 201)
    first = kasa.redeem(10, key="k1")
    again = kasa.redeem(10, key="k1")
    assert again.content == first.content
    assert again.json()["message"] == "Taškai panaudoti sėkmingai"
    assert (again.headers["Idempotent-Replayed"], again.headers["Content-Language"]) == ("true", "lt")
    # Another language is another path, so another request.
    error(till.redeem(10, key="k1"), 422, "IDEMPOTENCY_KEY_REUSED")
    assert till.balance == 100 - 10


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("points", {}),
        ("points", {"card_id": None, "points": None, "redemption_type": None}),
        ("points", {"card_id": 1, "points": Decimal("1e20"), "redemption_type": "voucher", "purchase_amount": 0.001}),
        ("points", {"card_id": 1, "points": 1, "redemption_type": "purchase_discount", "metadata": {"x": "y" * 2000}}),
        ("points", {"card_id": 10**14, "points": 1, "redemption_type": "voucher"}),
        ("points/award", {}),
        ("points/award", {"card_id": 1, "transaction_type": "purchase", "purchase_amount": "x", "metadata": []}),
        ("points/preview", {"card_id": 1, "transaction_type": "activity", "activity": 7}),
        ("transactions/create", {}),
        ("transactions/create", {"order_id": "1", "user_email": "x", "order_total": -1, "currency": "euro"}),
        ("transactions/create", {"order_id": "1", "user_id": 1, "order_total": 1, "cart_items": "x"}),
        ("transactions/create", {"order_id": "1", "user_id": 1, "order_total": 1, "cart_items": [{}] * 501}),
        ("transactions/create", {"order_id": "1", "user_id": 1, "order_total": 1, "cart_items": [7]}),
        ("auth/token", {}),
        ("auth/token", {"user_id": 1, "user_email": "x@example.com"}),
    ],
)
def test_has_no_word_in_common(till: ShopTill, kasa: ShopTill, path: str, body: dict[str, Any]) -> None:
    english, lithuanian = till.post(path, body).json(), kasa.post(path, body).json()
    assert english["code"] == lithuanian["code"]
    assert english["errors"].keys() == lithuanian["errors"].keys()
    assert english["message"] != lithuanian["message"]
    for field, texts in english["errors"].items():
        assert not set(texts) & set(lithuanian["errors"][field]), field
