"""A shop and its members, who call the shop face with tokens."""

from typing import Any, NamedTuple

from cards.models import Card, Customer
from loyalty import api_keys
from loyalty.models import ApiKey, Program
from tests.api.management.conftest import make_program
from tests.api.management.description import DescribedClient
from tests.factories import CardFactory, CustomerFactory


class Shop(NamedTuple):
    """A shop's server with a key that may do everything, and two customers with a card each."""

    program: Program
    key: ApiKey
    secret: str
    alice: Card
    bob: Card

    def token(self, customer: Customer | None = None, **body: Any) -> str:
        body = body or {"user_id": serial(customer or self.alice.customer)}
        return data(self.ask(body))["token"]

    def ask(self, body: Any, *, secret: str | None = None, locale: str = "en", **headers: Any) -> Any:
        return post(f"/{locale}/shop/auth/token", body, secret or self.secret, **headers)


def make_shop() -> Shop:
    program = make_program()
    key, secret = api_keys.generate(program=program, name="web shop")
    alice, bob = (CardFactory(customer=CustomerFactory(program=program, name=name)) for name in ("Alice", "Bob"))
    return Shop(program, key, secret, alice, bob)


def serial(row: Any) -> int:
    row.refresh_from_db(fields=["serial"])
    return row.serial


def get(path: str, bearer: str, **query: Any) -> Any:
    client = DescribedClient(raise_request_exception=False)
    return client.get(path, query, HTTP_AUTHORIZATION=f"Bearer {bearer}")


def post(path: str, body: Any, bearer: str, **headers: Any) -> Any:
    client = DescribedClient(raise_request_exception=False)
    return client.post(path, body, format="json", HTTP_AUTHORIZATION=f"Bearer {bearer}", **headers)


def data(response: Any) -> Any:
    body = response.json()
    assert (response.status_code, body["success"]) == (200, True), body
    return body["data"]


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    body = response.json()
    assert (response.status_code, body.get("code")) == (status, code), body
    assert set(body) >= {"success", "message", "code", "errors"}
    assert body["success"] is False
    return body
