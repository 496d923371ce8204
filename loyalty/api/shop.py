"""What the views of the shop face share: its envelope, its language, its idempotent answers."""

import functools
from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers, viewsets

from loyalty import errors, idempotency
from loyalty.api import fields, management, parsers, renderers
from loyalty.api.schema import ShopSchema

__all__ = ["ShopViewSet", "answer", "body", "key_of", "respond", "send", "success"]

key_of = management.key_of
send = management.send


class ShopViewSet(viewsets.ViewSet):
    """A viewset that says which scope each action needs and what it may refuse, by action."""

    schema = ShopSchema()
    http_method_names = ("get", "head", "post")
    scopes: ClassVar[Mapping[str, str]] = {}
    refusals: ClassVar[Mapping[str, tuple[type[errors.Refusal], ...]]] = {}
    max_body = parsers.MAX_BODY

    def dispatch(self, request: HttpRequest, *args: Any, locale: str, **kwargs: Any) -> HttpResponseBase:
        """This will serve the request in the language that `loyalty.languages.speak` took from the path."""
        return super().dispatch(request, *args, **kwargs)


def body(data: Any, message: str) -> bytes:
    """This will write a success of the shop face; the message is in the language of the request."""
    return renderers.dumps({"success": True, "message": message, "data": data})


def answer(data: Any, message: str, status: int = 200) -> idempotency.Answer:
    """This will write a success as it is kept under a key."""
    return idempotency.Answer(status=status, body=body(data, message))


def respond(data: Any, message: str, status: int = 200) -> HttpResponse:
    """This will answer a success."""
    return send(answer(data, message, status))


@functools.cache
def success(data: type[serializers.Serializer]) -> serializers.Serializer:
    """This will describe the envelope of a success of the shop face."""
    always = fields.Bool(schema={"enum": [True]})
    message = fields.Words(help_text="What was done, in the language of the path.", schema={"example": "Done."})
    return inline_serializer(f"{data.__name__}Answer", {"success": always, "message": message, "data": data()})
