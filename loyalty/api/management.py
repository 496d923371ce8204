"""What the views of the management face share, and its health check."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.request import Request

from loyalty import errors, idempotency
from loyalty.api import fields, parsers, renderers, values
from loyalty.api.schema import ManagementSchema
from loyalty.api.serializers import Output, success
from loyalty.postgres import watch


class ManagementViewSet(viewsets.ViewSet):
    """A viewset that says which scope each action needs and what it may refuse, by action."""

    schema = ManagementSchema()
    http_method_names = ("get", "head", "post", "put", "patch")
    scopes: ClassVar[Mapping[str, str]] = {}
    refusals: ClassVar[Mapping[str, tuple[type[errors.Refusal], ...]]] = {}
    max_body = parsers.MAX_BODY


def body(data: Any) -> bytes:
    """This will write a success of the management face."""
    return renderers.dumps({"success": True, "data": data})


def respond(data: Any, status: int = 200) -> HttpResponse:
    """This will answer a success."""
    return send(idempotency.Answer(status=status, body=body(data)))


def send(answer: idempotency.Answer) -> HttpResponse:
    """This will send an answer, saying so where it went out before."""
    response = HttpResponse(answer.body, status=answer.status, content_type=renderers.JSONRenderer.media_type)
    if answer.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def key_of(request: Request) -> idempotency.Key | None:
    """This will answer the caller's idempotency key with the fingerprint of the request, or None without a key.

    Raises:
        errors.InvalidParameters: the key is not 1 to 255 printable ASCII characters.
    """
    given = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    try:
        key = values.key(given)
    except values.Fault as fault:
        raise errors.InvalidParameters({"Idempotency-Key": [fault.text]}, rule=fault.rule) from fault
    fingerprint = idempotency.fingerprint(method=str(request.method), path=request.path, body=request.data)
    return idempotency.Key(key=key, fingerprint=fingerprint)


_HEALTH_SECONDS = 2


class Health(Output):
    """How the service is."""

    status = fields.Words(schema={"enum": ["ok"]})


class HealthViewSet(ManagementViewSet):
    """Whether the service can work."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(summary="Health", tags=["Service"], responses={200: success(Health)})
    def retrieve(self, request: HttpRequest) -> HttpResponse:
        """Answers 200 when the service and its database answer, else 503. Needs no credentials."""
        ask_database()
        return respond({"status": "ok"})


def ask_database() -> None:
    """This will raise what is wrong where the database does not answer."""
    # Who asks wants an answer now, whatever it is: no second try, and little patience.
    with watch.within(connections[DEFAULT_DB_ALIAS], _HEALTH_SECONDS), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
