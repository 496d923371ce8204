"""Workbooks that are sent while their rows are read: nothing holds the whole of one."""

import io
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from exchange import workbooks

COLUMNS = ("id", "name")
MB = 1 << 20


class Rows:
    """Rows that tell how many of them were read. A broken one ends in an error."""

    def __init__(self, count: int, *, broken: bool = False) -> None:
        self.count, self.broken = count, broken
        self.read = 0

    def __iter__(self) -> Iterator[list[Any]]:
        for number in range(self.count):
            self.read += 1
            yield [number, f"A customer, the {number}th".rjust(number % 50)]
        if self.broken:
            raise ConnectionError


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files go that nobody named."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_goes_out_while_its_rows_are_read(disk: Path) -> None:
    rows = Rows(20_000)

    pieces = workbooks.workbook(COLUMNS, rows)
    first = next(pieces)

    assert 0 < rows.read < rows.count / 2
    [sheet] = openpyxl.load_workbook(io.BytesIO(first + b"".join(pieces))).worksheets
    assert [*sheet.values] == [COLUMNS, *(tuple(row) for row in Rows(20_000))]
    assert list(disk.iterdir()) == []


@pytest.mark.filterwarnings("error")
def test_leaves_nothing_when_nobody_takes_the_rest(disk: Path) -> None:
    pieces = workbooks.workbook(COLUMNS, Rows(20_000))
    assert next(pieces)

    pieces.close()

    assert list(disk.iterdir()) == []


@pytest.mark.filterwarnings("error")
def test_does_not_look_whole_when_its_rows_break_off() -> None:
    taken = []

    with pytest.raises(ConnectionError):
        taken.extend(workbooks.workbook(COLUMNS, Rows(20_000, broken=True)))

    assert taken
    with pytest.raises(zipfile.BadZipFile):
        openpyxl.load_workbook(io.BytesIO(b"".join(taken)))


def test_needs_no_more_memory_for_ten_times_as_many_rows() -> None:
    peaks = []
    for count in (2_000, 20_000):
        tracemalloc.start()
        for _ in workbooks.workbook(COLUMNS, Rows(count)):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < MB / 2
