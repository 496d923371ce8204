"""What the parts of the API share."""

import enum
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from loyalty_client.connection import Connection
from loyalty_client.records import Customer, Page, PointsTransaction, Reward

Row = TypeVar("Row", Customer, PointsTransaction, Reward)


class Unchanged(enum.Enum):
    """What a field stays that an update does not name; None empties it."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


class Resource:
    """A part of the API."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection


def given(**fields: Any) -> dict[str, Any]:
    """This will leave out what the caller did not name."""
    return {name: value for name, value in fields.items() if value is not None}


def changed(**fields: Any) -> dict[str, Any]:
    """This will leave out what stays as it is."""
    return {name: value for name, value in fields.items() if value is not UNCHANGED}


def iterate(list_after: Callable[[str | None], Page[Row]], start: str | None) -> Iterator[Row]:
    """This will go through a list, page after page."""
    while True:
        page = list_after(start)
        yield from page.data
        if not page.has_more or not page.data:
            return
        start = page.data[-1].id
