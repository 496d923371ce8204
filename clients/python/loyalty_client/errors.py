"""What a call can fail with: a class for each `type` of the API's errors, and two for no answer at all."""

from collections.abc import Mapping
from typing import Any


class LoyaltyError(Exception):
    """What every failure of a call is: the service's refusal, or that there was no answer."""

    def __init__(
        self,
        message: str,
        *,
        type: str | None = None,
        code: str | None = None,
        status: int | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        idempotency_key: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.type = type
        # Such as `insufficient_balance`.
        self.code = code
        # The HTTP status; None where there was no answer.
        self.status = status
        # The field at fault.
        self.param = param
        # Names the request in the service's log.
        self.request_id = request_id
        # Seconds.
        self.retry_after = retry_after
        # What a POST was sent with: with the same key and body it can be called again and still happens once.
        self.idempotency_key = idempotency_key
        # What else the service tells, such as `required_permissions` or `current_balance`.
        self.details = details or {}


class InvalidRequestError(LoyaltyError):
    """400, 404, 409, 422: the request cannot be done as it is; `code` says why and `param` names the field."""


class AuthenticationError(LoyaltyError):
    """401: the secret is missing, wrong, revoked or expired."""


class PermissionDeniedError(LoyaltyError):
    """403: the key lacks the scope that the call needs, or the programme does not allow it."""


class RateLimitError(LoyaltyError):
    """429: too many; `retry_after` says in how many seconds it goes on."""


class ApiError(LoyaltyError):
    """5xx, or an answer that is none of this API's."""


class ConnectionFailedError(LoyaltyError):
    """The service could not be reached, or the connection broke before the answer was there."""


class TimedOutError(ConnectionFailedError):
    """The answer did not come in time."""


BY_TYPE: Mapping[str, type[LoyaltyError]] = {
    "invalid_request_error": InvalidRequestError,
    "authentication_error": AuthenticationError,
    "permission_error": PermissionDeniedError,
    "rate_limit_error": RateLimitError,
    "api_error": ApiError,
}
