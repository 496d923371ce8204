"""Writing rows as CSV, line by line, or as a workbook. Texts that a spreadsheet would run as a formula are defused."""

import contextlib
import csv
import datetime
import decimal
import re
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import orjson

from exchange import formulas
from loyalty import errors

# What a sheet of Excel holds, its headings among them, and a cell.
MOST_ROWS = 1_048_576
_LONGEST_CELL = 32_767
# What XML 1.0 has no character for (https://www.w3.org/TR/xml/#charsets).
_NOT_IN_A_CELL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# About so many lines go out at once.
_LINES = 200
_MARK = "\ufeff"


class TooManyRows(errors.Refusal):
    """A workbook does not hold so many rows."""

    code = "TOO_MANY_ROWS"
    status = 422
    message = f"There are more rows than the {MOST_ROWS:,} that a sheet of a workbook holds: take CSV."


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """This will write rows as CSV, a few lines at a time, with the mark by which Excel knows UTF-8."""
    lines: list[str] = [_MARK]
    writer = csv.writer(_Lines(lines))
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_told(value) for value in row])
        if len(lines) >= _LINES:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)


def workbook(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> IO[bytes]:
    """This will write rows as a workbook into a file that vanishes when it is closed.

    Raises:
        TooManyRows.
    """
    # It takes some megabytes, which a web server that writes no workbook need not have.
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(list(columns))
    with contextlib.ExitStack() as unless_done:
        file = unless_done.enter_context(tempfile.TemporaryFile())
        try:
            for number, row in enumerate(rows, 2):
                if number > MOST_ROWS:
                    raise TooManyRows
                sheet.append([_in_a_cell(_told(value)) for value in row])
        finally:
            # Also where it fails: this deletes what the library has on the disk.
            book.save(file)
        unless_done.pop_all()
    file.seek(0)
    return file


class _Lines:
    """What the writer of CSV takes for a file."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        self._lines.append(line)


def _told(value: Any) -> Any:
    """This will write a value as a cell: numbers stay numbers, and moments are in UTC."""
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


def _in_a_cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = _NOT_IN_A_CELL.sub("\N{REPLACEMENT CHARACTER}", value)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
