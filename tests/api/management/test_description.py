import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from django.views import View
from rest_framework.test import APIClient
from rest_framework.viewsets import ViewSet

PATHS = {
    "/api/points/award": {"post"},
    "/api/points/redeem": {"post"},
    "/api/points/adjust": {"post"},
    "/api/points/reverse": {"post"},
    "/api/points/expire": {"post"},
    "/api/points/expiring": {"get"},
    "/api/points/balance/{card_id}": {"get"},
    "/api/points/history/{card_id}": {"get"},
    "/api/points/transactions": {"get"},
    "/api/points/transactions/{transaction_id}": {"get"},
    "/api/points/bulk": {"post"},
    "/api/loyalty-cards": {"get", "post"},
    "/api/loyalty-cards/{card_id}": {"get", "put", "patch"},
    "/api/loyalty-cards/{card_id}/block": {"post"},
    "/api/loyalty-cards/{card_id}/unblock": {"post"},
    "/api/loyalty-cards/{card_id}/activate": {"post"},
    "/api/loyalty-cards/{card_id}/replace": {"post"},
    "/api/loyalty-cards/{card_id}/history": {"get"},
    "/api/loyalty-cards/{card_id}/qr.svg": {"get"},
    "/api/health": {"get"},
    "/api/v3/point-accounts": {"get", "post"},
    "/api/v3/point-accounts/{account_id}": {"get"},
    "/api/v3/point-accounts/definitions": {"get"},
    "/api/v3/point-accounts/definitions/{definition_id}": {"get"},
    "/api/v3/point-accounts/transactions": {"get", "post"},
    "/api/v3/point-transactions": {"get", "post"},
    "/api/v3/point-transactions/{transaction_id}": {"get"},
    "/api/v3/reward-vouchers": {"get", "post"},
    "/api/v3/reward-vouchers/available": {"get"},
    "/api/v3/reward-vouchers/redeemed": {"get"},
    "/api/v3/reward-vouchers/{voucher_id}/redeem": {"post"},
    "/api/v3/reward-vouchers/{voucher_id}/reactivate": {"post"},
    "/v1/customers": {"get", "post"},
    "/v1/customers/{customer_id}": {"get", "patch", "delete"},
    "/v1/points": {"get"},
    "/v1/points/award": {"post"},
    "/v1/points/adjust": {"post"},
    "/v1/customers/{customer_id}/merge": {"post"},
    "/v1/customers/{customer_id}/explain": {"get"},
    "/v1/holds": {"post"},
    "/v1/holds/{hold_id}": {"get"},
    "/v1/holds/{hold_id}/capture": {"post"},
    "/v1/holds/{hold_id}/release": {"post"},
    "/v1/transfers": {"post"},
    "/v1/points/redeem": {"post"},
    "/v1/redemptions/{redemption_id}": {"get"},
    "/v1/redemptions/{redemption_id}/use": {"post"},
    "/v1/redemptions/{redemption_id}/cancel": {"post"},
    "/v1/rewards": {"get", "post"},
    "/v1/rewards/{reward_id}": {"get", "patch"},
    "/v1/events": {"get"},
    "/v1/events/{event_id}": {"get"},
    "/v1/webhook-endpoints": {"get", "post"},
    "/v1/webhook-endpoints/{endpoint_id}": {"get", "patch", "delete"},
    "/v1/webhook-endpoints/{endpoint_id}/rotate-secret": {"post"},
    "/v1/webhook-endpoints/{endpoint_id}/test": {"post"},
    "/v1/webhook-endpoints/{endpoint_id}/deliveries": {"get"},
    "/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}": {"get"},
    "/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/redeliver": {"post"},
    "/v1/tiers": {"get"},
    "/api/reports/roll-forward": {"get"},
    "/api/reports/liability": {"get"},
    "/api/reports/velocity": {"get"},
    "/api/reports/health": {"get"},
    "/api/reports/behaviour": {"get"},
    "/api/reports/money": {"get"},
    "/api/reports/cohorts": {"get"},
    "/{locale}/shop/points": {"get", "post"},
    "/{locale}/shop/points/award": {"post"},
    "/{locale}/shop/points/preview": {"post"},
    "/{locale}/shop/points/card/{card_id}/balance": {"get"},
    "/{locale}/shop/loyalty-cards": {"get"},
    "/{locale}/shop/loyalty-cards/info": {"get"},
    "/{locale}/shop/loyalty-cards/balance": {"get"},
    "/{locale}/shop/loyalty-cards/{card_id}": {"get"},
    "/{locale}/shop/transactions": {"get"},
    "/{locale}/shop/transactions/create": {"post"},
    "/{locale}/shop/auth/token": {"post"},
    "/{locale}/shop/validate-credentials": {"post"},
    "/{locale}/shop/system/health": {"get"},
}
CODES = {
    "INSUFFICIENT_POINTS",
    "INVALID_POINTS",
    "INVALID_PARAMETERS",
    "INVALID_EMAIL",
    "METHOD_NOT_ALLOWED",
    "UNSUPPORTED_MEDIA_TYPE",
    "INTERNAL_ERROR",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "CARD_BLOCKED",
    "CARD_INACTIVE",
    "CARD_EXPIRED",
    "CARD_NOT_FOUND",
    "TRANSACTION_NOT_FOUND",
    "NOT_FOUND",
    "DUPLICATE_CUSTOMER",
    "ALREADY_REVERSED",
    "NOT_REVERSIBLE",
    "CARD_REPLACED",
    "BODY_TOO_LARGE",
    "BULK_OPERATION_TOO_LARGE",
    "BULK_ROLLED_BACK",
    "IDEMPOTENCY_KEY_REUSED",
    "ERASED",
    "TRANSACTION_LIMIT_EXCEEDED",
    "UNAVAILABLE",
}
SHOP_CODES = {
    "VALIDATION_ERROR",
    "INSUFFICIENT_POINTS",
    "CARD_NOT_FOUND",
    "CARD_BLOCKED",
    "CARD_INACTIVE",
    "CARD_EXPIRED",
    "RESOURCE_ALREADY_EXISTS",
    "TRANSACTION_LIMIT_EXCEEDED",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "BODY_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "IDEMPOTENCY_KEY_REUSED",
    "ERASED",
    "INTERNAL_ERROR",
    "UNAVAILABLE",
}

V1_CODES = {
    "parameter_invalid",
    "parameter_missing",
    "unauthorized",
    "forbidden",
    "not_found",
    "customer_not_found",
    "customer_exists",
    "erased",
    "hold_not_found",
    "webhook_endpoint_not_found",
    "webhook_endpoint_paused",
    "too_many_webhook_endpoints",
    "delivery_not_found",
    "hold_resolved",
    "too_many_holds",
    "transfers_disabled",
    "reward_not_found",
    "reward_unavailable",
    "reward_out_of_stock",
    "reward_limit_reached",
    "tier_required",
    "price_mismatch",
    "redemption_not_found",
    "event_not_found",
    "redemption_cancelled",
    "redemption_expired",
    "already_used",
    "insufficient_balance",
    "rate_limited",
    "body_too_large",
    "unsupported_media_type",
    "idempotency_key_reused",
    "method_not_allowed",
    "internal_error",
    "unavailable",
}
V3_CODES = {
    "ValidationFailed",
    "InvalidSource",
    "TooManyItems",
    "PointSystemNotActive",
    "InsufficientPoints",
    "VouchersNotActive",
    "Unauthorized",
    "Forbidden",
    "NotFound",
    "PointAccountNotFound",
    "PointTransactionNotFound",
    "PointDefinitionNotFound",
    "ContactNotFound",
    "RewardVoucherNotFound",
    "MethodNotAllowed",
    "TransactionIdConflict",
    "TransactionAlreadyCancelled",
    "TransactionNotCancellable",
    "RewardVoucherAlreadyRedeemed",
    "RewardVoucherExpired",
    "RewardVoucherAlreadyActivated",
    "ReactivationLimitExceeded",
    "BodyTooLarge",
    "UnsupportedMediaType",
    "IdempotencyKeyReused",
    "Erased",
    "TooManyRequests",
    "InternalError",
    "Unavailable",
}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return json.loads(APIClient().get("/api/schema").content)


def operations(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }


def test_is_valid_and_without_warnings() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file="/dev/null")


def test_says_how_a_path_names_a_card(description: dict[str, Any]) -> None:
    found = {
        parameter["description"]
        for path, methods in description["paths"].items()
        if path.startswith("/api/")
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if (parameter["in"], parameter["name"]) == ("path", "card_id")
    }
    assert found == {"Id of a card, or its number."}


def test_knows_every_path_and_method(description: dict[str, Any]) -> None:
    assert {path: set(methods) for path, methods in description["paths"].items()} == PATHS


def test_knows_every_code(description: dict[str, Any]) -> None:
    assert {error["code"]["enum"][0] for error in bare_errors(description) if "type" not in error} == CODES


def test_knows_every_code_of_the_customers_face(description: dict[str, Any]) -> None:
    errors = [error for error in bare_errors(description) if "type" in error]
    assert {error["code"]["enum"][0] for error in errors} == V1_CODES
    for error in errors:
        assert all(field["description"] for field in error.values())


def bare_errors(description: dict[str, Any]) -> list[dict[str, Any]]:
    """What the errors say that are an object of their own: those of the management and the customers face."""
    errors = [schema.get("properties", {}).get("error") for schema in description["components"]["schemas"].values()]
    return [error["properties"] for error in errors if error and "properties" in error]


def test_knows_every_code_of_the_shop_face(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"].values()
    errors = [schema["properties"] for schema in schemas if "errors" in schema.get("properties", {})]
    assert {error["code"]["enum"][0] for error in errors} == SHOP_CODES


def test_knows_every_code_of_the_accounts_face(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"].values()
    codes = [schema["properties"]["errorCode"] for schema in schemas if "errorCode" in schema.get("properties", {})]
    assert {code["enum"][0] for code in codes} == V3_CODES


def test_writes_every_name_of_the_accounts_face_in_camel_case(description: dict[str, Any]) -> None:
    for name, operation in operations(description).items():
        if "/api/v3/" in name:
            assert operation["tags"] == ["Point accounts"]
            queries = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            assert not [query for query in queries if "_" in query], name
    for component in ("PointTransaction", "PointTransactionInput", "PointAccount", "Voucher", "V3ValidationFailed"):
        assert not [field for field in description["components"]["schemas"][component]["properties"] if "_" in field]


def test_says_of_every_operation_what_it_does_and_needs(description: dict[str, Any]) -> None:
    names = set()
    for name, operation in operations(description).items():
        assert operation["summary"], name
        assert operation["description"], name
        names.add(operation["operationId"])
        assert {"405", "500", "503"} <= set(operation["responses"]), name
        if name in ("get /api/health", "get /{locale}/shop/system/health"):
            assert not operation.get("security")
            continue
        needs = "Needs no scope" if name.endswith("/validate-credentials") else "Needs the scope `"
        assert needs in operation["description"], name
        by_key = [{"keyId": [], "keySecret": []}, {"bearerSecret": []}, {"apikey": []}]
        takes_token = "With a member's token" in operation["description"]
        assert operation["security"] == [*([{"memberToken": []}] if takes_token else []), *by_key], name
        assert {"401", "403"} <= set(operation["responses"]), name
        headers = [one["name"] for one in operation.get("parameters", []) if one["in"] == "header"]
        # A transaction has an id of its caller's instead.
        takes_key = name.startswith("post ") and name != "post /api/v3/point-transactions"
        assert ("Idempotency-Key" in headers) is takes_key, name
    assert len(names) == len(operations(description))


def test_says_what_every_field_and_parameter_means(description: dict[str, Any]) -> None:
    for component, schema in description["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            if name not in ("success", "data", "error", "errors") and "$ref" not in field:
                assert field.get("description"), (component, name)
    for operation in operations(description).values():
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (operation["operationId"], parameter["name"])


def test_gives_examples_that_fit(description: dict[str, Any]) -> None:
    for component, schema in description["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            if field.get("example") is not None:
                assert "allOf" not in field, (component, name)
                if "$ref" not in json.dumps(field):
                    # Like OpenAPI 3.0, that draft says of a bound with true or false that it is none itself.
                    assert jsonschema.Draft4Validator(field).is_valid(field["example"]), (component, name)


def test_says_that_the_shops_own_id_names_a_customer_too(description: dict[str, Any]) -> None:
    told = [
        parameter["description"]
        for operation in operations(description).values()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "customer_id" and parameter["in"] == "path"
    ]
    assert set(told) == {"Id of the customer, or the shop's own."}


def test_says_that_a_customer_named_without_a_card_posts_whatever_the_cards_are(description: dict[str, Any]) -> None:
    for name in ("AwardInput", "RedeemInput", "BulkItemInput"):
        told = description["components"]["schemas"][name]["properties"]["customer_id"]["description"]
        assert "no card's state is looked at" in told


def test_lets_a_person_authorize_with_key_and_secret(description: dict[str, Any]) -> None:
    schemes = description["components"]["securitySchemes"]
    headers = {name: (one["type"], one.get("name"), one.get("scheme")) for name, one in schemes.items()}
    assert headers == {
        "keyId": ("apiKey", "X-API-Key", None),
        "keySecret": ("apiKey", "X-API-Secret", None),
        "bearerSecret": ("http", None, "bearer"),
        "apikey": ("apiKey", "apikey", None),
        "memberToken": ("http", None, "bearer"),
    }


@pytest.mark.parametrize("page", ["/api/docs", "/api/redoc"])
def test_is_shown_from_packaged_assets(page: str) -> None:
    answer = APIClient().get(page)
    assert answer.status_code == 200
    assert b"/static/drf_spectacular_sidecar/" in answer.content
    assert b"https://" not in answer.content


def test_fills_in_no_parameter(description):
    parameters = [
        parameter
        for path in description["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
    ]
    assert parameters
    assert not [parameter for parameter in parameters if "example" in parameter or "example" in parameter["schema"]]


def test_no_view_has_what_a_method_would_find_by_itself() -> None:
    views = {
        pattern.callback.cls  # type: ignore[attr-defined]
        for pattern in _patterns(get_resolver())
        if issubclass(getattr(pattern.callback, "cls", object), ViewSet)
    }
    assert len(views) > 20
    found = {(view.__name__, name) for view in views for name in View.http_method_names if hasattr(view, name)}
    # DRF's own answer to OPTIONS.
    assert {name for _, name in found} == {"options"}


def _patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern)
        else:
            yield pattern
