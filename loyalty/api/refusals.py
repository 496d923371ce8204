"""How each face words a refusal: the status, and the body as it goes out."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from cards import membership
from loyalty import errors
from loyalty.api import camel_case
from loyalty.wording import points

Told = tuple[int, dict[str, Any]]
Shape = Callable[[errors.Refusal], Told]

# What of a refusal's facts the shop face tells beside the fields with faults: ids are other ones there.
SHOP_FACTS = ("required_permissions", "maximum_size", "retry_after", "request_id")


def management(refusal: errors.Refusal) -> Told:
    """This will word a refusal as the management face does."""
    return refusal.status, {
        "success": False,
        "error": {"code": refusal.code, "message": refusal.message, **refusal.facts},
    }


def shop(refusal: errors.Refusal) -> Told:
    """This will word a refusal as the shop face does, in the language of the request."""
    status, code = on_shop(type(refusal))
    is_fault = code == "VALIDATION_ERROR"
    facts = {name: fact for name, fact in refusal.facts.items() if name in SHOP_FACTS}
    message = _("The request is not valid.") if is_fault else refusal.message
    return status, {"success": False, "message": message, "code": code, "errors": _faults(refusal), **facts}


def on_shop(kind: type[errors.Refusal]) -> tuple[int, str]:
    """This will answer the status and the code that a refusal has on the shop face."""
    if issubclass(kind, errors.Malformed):
        return 400, "VALIDATION_ERROR"
    if issubclass(kind, errors.InvalidParameters | errors.InvalidPoints):
        return 422, "VALIDATION_ERROR"
    return kind.status, kind.code


# What of a refusal's facts the accounts face tells beside its code and message.
V3_FACTS = (*SHOP_FACTS, "current_balance", "requested_points", "reversible_points")

# Refusals that have another code there than their own in capitals and small letters.
_V3_CODES = {
    "INVALID_PARAMETERS": "ValidationFailed",
    "INVALID_POINTS": "ValidationFailed",
    "TRANSACTION_NOT_FOUND": "PointTransactionNotFound",
    "TRANSACTION_LIMIT_EXCEEDED": "TooManyRequests",
    "ALREADY_REVERSED": "TransactionAlreadyCancelled",
    "NOT_REVERSIBLE": "TransactionNotCancellable",
}


def v3(refusal: errors.Refusal) -> Told:
    """This will word a refusal as the accounts face does."""
    told: dict[str, Any] = {"errorCode": v3_code(refusal.code), "message": v3_message(refusal)}
    told |= {camel_case.name(name): fact for name, fact in refusal.facts.items() if name in V3_FACTS}
    if refusal.faults:
        told["fields"] = {camel_case.name(name): list(texts) for name, texts in refusal.faults.items()}
    return refusal.status, told


def v3_message(refusal: errors.Refusal) -> str:
    """This will say what is wrong, as the accounts face calls the field that it is wrong with."""
    if not refusal.faults:
        return refusal.message
    field, texts = next(iter(refusal.faults.items()))
    return f"{camel_case.name(field)}: {texts[0]}"


def v3_code(code: str) -> str:
    """This will answer what a code is called on the accounts face."""
    return _V3_CODES.get(code) or code.title().replace("_", "")


# What of a refusal's facts the customers face tells beside its type, code, message and parameter.
V1_FACTS = (*SHOP_FACTS, "current_balance", "requested_points")

_V1_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
# Refusals that have another code there than their own in small letters.
_V1_CODES = {
    "INSUFFICIENT_POINTS": "insufficient_balance",
    "INVALID_PARAMETERS": "parameter_invalid",
    "INVALID_EMAIL": "parameter_invalid",
    "INVALID_POINTS": "parameter_invalid",
    "TRANSACTION_LIMIT_EXCEEDED": "rate_limited",
    "TRANSFER_LIMIT_EXCEEDED": "rate_limited",
    "DUPLICATE_CUSTOMER": "customer_exists",
}
# And those whose code on the other faces says less than this one's.
_V1_CODES_OF_KINDS: dict[type[errors.Refusal], str] = {
    errors.MissingParameters: "parameter_missing",
    membership.CustomerNotFound: "customer_not_found",
}
# Where faults of a request as a whole are told: no parameter has these names.
_NO_PARAMETERS = ("body", "request")


def v1(refusal: errors.Refusal) -> Told:
    """This will word a refusal as the customers face does."""
    parameter = next(iter(refusal.faults), None)
    told = {
        "type": v1_type(refusal.status),
        "code": v1_code(type(refusal)),
        "message": refusal.message,
        "param": None if parameter in _NO_PARAMETERS else parameter,
    }
    return refusal.status, {"error": told | {name: fact for name, fact in refusal.facts.items() if name in V1_FACTS}}


def v1_type(status: int) -> str:
    """This will answer what kind of error a status is on the customers face."""
    return _V1_TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def v1_code(kind: type[errors.Refusal]) -> str:
    """This will answer what a refusal is called on the customers face."""
    return _V1_CODES_OF_KINDS.get(kind) or _V1_CODES.get(kind.code) or kind.code.lower()


def _faults(refusal: errors.Refusal) -> dict[str, list[str]]:
    if refusal.code == "INSUFFICIENT_POINTS":
        asked, there = points(refusal.facts["requested_points"]), points(refusal.facts["current_balance"])
        return {"points": [_("Asked for: %(asked)s. Available: %(there)s.") % {"asked": asked, "there": there}]}
    return {name: list(texts) for name, texts in refusal.faults.items()}
