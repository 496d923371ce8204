"""Customers whom an uploaded file names: their ids, e-mail addresses or card numbers, one on each line."""

import csv
import dataclasses
import datetime
import io
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from django.db import connection, transaction

from campaigns.models import CustomerList
from cards.models import CARD_NUMBER
from loyalty import errors, ids
from loyalty.models import Program

MOST_BYTES = 8_000_000
MOST_LINES = 200_000
LONGEST_NAME = 254
# So many of the lines that name nobody are kept, cut to so many characters.
MOST_MISSING = 200
LONGEST_MISSING = 120
BATCH = 5_000
_HEADERS = {"id", "customer", "customer_id", "external_id", "email", "e-mail", "card", "card_number", "number"}


class BadList(errors.InvalidParameters):
    """The file is no list of customers."""

    def __init__(self, text: str) -> None:
        super().__init__({"file": [text]})


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What a line says, in the columns by which customers are found."""

    text: str
    id: uuid.UUID | None
    number: str | None

    @classmethod
    def read(cls, text: str) -> "Line":
        """This will see what the text may be."""
        number = text.replace(" ", "").upper()
        return cls(text, ids.parse("cus", text) or _uuid(text), number if CARD_NUMBER.fullmatch(number) else None)


def upload(*, program: Program, file: BinaryIO, name: str, actor: str) -> CustomerList:
    """This will make a list of the customers whom the first column of a file names. Lines that name nobody of the
    programme are counted, and the first ones kept.

    Raises:
        BadList: it is too large, no text, or says nothing.
    """
    lines = list(dict.fromkeys(_lines(file)))
    if not lines:
        raise BadList("The file names nobody: put a customer's id, e-mail address or card number on each line.")
    with transaction.atomic():
        made = CustomerList.objects.create(program=program, name=name[:200] or "list", created_by=actor)
        missing: list[str] = []
        for start in range(0, len(lines), BATCH):
            missing += _note(made, [Line.read(text) for text in lines[start : start + BATCH]])
        made.lines, made.missing = len(lines), len(missing)
        made.missing_lines = [text[:LONGEST_MISSING] for text in missing[:MOST_MISSING]]
        made.customers = made.rows.count()
        made.save(update_fields=["lines", "missing", "missing_lines", "customers"])
    return made


def forget(*, before: datetime.datetime) -> int:
    """This will empty what is kept of lines that named nobody, in lists that were uploaded before a moment, and answer
    in how many: they may be addresses of people who are no customers."""
    return CustomerList.objects.filter(created_at__lt=before).exclude(missing_lines=[]).update(missing_lines=[])


def _lines(file: BinaryIO) -> Iterator[str]:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise BadList(f"The file is larger than {MOST_BYTES // 1_000_000} MB.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadList("The file is no text in UTF-8.") from error
    if "\0" in text:
        raise BadList("The file is no text.")
    first = text.partition("\n")[0]
    delimiter = next((sign for sign in ";\t," if sign in first), ",")
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)):
            name = row[0].strip() if row else ""
            if number >= MOST_LINES:
                raise BadList(f"The file has more than {MOST_LINES:,} lines.")
            if name and not (number == 0 and name.lower() in _HEADERS):
                # Longer than any name of a customer: told as missing.
                yield name[: LONGEST_NAME + 1]
    except csv.Error as error:
        raise BadList("The file is neither lines nor CSV.") from error


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None


# Each by the index of its column. The shop's own id may look like any of the others.
_FIND = """
WITH named AS (
    SELECT * FROM unnest(%(texts)s::text[], %(ids)s::uuid[], %(numbers)s::text[]) WITH ORDINALITY
    AS n (text, id, number, line)
), found AS (
    SELECT n.line, c.id FROM named n JOIN cards_customer c ON c.program_id = %(program)s AND c.id = n.id
    UNION
    SELECT n.line, c.id FROM named n JOIN cards_customer c
        ON c.program_id = %(program)s AND c.external_id = n.text
    UNION
    SELECT n.line, c.id FROM named n JOIN cards_customer c
        ON c.program_id = %(program)s AND lower(c.email) = lower(n.text)
    UNION
    SELECT n.line, k.customer_id FROM named n JOIN cards_card k
        ON k.program_id = %(program)s AND k.number = n.number
), living AS (
    SELECT f.line, COALESCE(c.merged_into_id, c.id) AS id FROM found f JOIN cards_customer c ON c.id = f.id
    WHERE c.erased_at IS NULL
), noted AS (
    INSERT INTO campaigns_listedcustomer (listing_id, customer_id) SELECT DISTINCT %(listing)s::uuid, id FROM living
    ON CONFLICT DO NOTHING
)
SELECT text FROM named WHERE line NOT IN (SELECT line FROM living) ORDER BY line
"""


def _note(made: CustomerList, lines: Sequence[Line]) -> list[str]:
    """This will put those whom lines name on the list, and answer the lines that name nobody."""
    known: dict[str, Any] = {
        "program": made.program_id,
        "listing": made.pk,
        "texts": [line.text for line in lines],
        "ids": [line.id for line in lines],
        "numbers": [line.number for line in lines],
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIND, known)
        return [text for (text,) in cursor.fetchall()]
