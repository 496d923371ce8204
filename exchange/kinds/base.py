"""What every kind of import has: columns, and a verb that brings rows in."""

import abc
import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from exchange.columns import Column
from exchange.models import Import
from loyalty import errors

Faults = list[tuple[str, str]]


class Fault(NamedTuple):
    """Why a row cannot be imported."""

    row: int
    column: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A row without a fault of its own. `group` is what the rows of one customer have in common, and `nth` says which
    of them it is, those with faults counted."""

    number: int
    group: str
    nth: int
    said: Mapping[str, Any]


@dataclasses.dataclass(slots=True)
class Brought:
    """What became of rows."""

    added: int = 0
    changed: int = 0
    known: int = 0
    nothing: int = 0
    faults: list[Fault] = dataclasses.field(default_factory=list)

    def refuse(self, row: int, refusal: errors.Refusal) -> None:
        """This will note why a row was refused."""
        faults = [(column, text) for column, texts in refusal.faults.items() for text in texts]
        self.fault(row, faults or [("", refusal.message)])

    def fault(self, row: int, faults: Faults) -> None:
        """This will note what is wrong with a row."""
        self.faults += [Fault(row, column, text) for column, text in faults]


class Kind(abc.ABC):
    """How the rows of a file are brought into its programme."""

    columns: ClassVar[tuple[Column, ...]]
    # What no two rows of a file have in common.
    uniques: ClassVar[tuple[str, ...]] = ()
    # Whether tills wait for accounts while rows are brought in.
    locks_accounts: ClassVar[bool] = False

    def __init__(self, upload: Import, *, at: datetime.datetime) -> None:
        self.upload = upload
        self.program = upload.program
        self.zone = ZoneInfo(upload.program.timezone)
        self.at = at

    def refuse_whole(self) -> None:  # noqa: B027  # most kinds have nothing to refuse
        """This will refuse what cannot be imported at all.

        Raises:
            errors.Refusal.
        """

    def check(self, said: Mapping[str, Any]) -> Faults:
        """This will answer what does not go together in a row."""
        return []

    def group(self, said: Mapping[str, Any]) -> tuple[str, str]:
        """This will answer with which other rows one belongs, and by what they are sorted. Some of what it says may be
        missing."""
        return "", ""

    @abc.abstractmethod
    def put(self, rows: Sequence[Row]) -> Brought:
        """This will bring rows in, in the caller's transaction: all rows of a group at once."""
