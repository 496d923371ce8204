import datetime
import itertools
from typing import Any

import pytest
import time_machine

from tests.api.v3.system import System, done, refused

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def full(usual: System) -> System:
    """Nine transactions: dated from the newest to the oldest, every third pending; and what activated another."""
    usual.open()
    with time_machine.travel(NOON, tick=False) as clock:
        usual.add(1000, validFrom=(NOON + DAY).isoformat(), transactionDate=(NOON - 100 * DAY).isoformat())
        clock.move_to(NOON + 2 * DAY)
        for number in range(1, 9):
            pending = {"validFrom": "2090-01-01"} if number % 3 == 0 else {}
            usual.add(number, transactionDate=(NOON - number * DAY).isoformat(), **pending)
    return usual


WRITTEN = [1000, 1, 2, 3, 4, 5, 6, 7, 8]
DATED = [1000, 8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, DATED[::-1]),
        ({"sortOrder": "Asc"}, DATED),
        ({"sortBy": "transactiondate", "sortOrder": "DESC"}, DATED[::-1]),
        ({"sortBy": "CreatedOn", "sortOrder": "asc"}, WRITTEN),
        ({"sortBy": "CREATEDON"}, WRITTEN[::-1]),
        ({"filter": "pending", "sortBy": "CreatedOn"}, [6, 3]),
        ({"filter": "PENDING"}, [3, 6]),
        ({"filter": "active", "sortBy": "CreatedOn"}, [8, 7, 5, 4, 2, 1, 1000]),
        ({"filter": " ", "sortBy": "CreatedOn", "sortOrder": "Asc"}, WRITTEN),
        ({"filter": "all"}, DATED[::-1]),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 4, 100])
def test_answers_every_page_of_every_list(full: System, query: dict[str, Any], expected: list[int], count: int) -> None:
    with time_machine.travel(NOON + 3 * DAY, tick=False):
        pages = [full.told_list(offset=offset, count=count, **query) for offset in range(0, len(expected), count)]
        rows = itertools.chain.from_iterable(page["items"] for page in pages)
        assert [row["amount"] for row in rows] == expected
        assert {page["totalCount"] for page in pages} == {len(expected)}
        assert all(page["count"] == len(page["items"]) for page in pages)
        beyond = full.told_list(offset=len(expected), count=count, **query)
        assert (beyond["items"], beyond["count"], beyond["totalCount"]) == ([], 0, len(expected))


def test_is_the_same_list_at_both_addresses_and_by_either_name(full: System) -> None:
    with time_machine.travel(NOON + 3 * DAY, tick=False):
        by_id = full.told_list(count=3, filter="Active")
        named = {"contactId": full.contact_id, "definitionId": 1}
        for path in ("point-transactions", "point-accounts/transactions"):
            for query in ({"id": full.account_id}, {"accountId": full.account_id}, named):
                assert done(full.get(path, count=3, filter="Active", **query)) == by_id
        link = full.told()["links"][1]["href"]
        assert full.client.get(link).json()["totalCount"] == 9


def test_is_empty_for_an_account_that_is_not_made_yet(system: System) -> None:
    query = {"contactId": system.contact_id, "definitionId": 2}
    assert done(system.get("point-transactions", **query))["totalCount"] == 0
    refused(system.get("point-transactions", id=system.account_id), 404, "PointAccountNotFound")
    refused(system.get("point-transactions", **query | {"definitionId": 9}), 404, "PointDefinitionNotFound")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"contactId": "0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c0"},
        {"definitionId": 1},
        {"id": "x"},
        {"id": "0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c0", "definitionId": 1},
        {"filter": "Some"},
        {"sortBy": "Amount"},
        {"sortOrder": "Up"},
        {"count": -1},
        {"offset": "one"},
        {"lang": "de"},
        {"definitionId": "9" * 30},
    ],
)
def test_names_what_is_wrong(system: System, query: dict[str, Any]) -> None:
    system.open()
    known = (
        {"id": system.account_id} if query.keys() & {"filter", "sortBy", "sortOrder", "count", "offset", "lang"} else {}
    )
    assert refused(system.get("point-transactions", **known | query), 400, "ValidationFailed")["fields"]
