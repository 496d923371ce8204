"""The rows of a file, read and sorted, on the disk of this machine: memory does not grow with the file.

SQLite sorts what does not fit into memory and finds what repeats. Its file is deleted when it is closed, or when the
process ends in any way.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from exchange import columns, sheets
from exchange.kinds import Fault, Kind, Row
from exchange.uploads import UnreadableFile

# So many rows of one customer are brought in together.
MOST_OF_ONE = 5_000
# How often it is told that reading goes on.
_TOLD_EVERY = 5_000
_TABLES = """
CREATE TABLE line (number INTEGER PRIMARY KEY, owner TEXT NOT NULL, sort TEXT NOT NULL, cells BLOB, faults BLOB);
CREATE TABLE seen (name TEXT, value TEXT, number INTEGER NOT NULL, PRIMARY KEY (name, value)) WITHOUT ROWID;
"""
_ROWS = """
SELECT number, owner, row_number() OVER (PARTITION BY owner ORDER BY number) AS nth, cells, faults FROM line
ORDER BY owner, sort, number LIMIT -1 OFFSET ?
"""

Part = list[Row | list[Fault]]


class Spool:
    """The rows of one file, in the order in which they are brought in."""

    def __init__(self, database: sqlite3.Connection, kind: Kind) -> None:
        self._database = database
        self._kind = kind
        self.columns_read: list[str] = []
        self.columns_ignored: list[str] = []
        self.row_count = 0

    def fill(self, lines: Iterator[sheets.Line], *, on_progress: Callable[[], object]) -> None:
        """This will read all rows.

        Raises:
            UnreadableFile: there are none, or a column that is needed is not there.
        """
        head = next(lines, None)
        if head is None or head.fault:
            raise UnreadableFile("The file has no headings in its first row." if head is None else head.fault)
        places = self._read_headings(head.cells)
        for line in lines:
            self._add(line, places)
            self.row_count += 1
            if self.row_count % _TOLD_EVERY == 0:
                on_progress()
        if not self.row_count:
            raise UnreadableFile("The file has headings and no rows.")

    def parts(self, *, after: int) -> Iterator[Part]:
        """This will answer the rows from a place on, in parts that belong together; of a row with faults, those."""
        part: Part = []
        owner = ""
        for number, whose, nth, cells, faults in self._database.execute(_ROWS, [after]):
            if part and not (whose and whose == owner):
                yield part
                part = []
            owner = whose
            part.append(self._row(number, whose, nth, cells, faults))
        if part:
            yield part

    def _read_headings(self, cells: Iterable[str]) -> dict[str, int]:
        names = columns.headings(list(cells))
        places = {column.name: place for column in self._kind.columns if (place := column.find(names)) is not None}
        for column in self._kind.columns:
            if column.is_required and column.name not in places:
                raise UnreadableFile(f"The first row has no heading {' or '.join((column.name, *column.headings))}.")
        if not places:
            raise UnreadableFile("None of the headings in the first row is known.")
        self.columns_read = list(places)
        self.columns_ignored = [name for place, name in enumerate(names) if name and place not in places.values()]
        return places

    def _add(self, line: sheets.Line, places: Mapping[str, int]) -> None:
        cells = {name: line.cells[place] for name, place in places.items() if place < len(line.cells)}
        faults: list[tuple[str, str]] = [("", line.fault)] if line.fault else []
        said: dict[str, Any] = {}
        if not faults:
            try:
                said = columns.read(self._kind.columns, cells, self._kind.zone)
            except columns.BadCells as bad:
                said, faults = bad.said, bad.faults
            else:
                faults = [*self._kind.check(said), *self._repeated(line.number, said)]
        owner, sort = self._kind.group(said) if said else ("", "")
        self._database.execute(
            "INSERT INTO line VALUES (?, ?, ?, ?, ?)",
            # Where rows are not grouped, each is alone, in the order of the file.
            [line.number, owner, sort if owner else "", orjson.dumps(cells), orjson.dumps(faults) if faults else None],
        )

    def _repeated(self, number: int, said: Mapping[str, Any]) -> list[tuple[str, str]]:
        faults = []
        for name in self._kind.uniques:
            value = said[name]
            if value is None:
                continue
            key = [name, str(value) if name == "external_id" else str(value).lower()]
            added = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", [*key, number])
            if not added.rowcount:
                found = self._database.execute("SELECT number FROM seen WHERE name = ? AND value = ?", key)
                faults.append((name, f"Row {found.fetchone()[0]:,} has the same."))
        return faults

    def _row(self, number: int, owner: str, nth: int, cells: bytes, faults: bytes | None) -> Row | list[Fault]:
        if faults is not None:
            return [Fault(number, column, text) for column, text in orjson.loads(faults)]
        if owner and nth > MOST_OF_ONE:
            return [Fault(number, "", f"The file has more than {MOST_OF_ONE:,} rows of this customer.")]
        said = columns.read(self._kind.columns, orjson.loads(cells), self._kind.zone)
        return Row(number=number, group=owner, nth=nth, said=said)


@contextlib.contextmanager
def opened(kind: Kind) -> Iterator[Spool]:
    """This will open a spool with nothing in it."""
    # Without a name: a file of its own, in the folder for temporary files.
    database = sqlite3.connect("", isolation_level=None)
    try:
        database.executescript(_TABLES)
        # One transaction: a file for each statement would take ten times as long.
        database.execute("BEGIN")
        yield Spool(database, kind)
    finally:
        database.close()
