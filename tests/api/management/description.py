"""The OpenAPI description as a test's witness: what it says of an answer, the answer must be."""

import functools
import json
import re
from typing import Any

import jsonschema
from django.http.response import HttpResponseBase
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient


class DescribedClient(APIClient):
    """A client that takes no answer which the description does not describe."""

    def generic(self, method: str, path: str, *args: Any, **extra: Any) -> Any:
        response = super().generic(method, path, *args, **extra)
        check(method, path.partition("?")[0], response)
        return response


def check(method: str, path: str, response: HttpResponseBase) -> None:
    """This will fail where the description does not know the status of an answer on a known path, or its shape."""
    assert response.headers["X-Request-Id"]
    operation = _operation(method.lower(), path)
    if operation is None:
        return
    described = operation["responses"].get(str(response.status_code))
    assert described is not None, f"{method} {path} answers {response.status_code}, which is not described"
    if "content" not in described:
        assert not response.content, f"{method} {path} {response.status_code} says something, which is not described"
        return
    media_type = response.headers["Content-Type"].partition(";")[0]
    schema = described["content"][media_type]["schema"]
    if media_type == "application/json":
        validator = jsonschema.Draft202012Validator({**schema, "components": _description()["components"]})
        faults = [fault.message for fault in validator.iter_errors(json.loads(response.content))]
        assert not faults, f"{method} {path} {response.status_code}: {faults[0]}"


def _operation(method: str, path: str) -> dict[str, Any] | None:
    # A path that is written out goes before one with a name to fill in.
    for template, operations in sorted(_description()["paths"].items(), key=lambda known: known[0].count("{")):
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) and method in operations:
            return operations[method]
    return None


@functools.cache
def _description() -> dict[str, Any]:
    return _in_json_schema(json.loads(json.dumps(SchemaGenerator().get_schema(public=True))))


def _in_json_schema(schema: Any) -> Any:
    """This will say `nullable` of OpenAPI 3.0 as JSON Schema does."""
    if isinstance(schema, list):
        return [_in_json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _in_json_schema(value) for name, value in schema.items() if name != "nullable"}
    if isinstance(plain.get("exclusiveMinimum"), bool):
        plain["exclusiveMinimum"] = plain.pop("minimum")
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
