"""Refusals: why a request is not done, as exceptions that any face can word its own way.

A refusal of one subject (a blocked card, points that do not suffice) is a class beside the verb that raises it;
here are the base and those that every app needs. `loyalty.api.errors` turns them into answers.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

# A fault is echoed to help the caller find it, not to send a whole body back.
LONGEST_ECHO = 100


class Refusal(Exception):
    """A request that is refused, with the code and the facts that the caller is told."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    message: str = gettext_noop("The request could not be done.")
    # What is wrong with which field of the request.
    faults: Mapping[str, Sequence[str]] = {}

    def __init__(self, message: str | None = None, **facts: Any) -> None:
        """Take a text in the language of whoever asks, instead of the one of the class, which is translated here."""
        self.message = _(self.message) if message is None else message
        super().__init__(self.message)
        self.facts = facts


class InvalidParameters(Refusal):
    """The request is malformed: a field is missing, of the wrong type, too long or contradicts another."""

    code = "INVALID_PARAMETERS"
    status = 400

    def __init__(self, errors: Mapping[str, Sequence[str]], *, rule: str = "invalid") -> None:
        """Take every fault by field, the first fault first, and the name of the rule that it broke."""
        field = next(iter(errors))
        self.faults = {name: list(texts) for name, texts in errors.items()}
        super().__init__(
            f"{field}: {errors[field][0]}",
            details={"field": field, "rule": rule},
            errors=self.faults,
            field=field,
        )


class Malformed(InvalidParameters):
    """The request cannot be read: it is not JSON, cut short, nested too deeply, or has text that cannot be stored."""


class MissingParameters(InvalidParameters):
    """A field that is required is missing."""


class InvalidEmail(InvalidParameters):
    """The e-mail address is not one."""

    code = "INVALID_EMAIL"


class InvalidSource(InvalidParameters):
    """Transactions do not come from there."""

    code = "INVALID_SOURCE"


class InvalidPoints(Refusal):
    """The amount is not a number of points: zero, negative, too fine, too long, or no number at all."""

    code = "INVALID_POINTS"
    status = 400
    message = gettext_noop("The points are not a valid amount.")

    def __init__(
        self, provided_value: Any, message: str | None = None, *, faults: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Take every fault by field, where there are others or the field is not called points."""
        super().__init__(message, provided_value=echo(provided_value))
        self.faults = faults or {"points": [self.message]}


class Unauthorized(Refusal):
    """There are no credentials, or they are wrong, revoked, expired or used from elsewhere."""

    code = "UNAUTHORIZED"
    status = 401
    message = gettext_noop("Missing or wrong API credentials.")


class Forbidden(Refusal):
    """The API key lacks a scope."""

    code = "FORBIDDEN"
    status = 403

    def __init__(self, required_permissions: Sequence[str]) -> None:
        permissions = list(required_permissions)
        lacking = _("The API key lacks a permission: %(permissions)s.") % {"permissions": ", ".join(permissions)}
        super().__init__(lacking, required_permissions=permissions)


class NotFound(Refusal):
    """There is no such thing, or it belongs to another programme."""

    code = "NOT_FOUND"
    status = 404
    message = gettext_noop("There is nothing here.")


class MethodNotAllowed(Refusal):
    """The path exists, the method on it does not."""

    code = "METHOD_NOT_ALLOWED"
    status = 405
    message = gettext_noop("This path does not take this method.")


class BodyTooLarge(Refusal):
    """The body is longer than the path takes."""

    code = "BODY_TOO_LARGE"
    status = 413

    def __init__(self, maximum_size: int) -> None:
        text = ngettext(
            "The body is larger than %(count)s byte.", "The body is larger than %(count)s bytes.", maximum_size
        )
        super().__init__(text % {"count": maximum_size}, maximum_size=maximum_size)


class UnsupportedMediaType(Refusal):
    """The body is not declared to be JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415
    message = gettext_noop("Send the body as application/json.")


class IdempotencyKeyReused(Refusal):
    """The key was used before for something else."""

    code = "IDEMPOTENCY_KEY_REUSED"
    status = 422
    message = gettext_noop("This idempotency key was used before with a different request.")


class Erased(Refusal):
    """What was answered under the key was erased together with the customer."""

    code = "ERASED"
    status = 410
    message = gettext_noop("What was answered under this key was erased with the customer.")


class InternalError(Refusal):
    """A fault of ours. It says where to look in the log, and nothing about our insides."""

    code = "INTERNAL_ERROR"
    status = 500
    message = gettext_noop("Something went wrong on our side.")

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id=request_id)


class Unavailable(Refusal):
    """The database did not answer in time. Nothing was posted, or the same idempotency key tells."""

    code = "UNAVAILABLE"
    status = 503
    message = gettext_noop("The service cannot answer right now. Try again with the same Idempotency-Key.")

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__(retry_after=retry_after)


def echo(value: Any) -> Any:
    """This will cut a value down to what is safe and useful to send back."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Decimal) and not value.is_finite():
        return str(value)
    if isinstance(value, list | dict):
        # Its inside is as long and as deep as the caller likes, and in our words would not be JSON.
        return "[…]" if isinstance(value, list) else "{…}"
    if isinstance(value, int | Decimal) and len(text := str(value)) > LONGEST_ECHO:
        return text[:LONGEST_ECHO]
    if isinstance(value, int | float | Decimal):
        return value
    return str(value)[:LONGEST_ECHO]
