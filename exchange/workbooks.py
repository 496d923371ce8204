"""Writing rows as a workbook of Excel while they are read: neither memory nor a disk holds the whole of it.

openpyxl keeps each sheet in a file of its own until the workbook is saved. Here it writes a sheet into its place in the
archive instead (ECMA-376, parts 1 and 2), and each piece of the archive goes out as soon as it is there.

openpyxl takes some megabytes, which a web server that writes no workbook need not have: import this where it is used.
"""

import io
import re
import zipfile
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import openpyxl
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.writer.excel import ExcelWriter

from exchange import writing

# What a sheet of Excel holds, its headings among them, and a cell.
MOST_ROWS = 1_048_576
_LONGEST_CELL = 32_767
# Of a part of an archive, before it is packed. Below two gigabytes archives need no extension, which some readers of
# workbooks do not know; the rest is room for the row that fills it.
MOST_BYTES = 1 << 30
# What XML 1.0 has no character for (https://www.w3.org/TR/xml/#charsets).
_NOT_IN_A_CELL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# About so many bytes go out at once.
_PIECE = 1 << 16


def workbook(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Generator[bytes]:
    """This will write rows as a workbook, a piece at a time.

    What one sheet does not hold goes on in the next, below the same headings.
    """
    book = openpyxl.Workbook(write_only=True)
    pieces = _Pieces()
    left = iter(rows)
    row = next(left, None)
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_DEFLATED) as archive:
        while row is not None or not book.worksheets:
            with _Sheet(book, archive) as sheet:
                sheet.append(columns)
                while row is not None and not sheet.is_full:
                    sheet.append(writing.cells(row))
                    row = next(left, None)
                    if pieces.size >= _PIECE:
                        yield pieces.taken()
        _Parts(book, archive).write_data()
    yield pieces.taken()


class _Pieces(io.RawIOBase):
    """What an archive is written into: it holds what has not been taken yet."""

    def __init__(self) -> None:
        self.size = 0
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._waiting.append(bytes(piece))
        self.size += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        taken = b"".join(self._waiting)
        self._waiting.clear()
        self.size = 0
        return taken


class _Sheet(io.BufferedIOBase):
    """A sheet that is written into its part of the archive row by row."""

    def __init__(self, book: openpyxl.Workbook, archive: zipfile.ZipFile) -> None:
        self._rows = 0
        self._bytes = 0
        self._sheet: WriteOnlyWorksheet = book.create_sheet()
        # The part is named after it.
        self._sheet._id = len(book.worksheets)
        self._part = archive.open(self._sheet.path[1:], "w")
        self._sheet._writer = WorksheetWriter(self._sheet, out=self)
        self._sheet._writer.write_top()

    @property
    def is_full(self) -> bool:
        return self._rows >= MOST_ROWS or (self._bytes >= MOST_BYTES and self._rows > 1)

    def append(self, row: Sequence[Any]) -> None:
        self._sheet.append([self._cell(value) for value in row])
        self._rows += 1

    def writable(self) -> bool:
        return True

    def write(self, text: Any) -> int:
        self._bytes += len(text)
        return self._part.write(text)

    def _cell(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = _NOT_IN_A_CELL.sub("\N{REPLACEMENT CHARACTER}", value)
        if text in ERROR_CODES:
            # The library takes it for the mistake of a formula.
            cell = WriteOnlyCell(self._sheet, text)
            cell.data_type = "s"
            return cell
        return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"

    def close(self) -> None:
        if not self.closed:
            self._sheet.close()
            self._part.close()
        super().close()


class _Parts(ExcelWriter):
    """Writes the parts of a workbook whose sheets are in the archive already."""

    def write_worksheet(self, ws: WriteOnlyWorksheet) -> None:
        self.manifest.append(ws)
