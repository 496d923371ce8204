"""A client for tests: calls the customers face as a shop's own system would."""

from typing import Any

from loyalty import api_keys
from loyalty.models import Program
from tests.api.management.description import DescribedClient


class Client:
    """Calls with a key of its programme."""

    def __init__(self, program: Program, **limits: Any) -> None:
        """Take what the key is limited to; without a word it has all scopes."""
        self.program = program
        _, self.secret = api_keys.generate(program=program, name="system", **limits)
        self.client = DescribedClient(raise_request_exception=False)
        self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {self.secret}")

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/v1/{path}", query)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
        return self.client.post(f"/v1/{path}", body, format="json", **headers)

    def patch(self, path: str, body: Any) -> Any:
        return self.client.patch(f"/v1/{path}", body, format="json")

    def delete(self, path: str) -> Any:
        return self.client.delete(f"/v1/{path}")


def done(response: Any, status: int = 200) -> Any:
    """This will answer what a success says; None where it has nothing to say."""
    assert response.status_code == status, response.content
    return response.json() if response.content else None


def refused(response: Any, status: int, code: str, param: str | None = None) -> dict[str, Any]:
    """This will answer the facts of a refusal, which must have that status, code and parameter."""
    body = response.json()
    assert set(body) == {"error"}, body
    error = body["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, code, param), body
    assert error["type"] == TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    assert error["message"]
    return {name: fact for name, fact in error.items() if name not in ("type", "code", "message", "param")}


TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
