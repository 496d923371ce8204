"""Arrays written as the server reads them: the driver makes an object of each member, which takes it much longer."""

from collections.abc import Iterable
from typing import Any

import orjson


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


def _quoted(member: Any) -> str:
    if member is None:
        return "NULL"
    text = str(member).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
