"""One request and its retries: what is sent, what is tried again and when, what an answer means."""

import datetime
import email.utils
import json
import random
import re
import secrets
import urllib.parse
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

import httpx
import tenacity

from loyalty_client import errors

API = "/v1"
# Seconds.
FIRST_WAIT = 0.25
LONGEST_BACKOFF = 8

_KEY = re.compile(r"[ -~]{1,255}")
_SECRET = re.compile(r"[!-~]+")


class Connection:
    """Sends requests to one service with one API key."""

    def __init__(
        self, *, base_url: str, secret: str, timeout: float, max_retries: int, max_retry_wait: float, http: httpx.Client
    ) -> None:
        if not _SECRET.fullmatch(secret):
            raise ValueError("secret is an API key's secret")
        self._address = _address(base_url) + API
        self._secret = secret
        self._timeout = _within("timeout", timeout, 0.001)
        self._max_retries = _within("max_retries", max_retries, 0)
        self._max_retry_wait = _within("max_retry_wait", max_retry_wait, 0)
        self._http = http

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """This will answer what is there."""
        return self._send("GET", path + _query_string(query or {}))

    def post(self, path: str, body: Mapping[str, Any], *, key: str | None) -> Any:
        """This will do something once, however often it is sent."""
        key = secrets.token_hex(16) if key is None else key
        if not _KEY.fullmatch(key):
            raise ValueError("an idempotency_key is 1 to 255 printable ASCII characters")
        return self._send("POST", path, body, key=key)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """This will change what is sent."""
        return self._send("PATCH", path, body)

    def delete(self, path: str) -> None:
        """This will delete what the path names."""
        self._send("DELETE", path)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._secret}"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body, default=_plain, allow_nan=False).encode()
        if key is not None:
            headers["Idempotency-Key"] = key
        request = self._http.build_request(
            method, self._address + path, headers=headers, content=content, timeout=self._timeout
        )
        policy = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            stop=tenacity.stop_after_attempt(self._max_retries + 1),
            wait=_wait,
            reraise=True,
        )
        try:
            return policy(self._try, request, key)
        except errors.InvalidRequestError as refusal:
            is_done = method == "DELETE" and refusal.status == httpx.codes.NOT_FOUND
            # An earlier try did it, and word of that was lost.
            if is_done and policy.statistics["attempt_number"] > 1:
                return None
            raise

    def _try(self, request: httpx.Request, key: str | None) -> Any:
        try:
            # A redirected POST would arrive as a GET.
            response = self._http.send(request, follow_redirects=False)
        except httpx.TimeoutException as failure:
            raise errors.TimedOutError("the answer did not come in time", idempotency_key=key) from failure
        except (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError) as failure:
            raise errors.ConnectionFailedError("the connection failed", idempotency_key=key) from failure
        except httpx.DecodingError as failure:
            raise errors.ApiError("the answer cannot be read", idempotency_key=key) from failure
        told = _parse(response)
        if not response.is_success:
            _refuse(response, told, key)
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        if told is None:
            raise errors.ApiError("the answer is no JSON: is base_url right?", **_facts(response, {}, key))
        return told

    def _may_pass(self, failure: BaseException) -> bool:
        if isinstance(failure, errors.ConnectionFailedError):
            return True
        if not isinstance(failure, errors.LoyaltyError) or failure.status is None:
            return False
        # Nobody stands at a till for so long.
        is_too_long = (failure.retry_after or 0) > self._max_retry_wait
        return (failure.status == httpx.codes.TOO_MANY_REQUESTS or failure.status >= 500) and not is_too_long


def segment(name: str) -> str:
    """This will write an id as a part of a path.

    Raises:
        ValueError: it would name another path.
    """
    if name in ("", ".", ".."):
        raise ValueError(f"{name!r} is no id")
    return urllib.parse.quote(name, safe="")


def _address(base_url: str) -> str:
    url = httpx.URL(base_url)
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError("base_url is http://… or https://…, with a path at most")
    return base_url.rstrip("/")


def _within(name: str, value: Any, least: float) -> Any:
    if not least <= value < float("inf"):
        raise ValueError(f"{name} is a number from {least}")
    return value


def _query_string(query: Mapping[str, Any]) -> str:
    given = {name: json.dumps(value) if isinstance(value, bool) else value for name, value in query.items()}
    return f"?{urllib.parse.urlencode(given)}" if given else ""


def _plain(value: Any) -> Any:
    """This will write what JSON has no type for."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _number(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def _number(amount: Decimal) -> int | float:
    if not amount.is_finite():
        raise ValueError(f"{amount} is no amount")
    number = int(amount) if amount == amount.to_integral_value() else float(amount)
    # What is written is the shortest text that names this float, so up to 15 digits it is the amount itself.
    if Decimal(repr(number)) != amount:
        raise ValueError(f"{amount} has too many digits")
    return number


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds. Jitter, so that those who failed together do not meet again."""
    failure = state.outcome.exception() if state.outcome else None
    jitter = random.uniform(0, FIRST_WAIT)  # noqa: S311 - nobody gains by guessing it
    if isinstance(failure, errors.LoyaltyError) and failure.retry_after is not None:
        return failure.retry_after + jitter
    backoff: float = FIRST_WAIT * 2 ** (state.attempt_number - 1)
    return min(backoff, LONGEST_BACKOFF) + jitter


def _parse(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content, parse_float=Decimal)
    except ValueError:
        return None


def _refuse(response: httpx.Response, told: Any, key: str | None) -> NoReturn:
    error = told["error"] if isinstance(told, dict) and isinstance(told.get("error"), dict) else {}
    facts = _facts(response, error, key)
    kind = errors.BY_TYPE.get(facts["type"]) or _kind(response.status_code)
    raise kind(error.get("message") or f"the answer is {response.status_code}: is base_url right?", **facts)


def _kind(status: int) -> type[errors.LoyaltyError]:
    """What a proxy answers has no type."""
    known = {401: errors.AuthenticationError, 403: errors.PermissionDeniedError, 429: errors.RateLimitError}
    usual = errors.InvalidRequestError if 400 <= status < 500 else errors.ApiError
    return known.get(status, usual)


def _facts(response: httpx.Response, error: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    told = ("type", "code", "message", "param")
    return {
        "type": error.get("type"),
        "code": error.get("code"),
        "param": error.get("param"),
        "details": {name: fact for name, fact in error.items() if name not in told},
        "status": response.status_code,
        "request_id": response.headers.get("X-Request-Id"),
        "retry_after": _retry_after(response.headers.get("Retry-After")),
        "idempotency_key": key,
    }


def _retry_after(header: str | None) -> float | None:
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        # Naive where it says -0000; a date of HTTP is UTC.
        date = email.utils.parsedate_to_datetime(header).replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return max(0.0, (date - datetime.datetime.now(datetime.UTC)).total_seconds())
