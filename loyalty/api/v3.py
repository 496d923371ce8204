"""What the views of the accounts face (v3) share: camelCase, bare objects, and lists by `offset` and `count`."""

import functools
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers, viewsets
from rest_framework.request import Request

from loyalty import errors, idempotency
from loyalty.api import camel_case, fields, management, parsers, values
from loyalty.api.schema import V3Schema
from loyalty.api.serializers import Output, Query

TAG = ["Point accounts"]
LARGEST_PAGE = 1000

key_of = management.key_of
send = management.send


class V3ViewSet(viewsets.ViewSet):
    """A viewset that says which scope each action needs and what it may refuse, by action."""

    schema = V3Schema()
    parser_classes = (camel_case.CamelCaseParser,)
    http_method_names = ("get", "head", "post")
    scopes: ClassVar[Mapping[str, str]] = {}
    refusals: ClassVar[Mapping[str, tuple[type[errors.Refusal], ...]]] = {}
    # The actions that take an Idempotency-Key; a transaction has an id of its caller's instead.
    keyed: ClassVar[frozenset[str]] = frozenset()
    max_body = parsers.MAX_BODY


class PageQuery(Query):
    """Which part of a list is wanted."""

    offset = fields.Whole(
        minimum=0, maximum=10**15, required=False, default=0, help_text="How many rows are passed by."
    )
    count = fields.FromOne(required=False, default=100, help_text="At most that many rows; above 1,000 it is 1,000.")


class Link(Output):
    """Where to go on from here."""

    id = fields.Written(schema={"oneOf": [{"type": "string"}, {"type": "integer"}]}, required=False)
    href = fields.Words(schema={"example": "/api/v3/point-accounts/definitions/1"})
    method = fields.Words(schema={"enum": ["GET"]})
    rel = fields.Words(schema={"enum": ["definition", "transactions"]})


def read_query(kind: type[Query], request: Request) -> dict[str, Any]:
    """This will answer what a query string chooses, `count` lowered to what a page takes.

    Raises:
        errors.InvalidParameters: a value is malformed.
    """
    # A blank value is none, as an empty one is.
    given = {name: value for name, value in request.query_params.dict().items() if value.strip()}
    query = kind.read(camel_case.query(given))
    return query | {"count": min(query["count"], LARGEST_PAGE)} if "count" in query else query


def answer(data: Any, status: int = 200) -> idempotency.Answer:
    """This will write a success as it is kept under a key."""
    return idempotency.Answer(status=status, body=camel_case.dumps(data))


def respond(data: Any, status: int = 200) -> HttpResponse:
    """This will answer a success."""
    return send(answer(data, status))


def respond_with_page(rows: Sequence[Mapping[str, Any]], *, offset: int, total: int) -> HttpResponse:
    """This will answer a part of a list."""
    return respond({"items": rows, "count": len(rows), "offset": offset, "total_count": total, "links": []})


@functools.cache
def page_of(row: type[serializers.Serializer]) -> serializers.Serializer:
    """This will describe a part of a list."""
    return inline_serializer(
        f"{row.__name__}Page",
        {
            "items": row(many=True, help_text="The rows."),
            "count": fields.Count(help_text="How many rows these are."),
            "offset": fields.Count(help_text="How many rows were passed by.", schema={"example": 0}),
            "total_count": fields.Count(help_text="How many rows the whole list has."),
            "links": Link(many=True, help_text="None: go on with a larger `offset`."),
        },
    )


def path_id(text: str) -> uuid.UUID | None:
    """This will read the id of a path, or answer None for anything else, which names nothing."""
    try:
        return values.unique_id(text)
    except values.Fault:
        return None
