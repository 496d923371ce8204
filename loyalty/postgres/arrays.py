"""Arrays written as the server reads them: the driver makes an object of each member, which takes it much longer."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson
from django.db.models import BooleanField, Func, Value


def literal(members: Iterable[Any]) -> str:
    """This will write ids, numbers, moments in UTC, truths, texts and nulls as one array; the statement tells its type.

    The seconds that the offsets of some former days have would be lost.
    """
    column = list(members)
    text = orjson.dumps(column, default=str)
    if b"\\" in text:
        # A backslash of JSON may stand for a line's end; that of an array stands for what comes after it.
        return f"{{{','.join(map(_quoted, column))}}}"
    # Without one, both write a list in the same way, but for its brackets.
    return f"{{{text[1:-1].decode()}}}"


def has_id(field: str, ids: Iterable[UUID]) -> Func:
    """This will be the condition that a field is one of the ids: one value, where `__in` sends one for each of them."""
    form = {"template": "%(expressions)s::uuid[])", "arg_joiner": " = ANY("}
    return Func(field, Value(literal(ids)), output_field=BooleanField(), **form)


def _quoted(member: Any) -> str:
    if member is None:
        return "NULL"
    text = str(member).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
