"""A till for tests: calls the management face as a shop would, and sees whether anything moved."""

import contextlib
from collections.abc import Iterator
from typing import Any

from cards.models import Card, Customer
from loyalty import api_keys, ids
from loyalty.models import Program
from points.models import LotUse, PointAccount, PointLot, PointTransaction
from tests.api.management.description import DescribedClient


class Till:
    """Posts on one card with a key of its programme."""

    def __init__(self, program: Program, card: Card, **limits: Any) -> None:
        """Take what the key is limited to; without a word it has all scopes."""
        self.program = program
        self.card = card
        key, secret = api_keys.generate(program=program, name="till", **limits)
        self.client = DescribedClient(raise_request_exception=False)
        self.client.credentials(HTTP_X_API_KEY=key.key_id, HTTP_X_API_SECRET=secret)

    @property
    def card_id(self) -> str:
        return ids.public("card", self.card.pk)

    @property
    def customer_id(self) -> str:
        return ids.public("cus", self.card.customer_id)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
        return self.client.post(f"/api/{path}", body, format="json", **headers)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/{path}", query)

    def award(self, points: Any, *, key: str | None = None, **more: Any) -> Any:
        return self.post("points/award", self.body(points, **more), key=key)

    def redeem(self, points: Any, *, key: str | None = None, **more: Any) -> Any:
        return self.post("points/redeem", self.body(points, **more), key=key)

    def adjust(self, points: Any, *, key: str | None = None, **more: Any) -> Any:
        return self.post("points/adjust", self.body(points, **more), key=key)

    def reverse(self, transaction_id: str, *, key: str | None = None, **more: Any) -> Any:
        return self.post("points/reverse", {"transaction_id": transaction_id, "reason": "Returned"} | more, key=key)

    def expire(self, *, key: str | None = None, **more: Any) -> Any:
        return self.post("points/expire", {"card_id": self.card_id} | more, key=key)

    def bulk(self, *items: Any, key: str | None = None, **more: Any) -> Any:
        return self.post("points/bulk", {"transactions": list(items)} | more, key=key)

    def item(self, kind: str, points: Any, **more: Any) -> dict[str, Any]:
        return {"type": kind} | self.body(points, **more)

    @property
    def balance(self) -> Any:
        return data(self.get(f"points/balance/{self.card_id}"))["current_balance"]

    def body(self, points: Any, **more: Any) -> dict[str, Any]:
        return {"card_id": self.card_id, "points": points, "reason": "Order reward"} | more


def data(response: Any, status: int | None = None) -> Any:
    """This will answer what a success says."""
    body = response.json()
    assert body["success"] is True, body
    assert status in (None, response.status_code)
    return body["data"]


def error(response: Any, status: int, code: str) -> dict[str, Any]:
    """This will answer the facts of a refusal, which must have that status and code."""
    body = response.json()
    assert (response.status_code, body.get("error", {}).get("code")) == (status, code), body
    assert body["success"] is False
    assert set(body) == {"success", "error"}
    assert body["error"]["message"]
    return {name: fact for name, fact in body["error"].items() if name not in ("code", "message")}


@contextlib.contextmanager
def nothing_moves(program: Program) -> Iterator[None]:
    """This will fail where what happens inside changes any row of the programme's points, cards and customers."""
    before = _rows(program)
    yield
    assert _rows(program) == before


def _rows(program: Program) -> list[list[Any]]:
    mine = {"program": program}
    return [
        # An account without an entry is as good as none: a refused first posting leaves one.
        list(PointAccount.objects.filter(version__gt=0, **mine).order_by("id").values_list("id", "balance", "pending")),
        list(PointLot.objects.filter(**mine).order_by("id").values_list("id", "remaining")),
        list(PointTransaction.objects.filter(**mine).order_by("id").values_list("id")),
        list(LotUse.objects.filter(account__program=program).order_by("entry_id", "position").values_list("points")),
        list(Card.objects.filter(**mine).order_by("id").values()),
        list(Customer.objects.filter(**mine).order_by("id").values()),
    ]
