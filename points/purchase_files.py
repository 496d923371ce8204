"""Reading files of purchases: CSV with a header, and columns set apart by spaces as in the CDNOW data set.

One line is one row. A row that makes no sense is set aside with its reason; only a file that makes no sense as a whole
is refused. All rows are kept in memory, some 600 bytes each, because they are replayed in the order of their dates.
"""

import collections
import csv
import dataclasses
import datetime
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from points.models import MAX_DIGITS

MAX_ROWS = 2_000_000
MAX_LINE = 10_000
# A year like 0197 is a slip of the pen; points from then would have expired before anybody saw them. A year later than
# the last could not be turned into UTC.
FIRST_YEAR, LAST_YEAR = 1900, 9998

# What a column may be called; where the header has several of a line, the first one counts.
HEADINGS = {
    "customer": ("customer_id", "customer"),
    "date": ("purchased_at", "date", "purchase_date", "order_date"),
    "amount": ("amount", "total", "dollar_value"),
    "items": ("items", "quantity", "number_of_cds"),
    "reference": ("reference", "order_id", "order_number", "order"),
    "email": ("email", "e_mail"),
    "name": ("name", "customer_name"),
}
_REQUIRED = ("customer", "date", "amount")
_DELIMITERS = ",;\t|"
# Without a header: CDNOW_master.txt, and CDNOW_sample.txt, where the id in the sample comes second.
_CDNOW = {
    4: {"customer": 0, "date": 1, "items": 2, "amount": 3},
    5: {"customer": 0, "date": 2, "items": 3, "amount": 4},
}

_LONGEST = {"customer": 100, "reference": 255, "email": 254, "name": 200}
# Stricter than fromisoformat, which finds a date in most rows of digits.
_MOMENT = re.compile(
    r"[0-9]{4}(-?)[0-9]{2}\1[0-9]{2}"
    r"([T ][0-9]{2}:?[0-9]{2}(:?[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
_AMOUNT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_ITEMS = re.compile(r"[0-9]{1,9}")


class UnreadableFile(Exception):
    """The file as a whole cannot be read; the message says why."""


class BadCell(Exception):
    """This row, or a cell of it, cannot be read; the message says why."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Purchase:
    """A row of the file, the `nth` one that names its customer."""

    line: int
    raw: str
    customer: str
    nth: int
    at: datetime.datetime
    amount: Decimal
    items: int | None
    reference: str | None
    email: str | None
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be imported, and why."""

    line: int
    reason: str
    raw: str


@dataclasses.dataclass(frozen=True, slots=True)
class PurchaseFile:
    """The rows of a file: those to replay, in the order of their dates, and the bad ones, in the order of the file."""

    purchases: list[Purchase]
    bad: list[BadRow]


def read(path: Path, *, zone: ZoneInfo, now: datetime.datetime, last_on: datetime.date | None = None) -> PurchaseFile:
    """This will read a file of purchases. Dates without an offset from UTC are local ones of `zone`.

    With `last_on` all dates are shifted by the same number of days, so that the last purchase is on that day.

    Raises:
        UnreadableFile: it is not there, does not say which column is which, or has too many rows.
    """
    purchases: list[Purchase] = []
    bad: list[BadRow] = []
    try:
        # A row that is not UTF-8 can still be listed, byte for byte.
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            for row in _Reader(_lines(file.readline), zone):
                if isinstance(row, Purchase):
                    purchases.append(row)
                else:
                    bad.append(row)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}.") from error
    purchases = _past(purchases, now, bad)
    if last_on is not None and purchases:
        purchases = _past(_shifted(purchases, last_on, zone), now, bad)
    return PurchaseFile(
        purchases=sorted(purchases, key=lambda row: (row.at, row.line)), bad=sorted(bad, key=lambda row: row.line)
    )


def _lines(readline: Callable[[int], str]) -> Iterator[tuple[int, str]]:
    """This will answer the lines that are not blank, with their numbers; of one that is too long, its beginning."""
    number = 0
    while line := readline(MAX_LINE + 1):
        number += 1
        rest = line
        while not rest.endswith("\n") and (rest := readline(MAX_LINE)):
            pass
        if line.strip():
            yield number, line.rstrip("\n")


class _Reader:
    """Reads rows once the first line has told how."""

    def __init__(self, lines: Iterator[tuple[int, str]], zone: ZoneInfo) -> None:
        self.lines = lines
        self.zone = zone
        self.delimiter: str | None = None
        self.columns: dict[str, int] = {}
        self.width = 0
        self.seen: collections.Counter[str] = collections.Counter()

    def __iter__(self) -> Iterator[Purchase | BadRow]:
        first = next(self.lines, None)
        if first is None:
            raise UnreadableFile("The file is empty.")
        if not self._read_header(first[1]):
            yield self._row(*first)
        for n, (line, raw) in enumerate(self.lines, 2):
            if n > MAX_ROWS:
                raise UnreadableFile(f"The file has more than {MAX_ROWS:,} rows.")
            yield self._row(line, raw)

    def _read_header(self, line: str) -> bool:
        """This will find out which column is which, and answer whether the line was a header."""
        present = [character for character in _DELIMITERS if character in line]
        self.delimiter = max(present, key=line.count) if present else None
        try:
            fields = self._split(line)
        except BadCell as error:
            raise UnreadableFile(f"The header cannot be read: {error}") from error
        self.width = len(fields)
        if self.delimiter is None and fields[0].isdecimal():
            if self.width not in _CDNOW:
                raise UnreadableFile("Columns set apart by spaces need a header, unless they are those of CDNOW.")
            self.columns = _CDNOW[self.width]
            return False
        names = [re.sub(r"[\s-]+", "_", field.strip().lower()) for field in fields]
        for column, headings in HEADINGS.items():
            name = next((heading for heading in headings if heading in names), None)
            if name is not None and names.count(name) > 1:
                raise UnreadableFile(f"The header names {name} twice.")
            if name is not None:
                self.columns[column] = names.index(name)
            elif column in _REQUIRED:
                raise UnreadableFile(f"The header has no column {' or '.join(headings)}.")
        return True

    def _row(self, line: int, raw: str) -> Purchase | BadRow:
        try:
            fields = self._split(raw)
            if len(fields) != self.width:
                raise BadCell(f"The row has {len(fields)} columns, the first line {self.width}.")
            return self._purchase(line, raw, {name: fields[n].strip() for name, n in self.columns.items()})
        except BadCell as error:
            return BadRow(line, str(error), raw)

    def _split(self, line: str) -> list[str]:
        if len(line) > MAX_LINE:
            raise BadCell(f"The line has more than {MAX_LINE:,} characters.")
        if "\0" in line:
            raise BadCell("The line holds a NUL character.")
        try:
            line.encode()
        except UnicodeEncodeError as error:
            raise BadCell("The line is not UTF-8.") from error
        if self.delimiter is None:
            return line.split()
        try:
            # Line by line: a quote that is never closed spoils its own row, not all that follow.
            [fields] = csv.reader([line], delimiter=self.delimiter, strict=True)
        except csv.Error as error:
            raise BadCell(f"The line is not CSV: {error}.") from error
        return fields

    def _purchase(self, line: int, raw: str, fields: dict[str, str]) -> Purchase:
        customer = _text(fields, "customer")
        if not customer:
            raise BadCell("The customer is missing.")
        # Bad rows count as well: one that is corrected must not move the numbers of those after it.
        self.seen[customer] += 1
        return Purchase(
            line=line,
            raw=raw,
            customer=customer,
            nth=self.seen[customer],
            at=moment(fields["date"], self.zone),
            amount=amount(fields["amount"]),
            items=_items(fields.get("items", "")),
            reference=_text(fields, "reference") or None,
            email=_email(fields),
            name=_text(fields, "name"),
        )


def _text(fields: dict[str, str], name: str) -> str:
    text = fields.get(name, "")
    if len(text) > _LONGEST[name]:
        raise BadCell(f"The {name} has more than {_LONGEST[name]} characters.")
    return text


def moment(text: str, zone: ZoneInfo) -> datetime.datetime:
    """This will read a date, which is its beginning in the zone, or a time, local where it names no offset.

    Raises:
        BadCell: it is neither.
    """
    if not _MOMENT.fullmatch(text):
        raise BadCell("The date is neither YYYYMMDD nor ISO 8601.")
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise BadCell(f"There is no such date: {error}.") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise BadCell(f"The year is not between {FIRST_YEAR} and {LAST_YEAR}.")
    return _utc(moment, zone) if moment.tzinfo is None else moment.astimezone(datetime.UTC)


def _utc(local: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    # As in points/expiry.py: a local time that does not exist moves forward, one that exists twice is the first.
    return local.replace(tzinfo=zone, fold=0).astimezone(datetime.UTC)


def amount(text: str) -> Decimal:
    """This will read what a purchase cost.

    Raises:
        BadCell: it is no number, too long, or negative.
    """
    if not _AMOUNT.fullmatch(text):
        raise BadCell("The amount is not a number such as 12.50.")
    if len(text.lstrip("+-0").replace(".", "")) > MAX_DIGITS:
        raise BadCell(f"The amount has more than {MAX_DIGITS} digits.")
    value = Decimal(text)
    if value < 0:
        raise BadCell("The amount is negative: returns are not imported.")
    return value


def _items(text: str) -> int | None:
    if not text:
        return None
    if not _ITEMS.fullmatch(text):
        raise BadCell("The number of items is not a whole number.")
    return int(text)


def _email(fields: dict[str, str]) -> str | None:
    email = _text(fields, "email")
    if not email:
        return None
    try:
        validate_email(email)
    except ValidationError as error:
        raise BadCell("The e-mail address is not one.") from error
    return email


def _past(purchases: list[Purchase], now: datetime.datetime, bad: list[BadRow]) -> list[Purchase]:
    """This will set aside what has not happened yet: an account's clock never goes back."""
    bad += [BadRow(row.line, "The date is in the future.", row.raw) for row in purchases if row.at > now]
    return [row for row in purchases if row.at <= now]


def _shifted(purchases: list[Purchase], last_on: datetime.date, zone: ZoneInfo) -> list[Purchase]:
    """This will move all purchases by the same number of days; each keeps its local time of day."""
    local = [row.at.astimezone(zone).replace(tzinfo=None) for row in purchases]
    by = last_on - max(local).date()
    return [dataclasses.replace(row, at=_utc(then + by, zone)) for row, then in zip(purchases, local, strict=True)]
