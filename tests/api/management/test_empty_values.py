"""An empty value in a query string is how many clients say that nothing was chosen: it counts as not sent."""

import datetime
from typing import Any

import pytest

from tests.api.management.till import Till, data, error


@pytest.fixture
def till(till: Till) -> Till:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=7)
    data(till.award(10, reference="order_1", expires_at=soon.isoformat()))
    data(till.award(20))
    return till


SELECTION = dict.fromkeys(("type", "from_date", "to_date", "reference", "staff_member", "limit"), "")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("points/transactions", SELECTION | {"starting_after": "", "ending_before": ""}),
        ("points/history/{card}", SELECTION | {"definition": "", "page": ""}),
        ("loyalty-cards/{card}/history", SELECTION | {"page": ""}),
        (
            "loyalty-cards",
            dict.fromkeys(
                ("status", "customer_email", "tier", "created_after", "created_before", "sort", "page", "limit"), ""
            ),
        ),
        ("points/expiring", dict.fromkeys(("days", "card_id", "customer_id", "definition", "page", "limit"), "")),
        ("points/balance/{card}", {"as_of": "", "basis": "", "definition": ""}),
    ],
)
def test_it_counts_as_not_sent(till: Till, path: str, query: dict[str, Any]) -> None:
    path = path.format(card=till.card_id)
    with_nothing_chosen = data(till.get(path), 200)
    assert data(till.get(path, **query), 200) == with_nothing_chosen


def test_white_space_is_no_empty_value(till: Till) -> None:
    error(till.get("points/transactions", reference=" "), 400, "INVALID_PARAMETERS")


def test_the_description_says_so(till: Till) -> None:
    assert (
        "An empty value in a query string counts as not sent."
        in till.client.get("/api/schema").json()["info"]["description"]
    )
