"""The columns of a file: what they may be called, and how a cell of each is read."""

import dataclasses
import datetime
import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from cards.models import CARD_NUMBER
from exchange.uploads import UnreadableFile
from points import purchase_files

MOST_DIGITS = 15
MOST_METADATA = 1_024
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,10})?")
_WHOLE = re.compile(r"[0-9]{1,10}")


class _Bad(Exception):
    """A cell does not say what it should; the message says why."""


class BadCells(Exception):
    """Cells of a row do not say what they should: each column with its reason, and what the others say."""

    def __init__(self, faults: list[tuple[str, str]], said: dict[str, Any]) -> None:
        super().__init__(str(faults))
        self.faults = faults
        self.said = said


Read = Callable[[str, ZoneInfo], Any]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column that is read. `headings` are other names that it may have; `example` stands in the template."""

    name: str
    read: Read
    help: str
    headings: tuple[str, ...] = ()
    is_required: bool = False
    example: str = ""

    def find(self, headings: Sequence[str]) -> int | None:
        """This will answer which of the headings of a file is this column's, if one is.

        Raises:
            UnreadableFile: several are.
        """
        for name in (self.name, *self.headings):
            if headings.count(name) > 1:
                raise UnreadableFile(f"The headings have {name} twice.")
            if name in headings:
                return headings.index(name)
        return None


def headings(cells: Sequence[str]) -> list[str]:
    """This will answer the names in a file's first row: case does not matter, a space or hyphen is an underscore."""
    return [re.sub(r"[\s-]+", "_", cell.lower())[:50] for cell in cells]


def read(columns: Sequence[Column], cells: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """This will answer what the cells of a row say, by column; what is empty or not there is None.

    Raises:
        BadCells: with each fault there is.
    """
    said: dict[str, Any] = {}
    faults = []
    for column in columns:
        cell = cells.get(column.name, "")
        said[column.name] = None
        try:
            if cell:
                said[column.name] = column.read(cell, zone)
            elif column.is_required:
                raise _Bad("It is missing.")
        except _Bad as fault:
            faults.append((column.name, str(fault)))
    if faults:
        raise BadCells(faults, said)
    return said


def text(longest: int) -> Read:
    """This will read a text of at most so many characters."""

    def read_text(cell: str, _: ZoneInfo) -> str:
        if len(cell) > longest:
            raise _Bad(f"It has more than {longest:,} characters.")
        return cell

    return read_text


def matching(pattern: str, fault: str) -> Read:
    """This will read a text that has a form, or tell the fault."""
    form = re.compile(pattern)

    def read_form(cell: str, _: ZoneInfo) -> str:
        if not form.fullmatch(cell):
            raise _Bad(fault)
        return cell

    return read_form


def email(cell: str, _: ZoneInfo) -> str:
    """This will read an e-mail address."""
    try:
        validate_email(cell)
    except ValidationError as failure:
        raise _Bad("It is not an e-mail address.") from failure
    if len(cell) > 254:
        raise _Bad("It has more than 254 characters.")
    return cell


def card_number(cell: str, _: ZoneInfo) -> str:
    """This will read the number of a card."""
    number = cell.upper()
    if not CARD_NUMBER.fullmatch(number):
        raise _Bad("It is not LC and 12 digits.")
    return number


def number(cell: str, _: ZoneInfo) -> Decimal:
    """This will read a number above zero with a point before its decimals."""
    if not _NUMBER.fullmatch(cell):
        raise _Bad("It is not a number such as 12.50.")
    if len(cell.lstrip("0").replace(".", "")) > MOST_DIGITS:
        raise _Bad(f"It has more than {MOST_DIGITS} digits.")
    value = Decimal(cell)
    if not value:
        raise _Bad("It must be above zero.")
    if value != round(value, 2):
        raise _Bad("It has more than two decimals.")
    return value


def amount(cell: str, _: ZoneInfo) -> Decimal:
    """This will read what a purchase cost: zero is possible."""
    try:
        return purchase_files.amount(cell)
    except purchase_files.BadCell as fault:
        raise _Bad(str(fault)) from fault


def whole(least: int, most: int) -> Read:
    """This will read a whole number between two others."""

    def read_whole(cell: str, _: ZoneInfo) -> int:
        if not _WHOLE.fullmatch(cell) or not least <= int(cell) <= most:
            raise _Bad(f"It is not a whole number from {least:,} to {most:,}.")
        return int(cell)

    return read_whole


def moment(cell: str, zone: ZoneInfo) -> datetime.datetime:
    """This will read a date, which is its beginning in the zone, or a time, local where it has no offset."""
    try:
        return purchase_files.moment(cell, zone)
    except purchase_files.BadCell as fault:
        raise _Bad(str(fault)) from fault


def flag(cell: str, _: ZoneInfo) -> bool:
    """This will read yes or no."""
    match cell.lower():
        case "yes" | "true" | "1":
            return True
        case "no" | "false" | "0":
            return False
    raise _Bad("It is neither yes nor no.")


def choice(*values: str) -> Read:
    """This will read one of some words."""

    def read_choice(cell: str, _: ZoneInfo) -> str:
        if cell.lower() not in values:
            raise _Bad(f"It is none of {', '.join(values)}.")
        return cell.lower()

    return read_choice


def metadata(cell: str, _: ZoneInfo) -> dict[str, Any]:
    """This will read a flat or nested JSON object of at most 1,024 bytes."""
    if len(cell.encode()) > MOST_METADATA:
        raise _Bad(f"It has more than {MOST_METADATA:,} bytes.")
    try:
        value = json.loads(cell, parse_constant=_no_number)
        # A text that it holds may still be none that the database keeps.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as failure:
        raise _Bad("It is not JSON.") from failure
    if not isinstance(value, dict) or "\\u0000" in cell:
        raise _Bad("It is not a JSON object.")
    return value


def _no_number(word: str) -> Any:
    raise ValueError(word)
