"""What the views of the shop face share, and those of its operations that are about the service."""

import functools
from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, viewsets
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from loyalty import errors, idempotency
from loyalty.api import fields, management, paging, parsers, renderers
from loyalty.api.schema import ShopSchema
from loyalty.api.serializers import Output
from loyalty.authentication import MemberTokenAuthentication
from loyalty.permissions import caller

TAG = ["Shop"]

key_of = management.key_of
send = management.send


class ShopViewSet(viewsets.ViewSet):
    """A viewset that says which scope each action needs and what it may refuse, by action."""

    schema = ShopSchema()
    http_method_names = ("get", "head", "post")
    scopes: ClassVar[Mapping[str, str]] = {}
    refusals: ClassVar[Mapping[str, tuple[type[errors.Refusal], ...]]] = {}
    # The actions that a member may call with a token, to read what is the member's own; see `permissions.member`.
    members: ClassVar[frozenset[str]] = frozenset()
    max_body = parsers.MAX_BODY

    def get_authenticators(self) -> list[BaseAuthentication]:
        """This will take a token, too, where the action is one for members."""
        # DRF asks before it has named the action of a request; the description names it and has no request.
        action = getattr(self, "action", None) or self.action_map.get(str(self.request.method).lower())
        by_key = super().get_authenticators()
        return [MemberTokenAuthentication(), *by_key] if action in self.members else by_key

    def dispatch(self, request: HttpRequest, *args: Any, locale: str, **kwargs: Any) -> HttpResponseBase:
        """This will serve the request in the language that `loyalty.languages.speak` took from the path."""
        return super().dispatch(request, *args, **kwargs)


def body(data: Any, message: str) -> bytes:
    """This will write a success of the shop face; the message is in the language of the request."""
    return renderers.dumps({"success": True, "message": message, "data": data})


def answer(data: Any, message: str, status: int = 200) -> idempotency.Answer:
    """This will write a success as it is kept under a key."""
    return idempotency.Answer(status=status, body=body(data, message))


def respond(data: Any, message: str) -> HttpResponse:
    """This will answer a success that nothing is posted for."""
    return send(answer(data, message))


def respond_with_page(rows: list[dict[str, Any]], message: str, pages: paging.ShopPages) -> HttpResponse:
    """This will answer a page of rows, and where in the list it is."""
    told = {"success": True, "message": message, "data": rows, "meta": pages.description()}
    return send(idempotency.Answer(status=200, body=renderers.dumps(told)))


@functools.cache
def success(data: type[serializers.Serializer]) -> serializers.Serializer:
    """This will describe the envelope of a success of the shop face."""
    return inline_serializer(f"{data.__name__}Answer", {**_envelope(), "data": data()})


@functools.cache
def page_of(row: type[serializers.Serializer]) -> serializers.Serializer:
    """This will describe a page of rows."""
    meta = ShopMeta(help_text="Where in the list the page is.")
    return inline_serializer(f"{row.__name__}Page", {**_envelope(), "data": row(many=True), "meta": meta})


def _envelope() -> dict[str, serializers.Field]:
    always = fields.Bool(schema={"enum": [True]})
    message = fields.Words(help_text="What was done, in the language of the path.", schema={"example": "Done."})
    return {"success": always, "message": message}


class ShopMeta(Output):
    """Where in a list a page is."""

    current_page = fields.Count()
    last_page = fields.Count()
    per_page = fields.Count()
    total = fields.Count()


class ShopHealth(Output):
    """How the service is."""

    status = fields.Words(schema={"enum": ["ok"]})


class ShopCredentials(Output):
    """Whose the credentials are, and what they may do."""

    valid = fields.Bool(schema={"enum": [True]})
    key_id = fields.Words()
    program = fields.Words(source="program.name")
    currency = fields.Words(source="program.currency")
    sandbox = fields.Bool(source="program.is_sandbox")
    scopes = fields.Written(schema={"type": "array", "items": {"type": "string"}})
    expires_at = fields.Time(allow_null=True)


class ShopSystemViewSet(ShopViewSet):
    """Whether the service can work."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(summary="Health", tags=TAG, responses={200: success(ShopHealth)})
    def health(self, request: Request) -> HttpResponse:
        """Answers 200 when the service and its database answer, else 503. Needs no credentials."""
        management.ask_database()
        return respond({"status": "ok"}, _("The service works."))


class ShopCredentialsViewSet(ShopViewSet):
    """Whether credentials are good."""

    # Whatever the key may do: that is what is asked.
    permission_classes = ()

    @extend_schema(summary="Validate credentials", tags=TAG, request=None, responses={200: success(ShopCredentials)})
    def validate(self, request: Request) -> HttpResponse:
        """Tells whose the credentials are and what they may do; wrong ones are refused with 401. Needs no scope. It
        posts nothing, so nothing is remembered under an `Idempotency-Key`."""
        return respond(ShopCredentials.write(caller(request), valid=True), _("The credentials are valid."))
