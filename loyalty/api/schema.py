"""How the OpenAPI description tells credentials, idempotency and refusals, alike for every operation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import ListSerializer

from loyalty import errors, languages
from loyalty.api import camel_case, refusals, shop_vocabulary, v1_vocabulary, v3_vocabulary, vocabulary
from loyalty.api.fields import KEY_SCHEMA

NUMBER = {"type": "number"}
TEXT = {"type": "string"}
NULLABLE_TEXT = {"type": "string", "nullable": True}
WHOLE = {"type": "integer"}

# What each refusal tells beside its code and message. A code that is not here has no facts.
FACTS: Mapping[str, Mapping[str, Any]] = {
    "INSUFFICIENT_POINTS": {"current_balance": NUMBER, "requested_points": NUMBER},
    "INVALID_POINTS": {"provided_value": {"nullable": True, "description": "What was sent."}},
    "FORBIDDEN": {"required_permissions": {"type": "array", "items": TEXT}},
    "CARD_BLOCKED": {"card_id": TEXT},
    "CARD_INACTIVE": {"card_id": TEXT},
    "CARD_EXPIRED": {"card_id": TEXT},
    "CARD_NOT_FOUND": {"card_id": TEXT},
    "CARD_REPLACED": {"card_id": TEXT, "replaced_by": TEXT},
    "DUPLICATE_CUSTOMER": {"existing_card_id": NULLABLE_TEXT},
    "ALREADY_REVERSED": {"reversible_points": NUMBER},
    "BODY_TOO_LARGE": {"maximum_size": WHOLE},
    "BULK_OPERATION_TOO_LARGE": {"provided_size": WHOLE, "maximum_size": WHOLE},
    "BULK_ROLLED_BACK": {
        "processed": WHOLE,
        "successful": WHOLE,
        "failed": WHOLE,
        "results": {"type": "array", "items": {"$ref": "#/components/schemas/BulkResult"}},
        "processing_time": TEXT,
    },
    "TRANSACTION_LIMIT_EXCEEDED": {"retry_after": WHOLE},
    "TRANSFER_LIMIT_EXCEEDED": {"retry_after": WHOLE},
    "INTERNAL_ERROR": {"request_id": TEXT},
    "UNAVAILABLE": {"retry_after": WHOLE},
}
_FAULTS = {
    "field": TEXT,
    "details": {
        "type": "object",
        "description": "The first fault.",
        "properties": {"field": TEXT, "rule": TEXT},
        "required": ["field", "rule"],
    },
    "errors": {
        "type": "object",
        "description": "All faults by field.",
        "additionalProperties": {"type": "array", "items": TEXT},
    },
}

_OF_A_FIELD = (errors.InvalidParameters, errors.InvalidPoints)
_WITH_CREDENTIALS = (errors.Unauthorized, errors.Forbidden)
_WITH_BODY = (errors.InvalidParameters, errors.BodyTooLarge, errors.UnsupportedMediaType)

_SUCCESS = "It is done."
_MEMBERS = (
    " With a member's token the key that issued it needs the scope, and only what is the member's own is there: any"
    " other card answers like one that does not exist."
)
_FAILURE = {"type": "boolean", "enum": [False]}
_LOCALE = OpenApiParameter(
    name="locale",
    location=OpenApiParameter.PATH,
    type={"type": "string", "enum": list(languages.CODES)},
    description="The language of `message` and of the texts in `errors`.",
)
_IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    location=OpenApiParameter.HEADER,
    type=KEY_SCHEMA,
    description="The same key with the same request gets the first answer again, for at least 30 days.",
)
_REQUEST_ID = OpenApiParameter(
    name="X-Request-Id",
    location=OpenApiParameter.HEADER,
    type=str,
    response=True,
    description="Names this request in the service's log.",
)


class FaceView(Protocol):
    """What the description reads of a view."""

    action: str
    scopes: Mapping[str, str]
    refusals: Mapping[str, tuple[type[errors.Refusal], ...]]
    authentication_classes: tuple[Any, ...]


class ShopView(FaceView, Protocol):
    """What the description reads of a view of the shop face."""

    members: frozenset[str]


class V3View(FaceView, Protocol):
    """What the description reads of a view of the accounts face."""

    keyed: frozenset[str]


class FaceSchema(AutoSchema):
    """Adds to what a view says of itself: its scope, the idempotency key of a POST, and every refusal it can meet.

    A view names the refusals of its own in `refusals`, by action.
    """

    words: ClassVar[Mapping[str, tuple[str, Any]]] = vocabulary.WORDS
    # What parameters mean in a path, where that is more than in a body.
    words_in_paths: ClassVar[Mapping[str, str]] = {}
    always: ClassVar[tuple[type[errors.Refusal], ...]] = (
        errors.MethodNotAllowed,
        errors.InternalError,
        errors.Unavailable,
    )
    # What the components of this face's refusals are called before their codes.
    prefix: ClassVar[str] = ""

    def get_operation(self, *args: Any) -> dict[str, Any] | None:
        """This will add the scope that the operation needs, and its refusals."""
        operation = super().get_operation(*args)
        if operation is None:
            return None
        view = cast(FaceView, self.view)
        if scope := view.scopes.get(view.action):
            operation["description"] += f"\n\nNeeds the scope `{scope}`."
        for parameter in operation.get("parameters", []):
            usual, _ = self.words.get(parameter["name"], ("", None))
            if parameter["in"] == "path":
                usual = self.words_in_paths.get(parameter["name"], usual)
            parameter.setdefault("description", usual)
            # The explorer would fill every example in, and ask for the balance of long ago or for what nothing matches.
            parameter["schema"] = {name: told for name, told in parameter["schema"].items() if name != "example"}
        for response in operation["responses"].values():
            response["description"] = response["description"] or _SUCCESS
        operation["responses"] |= self._refusals()
        return operation

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        schema = super()._map_basic_serializer(serializer, direction)
        for name, field in schema.get("properties", {}).items():
            schema["properties"][name] = vocabulary.describe(name, field, self.words)
        return schema

    def get_operation_id(self) -> str:
        """This will name the operation after its viewset and action: `points_award`."""
        view = cast(FaceView, self.view)
        name = type(view).__name__.removesuffix("ViewSet").lower()
        # Two methods may lead to one action.
        return f"{name}_{view.action}" + ("_put" if self.method == "PUT" else "")

    def get_override_parameters(self) -> list[Any]:
        """This will add the headers that every operation takes and answers."""
        return [*([_IDEMPOTENCY_KEY] if self.takes_key() else []), _REQUEST_ID, *super().get_override_parameters()]

    def takes_key(self) -> bool:
        """This will say whether the operation takes an Idempotency-Key."""
        return self.method == "POST"

    def _is_list_view(self, serializer: Any = None) -> bool:
        # A list is an object with the rows and where in the list they are.
        return False

    def _refusals(self) -> dict[str, Any]:
        by_status: dict[int, dict[str, type[errors.Refusal]]] = defaultdict(dict)
        for refusal in self._refusal_classes():
            status, code = self._told(refusal)
            by_status[status].setdefault(code, refusal)
        return {
            str(status): {
                "description": "\n".join(f"`{code}`: {refusal.__doc__}" for code, refusal in refusals.items()),
                "headers": self._get_response_headers_for_code(str(status), "response"),
                "content": {
                    "application/json": {"schema": _one_of([self._component(refusal) for refusal in refusals.values()])}
                },
            }
            for status, refusals in sorted(by_status.items())
        }

    def _refusal_classes(self) -> Iterable[type[errors.Refusal]]:
        view = cast(FaceView, self.view)
        for refusal in view.refusals.get(view.action, ()):
            yield refusal
            if refusal is errors.IdempotencyKeyReused:
                yield errors.Erased
        if view.authentication_classes:
            yield from _WITH_CREDENTIALS
        if self.method in ("POST", "PUT", "PATCH"):
            yield from _WITH_BODY
        yield from self.always

    def _told(self, refusal: type[errors.Refusal]) -> tuple[int, str]:
        return refusal.status, refusal.code

    def _component(self, refusal: type[errors.Refusal]) -> dict[str, str]:
        _, code = self._told(refusal)
        component = ResolvedComponent(
            name=self.prefix + (code.title().replace("_", "") if code.isupper() or code.islower() else code),
            type=ResolvedComponent.SCHEMA,
            # Several refusals have one code, and look alike.
            object=code,
            schema=self._error(refusal, code),
        )
        self.registry.register_on_missing(component)
        return component.ref

    def _error(self, refusal: type[errors.Refusal], code: str) -> dict[str, Any]:
        raise NotImplementedError


class ManagementSchema(FaceSchema):
    """Describes the management face."""

    words_in_paths = vocabulary.WORDS_IN_PATHS

    def _error(self, refusal: type[errors.Refusal], code: str) -> dict[str, Any]:
        facts = _FAULTS if issubclass(refusal, errors.InvalidParameters) else FACTS.get(code, {})
        error = _object({"code": {"type": "string", "enum": [code]}, "message": _in_words(refusal), **facts})
        return {"description": refusal.__doc__, **_object({"success": _FAILURE, "error": error})}


class ShopSchema(FaceSchema):
    """Describes the shop face."""

    words = {**vocabulary.WORDS, **shop_vocabulary.WORDS}
    # A language that nobody speaks is a path that leads nowhere; a host that is not served is no request.
    always = (errors.Malformed, errors.NotFound, *FaceSchema.always)
    prefix = "Shop"

    def get_operation(self, *args: Any) -> dict[str, Any] | None:
        """This will add whether members may call the operation with a token."""
        operation = super().get_operation(*args)
        view = cast(ShopView, self.view)
        if operation is not None and view.action in view.members:
            operation["description"] += _MEMBERS
        return operation

    def get_override_parameters(self) -> list[Any]:
        """This will add the language to the path."""
        return [_LOCALE, *super().get_override_parameters()]

    def _told(self, refusal: type[errors.Refusal]) -> tuple[int, str]:
        return refusals.on_shop(refusal)

    def _error(self, refusal: type[errors.Refusal], code: str) -> dict[str, Any]:
        facts = {name: fact for name, fact in FACTS.get(code, {}).items() if name in refusals.SHOP_FACTS}
        told = {
            "message": _in_words(refusal),
            "code": {"type": "string", "enum": [code]},
            "errors": _FAULTS["errors"],
            **facts,
        }
        described = {name: vocabulary.describe(name, schema, self.words) for name, schema in told.items()}
        return _object({"success": _FAILURE, **described})


class V1Schema(FaceSchema):
    """Describes the customers face."""

    words = {**vocabulary.WORDS, **v1_vocabulary.WORDS}
    words_in_paths = v1_vocabulary.WORDS_IN_PATHS
    words_of_errors: ClassVar = {**vocabulary.WORDS, **v1_vocabulary.WORDS_OF_ERRORS}
    always = (errors.Malformed, errors.NotFound, *FaceSchema.always)
    prefix = "V1"

    def _refusal_classes(self) -> Iterable[type[errors.Refusal]]:
        for refusal in super()._refusal_classes():
            yield refusal
            if refusal is errors.InvalidParameters:
                # It has a code of its own here.
                yield errors.MissingParameters

    def _told(self, refusal: type[errors.Refusal]) -> tuple[int, str]:
        return refusal.status, refusals.v1_code(refusal)

    def _error(self, refusal: type[errors.Refusal], code: str) -> dict[str, Any]:
        facts = {name: fact for name, fact in FACTS.get(refusal.code, {}).items() if name in refusals.V1_FACTS}
        told = {
            "type": {"type": "string", "enum": [refusals.v1_type(refusal.status)]},
            "code": {"type": "string", "enum": [code]},
            "message": _in_words(refusal),
            "param": {**NULLABLE_TEXT, "example": "points" if issubclass(refusal, _OF_A_FIELD) else None},
            **facts,
        }
        error = {name: vocabulary.describe(name, schema, self.words_of_errors) for name, schema in told.items()}
        return {"description": refusal.__doc__, **_object({"error": _object(error)})}


class V3Schema(FaceSchema):
    """Describes the accounts face, whose names are camelCase."""

    words = {**vocabulary.WORDS, **v3_vocabulary.WORDS}
    always = (errors.Malformed, errors.NotFound, *FaceSchema.always)
    prefix = "V3"

    def get_operation(self, *args: Any) -> dict[str, Any] | None:
        """This will write the names of parameters as callers do."""
        operation = super().get_operation(*args)
        for parameter in operation.get("parameters", []) if operation else []:
            if parameter["in"] == "query":
                parameter["name"] = camel_case.name(parameter["name"])
        return operation

    def _is_list_view(self, serializer: Any = None) -> bool:
        # Definitions come as a bare array.
        return isinstance(serializer, ListSerializer)

    def takes_key(self) -> bool:
        """This will say whether the operation takes an Idempotency-Key."""
        view = cast(V3View, self.view)
        return view.action in view.keyed

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        schema = super()._map_basic_serializer(serializer, direction)
        if "properties" in schema:
            schema["properties"] = {camel_case.name(name): field for name, field in schema["properties"].items()}
        if "required" in schema:
            schema["required"] = sorted(camel_case.name(name) for name in schema["required"])
        return schema

    def _told(self, refusal: type[errors.Refusal]) -> tuple[int, str]:
        return refusal.status, refusals.v3_code(refusal.code)

    def _error(self, refusal: type[errors.Refusal], code: str) -> dict[str, Any]:
        facts = {name: fact for name, fact in FACTS.get(refusal.code, {}).items() if name in refusals.V3_FACTS}
        if issubclass(refusal, errors.InvalidParameters | errors.InvalidPoints):
            facts |= {"fields": _FAULTS["errors"]}
        told = {"error_code": {"type": "string", "enum": [code]}, "message": _in_words(refusal), **facts}
        described = {
            camel_case.name(name): vocabulary.describe(name, schema, self.words) for name, schema in told.items()
        }
        return {"description": refusal.__doc__, **_object(described)}


def _in_words(refusal: type[errors.Refusal]) -> dict[str, Any]:
    """This will describe what a refusal says, with its own words as the example."""
    says_it = refusal.message is not errors.Refusal.message
    return {**TEXT, "example": refusal.message if says_it else (refusal.__doc__ or "").partition("\n")[0]}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _one_of(schemas: list[dict[str, str]]) -> dict[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"oneOf": schemas}


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Tells the header forms of credentials, so that *Authorize* in the explorer offers each of them."""

    target_class = "loyalty.authentication.ApiKeyAuthentication"
    name = ["keyId", "keySecret", "bearerSecret", "apikey"]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        """This will say: key id and secret together, or the secret alone in either header."""
        return [{"keyId": [], "keySecret": []}, {"bearerSecret": []}, {"apikey": []}]

    def get_security_definition(self, auto_schema: Any) -> Any:
        """This will describe each header."""
        return [
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The key id (or the secret alone)."},
            {"type": "apiKey", "in": "header", "name": "X-API-Secret", "description": "The secret of that key."},
            {"type": "http", "scheme": "bearer", "description": "The secret: `sk_live_…` or `sk_test_…`."},
            {"type": "apiKey", "in": "header", "name": "apikey", "description": "The secret."},
        ]


class MemberTokenScheme(OpenApiAuthenticationExtension):
    """Tells the token of a member."""

    target_class = "loyalty.authentication.MemberTokenAuthentication"
    name = "memberToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """This will describe the header."""
        told = "A member's token, as `POST /{locale}/shop/auth/token` gives it."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": told}
