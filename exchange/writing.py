"""Writing rows as CSV, line by line, and the cells of any file.

Texts that a spreadsheet would run as a formula are defused.
"""

import csv
import datetime
import decimal
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from exchange import formulas

# About so many lines go out at once.
_LINES = 200
_MARK = "\ufeff"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """This will write rows as CSV, a few lines at a time, with the mark by which Excel knows UTF-8."""
    lines: list[str] = [_MARK]
    writer = csv.writer(_Lines(lines))
    writer.writerow(columns)
    for row in rows:
        writer.writerow(cells(row))
        if len(lines) >= _LINES:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)


def cells(row: Sequence[Any]) -> list[Any]:
    """This will answer the values of a row as cells: numbers stay numbers, and moments are in UTC."""
    return [_told(value) for value in row]


class _Lines:
    """What the writer of CSV takes for a file."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        self._lines.append(line)


def _told(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return value
        case decimal.Decimal():
            # Without the zeros that the column keeps: 250, 12.5.
            return decimal.Decimal(f"{value.normalize():f}")
        case datetime.datetime():
            return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
        case uuid.UUID():
            return str(value)
        case dict() | list():
            return formulas.defuse(orjson.dumps(value, default=str).decode())
    return formulas.defuse(str(value))
