"""A till for tests: calls the shop face as a shop would."""

from typing import Any

from cards.models import Card
from loyalty import api_keys
from loyalty.models import Program
from tests.api.management.description import DescribedClient


class ShopTill:
    """Posts on one card with a key of its programme, in one language."""

    def __init__(self, program: Program, card: Card, *, locale: str = "en", **limits: Any) -> None:
        """Take what the key is limited to; without a word it has all scopes."""
        self.program = program
        self.card = card
        self.locale = locale
        key, secret = api_keys.generate(program=program, name="till", **limits)
        self.client = DescribedClient(raise_request_exception=False)
        self.client.credentials(HTTP_X_API_KEY=key.key_id, HTTP_X_API_SECRET=secret)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/{self.locale}/shop/{path}", query)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
        return self.client.post(f"/{self.locale}/shop/{path}", body, format="json", **headers)

    def award(self, points: Any, **more: Any) -> Any:
        return self.post("points/award", self.body(points, transaction_type="manual") | more)

    def redeem(self, points: Any, *, key: str | None = None, **more: Any) -> Any:
        return self.post("points", self.body(points, redemption_type="free_product") | more, key=key)

    def history(self, **query: Any) -> Any:
        return data(self.get("points", card_id=self.card.serial, **query))

    @property
    def balance(self) -> Any:
        return data(self.get(f"points/card/{self.card.serial}/balance"))["balance"]["current_points"]

    def body(self, points: Any, **more: Any) -> dict[str, Any]:
        return {"card_id": self.card.serial, "points": points} | more


def data(response: Any, status: int | None = None) -> Any:
    """This will answer what a success says."""
    body = response.json()
    assert body["success"] is True, body
    assert status in (None, response.status_code)
    assert body["message"]
    return body["data"]


def error(response: Any, status: int, code: str) -> dict[str, list[str]]:
    """This will answer the faults of a refusal by field; it must have that status and code."""
    body = response.json()
    assert (response.status_code, body.get("code")) == (status, code), body
    assert body["success"] is False
    assert {"success", "message", "code", "errors"} <= set(body)
    assert body["message"]
    return body["errors"]
