"""Reading the rows of a CSV file or of a workbook's first sheet, one after another, in memory that does not grow with
what a row holds.

A row that cannot be read is told with its reason; only what cannot be read as a whole is refused.
"""

import csv
import dataclasses
import datetime
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import IO, Any
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from exchange import formulas, uploads
from exchange.uploads import UnreadableFile

MOST_ROWS = 1_000_000
MOST_COLUMNS = 100
# As many characters as a cell of Excel holds.
LONGEST_CELL = 32_767
# Of text between two line breaks: more than as many cells as a row may have, each as long as it may be and full of
# quotes. So a longer line is a row with a fault, whatever comes after that.
_LONGEST_LINE = 8 << 20
# Of XML between two rows of a sheet, or before and after them: what is read at once.
_LONGEST_ROW = 4 << 20
_BLOCK = 1 << 18
_DELIMITERS = ",;\t|"
# A row of a sheet, or a text that cells share.
_ROW_TAG = re.compile(rb"<(?:[A-Za-z0-9_]+:)?(?:row|si)[\s>/]")
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
# What the library says of a file that somebody has damaged, or made by hand.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ParseError,
    InvalidFileException,
    NotImplementedError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A row: what its cells say, or why it cannot be read. `number` is what a spreadsheet gives it."""

    number: int
    cells: tuple[str, ...] = ()
    fault: str = ""


def read(file: IO[bytes], *, file_type: str) -> Iterator[Line]:
    """This will answer the rows that are not blank; the first of them has the headings.

    Raises:
        UnreadableFile: the file as a whole cannot be read, or has too many rows.
    """
    lines = _read_xlsx(file) if file_type == "xlsx" else _read_csv(file)
    for line in lines:
        if line.number > MOST_ROWS + 1:
            raise UnreadableFile(f"The file has more than {MOST_ROWS:,} rows. Divide it into several.")
        if line.fault or any(line.cells):
            yield line


def _read_csv(file: IO[bytes]) -> Iterator[Line]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    head = text.readline(_LONGEST_LINE)
    delimiter = max(_DELIMITERS, key=head.count)
    text.seek(0)
    rows = csv.reader(_lines(text.readline), delimiter=delimiter, strict=True)
    number = 0
    while True:
        number, read = number + 1, rows.line_num
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            # The reader goes on with the line after those that it took for one row.
            count = rows.line_num - read
            lines = f" {count:,} lines of the file are taken for this row." if count > 1 else ""
            yield Line(number, fault=f"The row is not CSV: a quote is missing, or a cell is too long.{lines}")
        else:
            yield _line(number, cells)


def _lines(readline: Callable[[int], str]) -> Iterator[str]:
    """This will answer the lines, of one that is too long its beginning: the rest of it is no row of its own."""
    while line := readline(_LONGEST_LINE):
        rest, is_whole = line, True
        while not rest.endswith(("\n", "\r")) and (rest := readline(_LONGEST_LINE)):
            is_whole = False
        # What was cut may end in cells that are empty, and so look like a row that has no more of them.
        yield line if is_whole else f"{line}\0"


def _read_xlsx(file: IO[bytes]) -> Iterator[Line]:
    try:
        # First: to open a workbook is to look into all of its sheets.
        with zipfile.ZipFile(file) as archive:
            for part in archive.infolist():
                if uploads.is_read_by_rows(part.filename) and part.file_size > _LONGEST_ROW:
                    with archive.open(part) as xml:
                        _measure(xml)
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheet = workbook.worksheets[0]
        # What a file says of its own size need not be so.
        sheet.reset_dimensions()
        rows = enumerate(sheet.iter_rows(values_only=True), 1)
    except _BROKEN as failure:
        raise UnreadableFile("The workbook is damaged, or has no sheet.") from failure
    while True:
        try:
            number, values = next(rows)
            line = _line(number, [_text(value) for value in values])
        except StopIteration:
            return
        except _BROKEN as failure:
            raise UnreadableFile("The workbook is damaged.") from failure
        yield line


def _measure(xml: IO[bytes]) -> None:
    """This will refuse a part of a workbook with a row, or a text, that would not fit into memory."""
    since, tail = 0, b""
    while block := xml.read(_BLOCK):
        text = tail + block
        last = max((found.start() for found in _ROW_TAG.finditer(text)), default=None)
        since = since + len(block) if last is None else len(text) - last
        if since > _LONGEST_ROW:
            raise UnreadableFile("A row of the workbook is too long to be read.")
        tail = text[-32:]


def _line(number: int, cells: list[str]) -> Line:
    while cells and not cells[-1]:
        cells.pop()
    if len(cells) > MOST_COLUMNS:
        return Line(number, fault=f"The row has more than {MOST_COLUMNS} columns.")
    if any(len(cell) > LONGEST_CELL for cell in cells):
        return Line(number, fault=f"A cell has more than {LONGEST_CELL:,} characters.")
    if any(_CONTROL.search(cell) for cell in cells):
        return Line(number, fault="A cell has a character that is no text, such as NUL.")
    return Line(number, tuple(formulas.restore(cell.strip(" ")).strip() for cell in cells))


def _text(value: Any) -> str:
    """This will write a cell of a workbook as a CSV file would have it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            # As it is shown: 12.5, and not 1.25e1.
            return f"{Decimal(repr(value)).normalize():f}"
        case datetime.datetime():
            moment = (value + datetime.timedelta(milliseconds=0.5)).replace(microsecond=0)
            is_day = moment.time() == datetime.time()
            return moment.date().isoformat() if is_day else moment.isoformat()
        case datetime.date() | datetime.time():
            return value.isoformat()
    return str(value)
