"""The clients know all that the service describes below /v1, and nothing else."""

import dataclasses
import functools
import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

from loyalty_client import records
from loyalty_client.customers import Customers, Holds, Points, Tiers, Transfers
from loyalty_client.rewards import Redemptions, Rewards

METHODS: dict[str, Callable[..., Any]] = {
    "get /v1/customers": Customers.list,
    "post /v1/customers": Customers.create,
    "get /v1/customers/{customer_id}": Customers.retrieve,
    "patch /v1/customers/{customer_id}": Customers.update,
    "delete /v1/customers/{customer_id}": Customers.erase,
    "get /v1/customers/{customer_id}/explain": Customers.explain,
    "post /v1/customers/{customer_id}/merge": Customers.merge,
    "post /v1/holds": Holds.create,
    "get /v1/holds/{hold_id}": Holds.retrieve,
    "post /v1/holds/{hold_id}/capture": Holds.capture,
    "post /v1/holds/{hold_id}/release": Holds.release,
    "get /v1/points": Points.list,
    "post /v1/points/adjust": Points.adjust,
    "post /v1/points/award": Points.award,
    "post /v1/points/redeem": Points.redeem,
    "get /v1/redemptions/{redemption_id}": Redemptions.retrieve,
    "post /v1/redemptions/{redemption_id}/cancel": Redemptions.cancel,
    "post /v1/redemptions/{redemption_id}/use": Redemptions.use,
    "get /v1/rewards": Rewards.list,
    "post /v1/rewards": Rewards.create,
    "get /v1/rewards/{reward_id}": Rewards.retrieve,
    "patch /v1/rewards/{reward_id}": Rewards.update,
    "get /v1/tiers": Tiers.list,
    "post /v1/transfers": Transfers.create,
}
# TypeScript's interfaces of what is sent, by the operation that takes it.
SENT = {
    "get /v1/customers": "CustomerQuery",
    "post /v1/customers": "CustomerFields",
    "patch /v1/customers/{customer_id}": "CustomerFields",
    "post /v1/holds": "NewHold",
    "get /v1/points": "TransactionQuery",
    "post /v1/points/adjust": "Adjustment",
    "post /v1/points/award": "Award",
    "get /v1/rewards": "RewardQuery",
    "post /v1/rewards": "NewReward",
    "patch /v1/rewards/{reward_id}": "RewardFields",
    "post /v1/transfers": "NewTransfer",
}
ANSWERED = {
    "BalanceExplanation": "Explanation",
    "Customer": "Customer",
    "CustomerCard": "Card",
    "ExplainedLot": "ExplainedLot",
    "ExplainedTier": "ExplainedTier",
    "Hold": "Hold",
    "PointsRedemption": "Redemption",
    "PointsTransaction": "PointsTransaction",
    "Reward": "Reward",
    "Tier": "Tier",
    "Transfer": "Transfer",
}


@functools.cache
def description() -> dict[str, Any]:
    return SchemaGenerator().get_schema(public=True)


def operations() -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": operation
        for path, methods in description()["paths"].items()
        # What the libraries are for: events and webhooks are followed and set up by a server, once.
        if path.startswith("/v1/") and not path.startswith(("/v1/events", "/v1/webhook-endpoints"))
        for method, operation in methods.items()
    }


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    """What an object has; of a list, what its rows have."""
    schema = schema.get("items", schema)
    (named,) = schema.get("allOf", [schema])
    return component(named["$ref"].rpartition("/")[2])


def component(name: str) -> dict[str, Any]:
    return description()["components"]["schemas"][name]["properties"]


def taken(operation: dict[str, Any]) -> set[str]:
    query = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return query | (set(properties(body)) if body else set())


def compare(kind: type[Any], told: dict[str, Any]) -> None:
    """This will fail where a record has other fields than what is told."""
    hints = typing.get_type_hints(kind)
    assert set(hints) == set(told) - {"object"}, kind
    for name, hint in hints.items():
        for nested in (hint, *typing.get_args(hint)):
            if isinstance(nested, type) and dataclasses.is_dataclass(nested):
                compare(nested, properties(told[name]))


@functools.cache
def declared(name: str) -> set[str]:
    """The fields of a TypeScript interface."""
    text = (settings.BASE_DIR / "clients" / "javascript" / "records.d.ts").read_text()
    found = re.search(rf"^export interface {name}(?: extends (\w+))? {{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    parent, body = found.groups()
    return set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE)) | (declared(parent) if parent else set())


def test_every_operation_has_a_method() -> None:
    assert set(METHODS) == set(operations())


@pytest.mark.parametrize("operation", METHODS)
def test_python_takes_what_the_service_takes(operation: str) -> None:
    parameters = inspect.signature(METHODS[operation]).parameters.values()
    named = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    assert named - {"idempotency_key"} == taken(operations()[operation])
    assert ("idempotency_key" in named) == operation.startswith("post ")


@pytest.mark.parametrize("operation", METHODS)
def test_python_reads_what_the_service_tells(operation: str) -> None:
    answer = typing.get_type_hints(METHODS[operation])["return"]
    told = next(told for status, told in operations()[operation]["responses"].items() if status.startswith("2"))
    if answer is type(None):
        assert "content" not in told
        return
    fields = properties(told["content"]["application/json"]["schema"])
    if typing.get_origin(answer) is records.Page:
        assert set(fields) - {"object"} == {"data", "has_more"}
        (answer,) = typing.get_args(answer)
        fields = properties(fields["data"])
    compare(answer, fields)


@pytest.mark.parametrize("operation", SENT)
def test_typescript_takes_what_the_service_takes(operation: str) -> None:
    assert declared(SENT[operation]) == taken(operations()[operation])


@pytest.mark.parametrize("name", ANSWERED)
def test_typescript_reads_what_the_service_tells(name: str) -> None:
    assert declared(ANSWERED[name]) == set(component(name))
