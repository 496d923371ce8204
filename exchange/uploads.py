"""Files as they come in: what they are by their contents, and how the database keeps them."""

import codecs
import contextlib
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO

from django.conf import settings

from exchange.models import Import, ImportChunk
from loyalty import errors

CHUNK = 1 << 20
ZIP = b"PK\x03\x04"
# What a workbook may unpack to: its sheets and texts, and each of the parts that are read into memory as a whole.
MOST_UNPACKED = 1 << 30
MOST_TEXTS = 64 << 20
MOST_OF_A_PART = 8 << 20
MOST_PARTS = 1_000
_BOM = codecs.BOM_UTF8
_LINE = b"\n"
_TEXTS = "sharedStrings"


class UnreadableFile(errors.Refusal):
    """The file as a whole cannot be read; the message says why."""

    code = "UNREADABLE_FILE"
    status = 400


def most_bytes() -> int:
    """This will answer how large a file may be."""
    return settings.IMPORT_MAX_MB << 20


def recognise(file: IO[bytes], *, name: str) -> str:
    """This will answer what a file is by its contents: csv or xlsx. What its name says has to be the same.

    Raises:
        UnreadableFile: it is neither, is called otherwise, is too large, or is not UTF-8.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if not size:
        raise UnreadableFile("The file is empty.")
    if size > most_bytes():
        raise UnreadableFile(f"The file is larger than {settings.IMPORT_MAX_MB} MB. Divide it into several.")
    ending = name.rpartition(".")[2].lower()
    if ending not in ("csv", "txt", "xlsx"):
        raise UnreadableFile("The name of the file must end in .csv or .xlsx.")
    is_zip = file.read(len(ZIP)) == ZIP
    file.seek(0)
    if is_zip != (ending == "xlsx"):
        is_called = "a workbook" if ending == "xlsx" else "CSV"
        raise UnreadableFile(f"The file is called {is_called}, but its contents are something else.")
    if is_zip:
        _look_into(file)
    else:
        _decode(file)
    file.seek(0)
    return "xlsx" if is_zip else "csv"


def is_read_by_rows(part: str) -> bool:
    """This will tell whether a part of a workbook is a sheet, or the texts that sheets share."""
    return part.startswith("xl/worksheets/") or _TEXTS in part


def keep(upload: Import, file: IO[bytes]) -> None:
    """This will write a file into the database, in the caller's transaction."""
    file.seek(0)
    number = 0
    while content := file.read(CHUNK):
        ImportChunk.objects.create(of=upload, number=number, content=content)
        number += 1


@contextlib.contextmanager
def kept(upload: Import) -> Iterator[IO[bytes]]:
    """This will open the file of an import, as a copy on this machine that vanishes when it is closed."""
    with tempfile.TemporaryFile() as file:
        number = 0
        chunks = ImportChunk.objects.filter(of=upload)
        while (content := chunks.filter(number=number).values_list("content", flat=True).first()) is not None:
            file.write(content)
            number += 1
        file.seek(0)
        yield file


def _look_into(file: IO[bytes]) -> None:
    """This will refuse a workbook that lacks what one has, or unpacks to more than one should. A part never unpacks to
    more than the list of contents says: reading ends there."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as failure:
        raise UnreadableFile("The workbook is damaged.") from failure
    names = {part.filename for part in parts}
    if len(parts) > MOST_PARTS or not {"[Content_Types].xml", "xl/workbook.xml"} <= names:
        raise UnreadableFile("The file is an archive, but not an Excel workbook (.xlsx).")
    if any(part.flag_bits & 1 for part in parts):
        raise UnreadableFile("The workbook is encrypted.")
    for part in parts:
        most = MOST_OF_A_PART
        if is_read_by_rows(part.filename):
            most = MOST_TEXTS if _TEXTS in part.filename else MOST_UNPACKED
        # Pictures are not read.
        if part.file_size > most and not part.filename.startswith("xl/media/"):
            raise UnreadableFile("The workbook unpacks to more than can be read. Save it as CSV.")
    if sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise UnreadableFile("The workbook unpacks to more than can be read. Save it as CSV.")


def _decode(file: IO[bytes]) -> None:
    """This will refuse what is not text in UTF-8, and say where it is not."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, is_first = 1, True
    while content := file.read(CHUNK):
        # Also UTF-16, and other binary files: CSV has none, and a cell that has one is told by its row.
        if is_first and b"\0" in content.removeprefix(_BOM).partition(_LINE)[0]:
            raise UnreadableFile("The file is not text. Save it as CSV in UTF-8.")
        is_first = False
        try:
            decoder.decode(content)
        except UnicodeDecodeError as failure:
            # What is left of the piece before is at most three bytes, and no line ends in it.
            line += failure.object[: failure.start].count(_LINE)
            raise UnreadableFile(f"Line {line:,} is not UTF-8. Save the file as CSV in UTF-8.") from failure
        line += content.count(_LINE)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as failure:
        raise UnreadableFile(f"Line {line:,} is not UTF-8. Save the file as CSV in UTF-8.") from failure
