"""Another system for tests: calls the accounts face under ids of its own, as a shop's back office would."""

import uuid
from typing import Any

from django.db import connections, transaction

from cards.models import Customer
from loyalty import api_keys
from loyalty.models import Program
from points.models import AccountRef, PointAccount, PointDefinition
from points.verify import verify
from tests.api.management.description import DescribedClient


class System:
    """Posts on the account that one contact has of one definition."""

    def __init__(self, program: Program, contact: Customer, definition: PointDefinition, **limits: Any) -> None:
        """Take what the key is limited to; without a word it has all scopes."""
        self.program = program
        self.contact = contact
        self.definition = definition
        self.account = AccountRef(program=program, definition=definition, customer_id=contact.pk)
        _, self.secret = api_keys.generate(program=program, name="system", **limits)
        self.client = DescribedClient(raise_request_exception=False)
        self.client.credentials(HTTP_APIKEY=self.secret)

    @property
    def account_id(self) -> str:
        return str(self.account.id)

    @property
    def contact_id(self) -> str:
        return str(self.contact.pk)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v3/{path}", query)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
        return self.client.post(f"/api/v3/{path}", body, format="json", **headers)

    def open(self) -> Any:
        """This will make the account."""
        return self.post("point-accounts", {"contactId": self.contact_id, "definitionId": self.definition.number})

    def body(self, kind: str, amount: Any, **more: Any) -> dict[str, Any]:
        return {
            "accountId": self.account_id,
            "transactionId": str(uuid.uuid4()),
            "transactionType": kind,
            "amount": amount,
            "description": "@@(Bonus.Points)",
            "source": "Purchase",
        } | more

    def transact(self, kind: str, amount: Any, **more: Any) -> Any:
        return self.post("point-transactions", self.body(kind, amount, **more))

    def add(self, amount: Any, **more: Any) -> Any:
        return self.transact("Addition", amount, **more)

    def deduct(self, amount: Any, **more: Any) -> Any:
        return self.transact("Deduction", amount, **more)

    def row(self, amount: Any, **more: Any) -> dict[str, Any]:
        return {
            "contactId": self.contact_id,
            "definitionId": self.definition.number,
            "amount": amount,
            "source": "Purchase",
            "description": "Order",
        } | more

    def rows(self, *rows: Any, key: str | None = None) -> Any:
        return self.post("point-accounts/transactions", list(rows), key=key)

    def told(self) -> dict[str, Any]:
        """What the account has."""
        return done(self.get(f"point-accounts/{self.account_id}"))

    @property
    def balance(self) -> Any:
        return self.told()["balance"]

    def told_list(self, **query: Any) -> dict[str, Any]:
        return done(self.get("point-transactions", id=self.account_id, **query))

    def amounts(self, **query: Any) -> list[Any]:
        return [row["amount"] for row in self.told_list(**query)["items"]]

    def exists(self) -> bool:
        return PointAccount.objects.filter(pk=self.account.id).exists()


def done(response: Any, status: int = 200) -> Any:
    """This will answer what a success says."""
    assert response.status_code == status, response.content
    return response.json()


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """This will answer the facts of a refusal, which must have that status and code."""
    body = response.json()
    assert (response.status_code, body.get("errorCode")) == (status, code), body
    assert body["message"]
    return {name: fact for name, fact in body.items() if name not in ("errorCode", "message")}


def verified(program: Program) -> list[str]:
    """What breaks a law of the ledger."""
    with transaction.atomic(using="owner"):
        return [str(breach) for breach in verify(connections["owner"], program=program)]
