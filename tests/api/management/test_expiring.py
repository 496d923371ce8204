import datetime
from typing import Any

import pytest
import time_machine

from loyalty.models import Program
from points import definitions
from points.models import PointDefinition
from tests.api.management.till import Till, data, error
from tests.factories import CardFactory, CustomerFactory

AFTERNOON = datetime.datetime(2025, 12, 27, 16, tzinfo=datetime.UTC)


@pytest.fixture
def bob(program: Program) -> Till:
    """The same programme's till, with Bob's card in its hand."""
    return Till(program, CardFactory(customer=CustomerFactory(program=program, name="Bob")))


def expiring(till: Till, **query: Any) -> dict[str, Any]:
    return data(till.get("points/expiring", **query), 200)


@time_machine.travel(AFTERNOON, tick=False)
def test_tells_what_of_a_card_expires(till: Till) -> None:
    till.award(25, expires_at="2026-01-15")
    till.award(100)
    assert expiring(till, card_id=till.card_id) == {
        "card_id": till.card_id,
        "customer_id": till.customer_id,
        "days": 30,
        "total_points": 25,
        "expiring": [{"points": 25, "expires_at": "2026-01-15T00:00:00Z", "days_until_expiry": 19}],
    }
    assert expiring(till, card_id=till.card.number, days=18)["total_points"] == 0
    assert expiring(till, customer_id=till.customer_id, days=366)["total_points"] == 125


@time_machine.travel(AFTERNOON, tick=False)
def test_tells_what_of_all_customers_expires(till: Till, bob: Till) -> None:
    till.award(25, expires_at="2026-01-15")
    till.award(5, expires_at="2026-01-15T12:00:00Z")
    till.redeem(10)
    bob.award(40, expires_at="2026-01-10")
    bob.award(100)
    told = expiring(till)
    assert told["expiring"] == [
        {
            "customer_id": bob.customer_id,
            "points": 40,
            "expires_at": "2026-01-10T00:00:00Z",
            "days_until_expiry": 14,
        },
        {
            "customer_id": till.customer_id,
            "points": 25 + 5 - 10,
            "expires_at": "2026-01-15T00:00:00Z",
            "days_until_expiry": 19,
        },
    ]
    assert (told["days"], told["total_points"]) == (30, 40 + 20)
    page = expiring(till, page=2, limit=1)
    assert [row["points"] for row in page["expiring"]] == [20]
    assert (page["total_points"], page["pagination"]["total"]) == (60, 2)


def test_is_right_at_the_moment_of_asking(till: Till, bob: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False) as clock:
        till.award(30, expires_at="2025-12-29")
        bob.award(50, valid_from="2025-12-30", expires_at="2026-01-05")
        assert expiring(till)["total_points"] == 30
        clock.move_to(datetime.datetime(2025, 12, 29, tzinfo=datetime.UTC))
        assert expiring(till)["total_points"] == 0
        clock.move_to(datetime.datetime(2025, 12, 30, tzinfo=datetime.UTC))
        assert expiring(till)["total_points"] == 50
        assert expiring(till, card_id=bob.card_id)["total_points"] == 50


def test_lets_points_that_became_active_pay_a_debt_first(till: Till, program: Program) -> None:
    definitions.create_definition(program=program, code="credit", name="Credit", may_go_negative=True)
    credit = {"definition": "credit"}
    with time_machine.travel(AFTERNOON, tick=False) as clock:
        till.award(10, valid_from="2025-12-28", expires_at="2026-01-05", **credit)
        till.award(20, valid_from="2025-12-29", expires_at="2026-01-06", **credit)
        till.adjust(-15, **credit)
        clock.move_to(datetime.datetime(2025, 12, 30, tzinfo=datetime.UTC))
        of_all, of_one = expiring(till, **credit), expiring(till, card_id=till.card_id, **credit)
    for told in (of_all, of_one):
        figures = [(row["points"], row["expires_at"]) for row in told["expiring"]]
        assert figures == [(20 - (15 - 10), "2026-01-06T00:00:00Z")]
        assert told["total_points"] == 15


def test_works_out_the_end_of_points_that_end_by_inactivity(till: Till, definition: PointDefinition) -> None:
    PointDefinition.objects.filter(pk=definition.pk).update(expiry_policy="inactivity", expiry_count=1)
    till.program.timezone = "Europe/Vilnius"
    till.program.save(update_fields=["timezone"])
    with time_machine.travel(datetime.datetime(2026, 2, 28, 10, tzinfo=datetime.UTC), tick=False):
        till.award(30)
        till.award(1)
        [of_all] = expiring(till)["expiring"]
        [of_one] = expiring(till, card_id=till.card_id)["expiring"]
    # Noon in Vilnius: in summer time a month later on 28 March still stands before the change on the 29th.
    assert of_one == {"points": 31, "expires_at": "2026-03-28T10:00:00Z", "days_until_expiry": 28}
    assert of_all == of_one | {"customer_id": till.customer_id}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"days": "0"}, "days"),
        ({"days": "-3"}, "days"),
        ({"days": "soon"}, "days"),
        ({"days": "99999999999"}, "days"),
        ({"days": "30.5"}, "days"),
        ({"page": "0"}, "page"),
        ({"definition": "stamps"}, "definition"),
    ],
)
def test_refuses_a_malformed_query(till: Till, query: dict[str, str], field: str) -> None:
    assert error(till.get("points/expiring", **query), 400, "INVALID_PARAMETERS")["field"] == field


def test_refuses_a_card_and_a_customer_at_once(till: Till) -> None:
    answer = till.get("points/expiring", card_id=till.card_id, customer_id=till.customer_id)
    assert error(answer, 400, "INVALID_PARAMETERS")["field"] == "customer_id"


def test_does_not_tell_of_other_programmes(till: Till, stranger: Till) -> None:
    stranger.award(10, expires_at="2090-01-01")
    assert expiring(till, days=3660)["expiring"] == []
    error(till.get("points/expiring", card_id=stranger.card_id), 404, "CARD_NOT_FOUND")


def test_needs_its_scope(program: Program, till: Till) -> None:
    error(Till(program, till.card, scopes=["points:manage"]).get("points/expiring"), 403, "FORBIDDEN")
