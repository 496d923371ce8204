"""What the views of the customers face (v1) share: bare objects, and lists that go on from an id."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers, viewsets
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from loyalty import errors, idempotency
from loyalty.api import fields, management, parsers, renderers
from loyalty.api.fields import optional
from loyalty.api.schema import V1Schema
from loyalty.api.serializers import Faults, Output, Query
from loyalty.permissions import caller

CUSTOMERS = ["Customers"]
POINTS = ["Customer points"]
REWARDS = ["Rewards"]
HOLDS = ["Holds and transfers"]
EVENTS = ["Events"]
WEBHOOKS = ["Webhooks"]

LARGEST_PAGE = 100

key_of = management.key_of
send = management.send

Row = TypeVar("Row", bound=Model)


class V1ViewSet(viewsets.ViewSet):
    """A viewset that says which scope each action needs and what it may refuse, by action."""

    schema = V1Schema()
    http_method_names = ("get", "head", "post", "patch", "delete")
    scopes: ClassVar[Mapping[str, str]] = {}
    refusals: ClassVar[Mapping[str, tuple[type[errors.Refusal], ...]]] = {}
    max_body = parsers.MAX_BODY


class Cursor(Query):
    """Which part of a list is wanted: at most `limit` rows, after one row or before one."""

    limit = fields.FromOne(required=False, default=20, help_text="At most that many rows; above 100 it is 100.")
    starting_after = fields.Text(max_length=100, **optional())
    ending_before = fields.Text(
        max_length=100, **optional(help_text="Id of the first row of a page: the way back. Not with `starting_after`.")
    )

    def faults_together(self, data: Mapping[str, Any]) -> Faults:
        """This will see to it that the list goes one way."""
        if data.get("starting_after") is None or data.get("ending_before") is None:
            return {}
        return {"ending_before": [ErrorDetail("Send starting_after or ending_before, not both.", code="exclusive")]}


@dataclasses.dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A part of a list in the list's order, and whether there is more of it that way."""

    rows: list[Row]
    has_more: bool


def read_page(
    rows: QuerySet[Row],
    query: Mapping[str, Any],
    *,
    find: Callable[[str], Row | None],
    after: Callable[[QuerySet[Row], Row], QuerySet[Row]],
    before: Callable[[QuerySet[Row], Row], QuerySet[Row]],
) -> Page[Row]:
    """This will answer the part of an ordered list that a `Cursor` chooses. `find` knows the row of an id; `after` and
    `before` cut the list there, and `before` turns it round: the nearest first.

    Raises:
        errors.InvalidParameters: no row has the id that the list is to go on from.
    """
    limit = min(query["limit"], LARGEST_PAGE)
    is_back = query["ending_before"] is not None
    if is_back:
        rows = before(rows, _named(query, "ending_before", find))
    elif query["starting_after"] is not None:
        rows = after(rows, _named(query, "starting_after", find))
    found = list(rows[: limit + 1])
    page = found[:limit]
    return Page(page[::-1] if is_back else page, len(found) > limit)


def _named(query: Mapping[str, Any], name: str, find: Callable[[str], Row | None]) -> Row:
    row = find(query[name])
    if row is None:
        raise errors.InvalidParameters({name: ["No row of this list has this id."]}, rule="exists")
    return row


def answer(data: Any, status: int = 200) -> idempotency.Answer:
    """This will write a success as it is kept under a key."""
    return idempotency.Answer(status=status, body=renderers.dumps(data))


def respond(data: Any, status: int = 200) -> HttpResponse:
    """This will answer a success."""
    return send(answer(data, status))


def respond_with_list(rows: Sequence[Mapping[str, Any]], *, has_more: bool) -> HttpResponse:
    """This will answer a list, or a part of one."""
    return respond({"object": "list", "data": rows, "has_more": has_more})


def once(request: Request, work: Callable[[], idempotency.Answer | errors.Refusal]) -> HttpResponse:
    """This will do the work, or answer what the caller's key, one of the programme's, was answered before."""
    return send(idempotency.answer_once(owner_id=caller(request).program.pk, key=key_of(request), work=work))


@functools.cache
def list_of(row: type[Output]) -> serializers.Serializer:
    """This will describe a list."""
    return inline_serializer(
        f"{row.__name__}List",
        {
            "object": fields.Words(schema={"enum": ["list"]}, help_text="What kind of object it is."),
            "data": row(many=True, help_text="The rows."),
            "has_more": fields.Bool(
                help_text="Whether there are more rows that way: go on with the last id as `starting_after`, or, going "
                "back, with the first id as `ending_before`."
            ),
        },
    )


class CustomerName(fields.Text):
    """Names a customer, by our id or by the shop's own."""

    def __init__(self, who: str = "the customer", **options: Any) -> None:
        super().__init__(max_length=100, help_text=f"Id of {who}, or the shop's own.", **options)


class Kind(fields.Words):
    """What kind of object an answer is: always the same word. What is written has an `id`, whatever else it is."""

    def __init__(self, kind: str) -> None:
        super().__init__(source="id", schema={"enum": [kind]})
        self.kind = kind

    def to_representation(self, value: Any) -> str:
        """This will answer the word."""
        return self.kind
