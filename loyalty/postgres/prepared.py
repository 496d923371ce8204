"""Statements that the server parses and plans once a connection instead of once a request: for the hot path."""

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from django.db.backends.utils import CursorWrapper

from loyalty.postgres.base import DatabaseWrapper

_PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?s")


class _Statement(NamedTuple):
    name: str
    prepare: str
    call: str


def execute(cursor: CursorWrapper, label: str, sql: str, arguments: Sequence[Any] | Mapping[str, Any]) -> None:
    """This will run SQL with placeholders as the driver writes them, `%s` or `%(name)s`, by its prepared form.

    The label is what the server's views and logs show of it. The texts must be few: each one that is ever run stays
    in the memory of every connection.
    """
    statement = _statement(label, sql)
    known = cast(DatabaseWrapper, cursor.db).prepared
    if statement.name not in known:
        cursor.execute(statement.prepare)
        known.add(statement.name)
    cursor.execute(statement.call, arguments)


@functools.cache
def _statement(label: str, sql: str) -> _Statement:
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        # Without a name each placeholder is an argument of its own.
        name = match[1] or str(len(names))
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    numbered = _PLACEHOLDER.sub(number, sql).replace("%%", "%")
    name = f"{label}_{hashlib.sha256(sql.encode()).hexdigest()[:16]}"
    values = ", ".join(f"%({name})s" if "%(" in sql else "%s" for name in names)
    return _Statement(name, f"PREPARE {name} AS {numbered}", f"EXECUTE {name} ({values})")
