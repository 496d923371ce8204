import datetime
from decimal import Decimal

import pytest
import time_machine

from loyalty.models import Program
from points import accounts, definitions, ledger
from points.models import PointDefinition, PointTransaction
from tests.api.management.till import Till, data, error

AFTERNOON = datetime.datetime(2025, 12, 27, 16, 0, tzinfo=datetime.UTC)
BRONZE = {
    "current_tier": "bronze",
    "points_to_next_tier": 500,
    "next_tier": "silver",
    "points_to_keep_tier": 0,
    "projected_tier": "bronze",
    "tier_until": None,
}


def balance(till: Till, **query: str) -> dict:
    return data(till.get(f"points/balance/{till.card_id}", **query), 200)


def test_tells_what_an_account_has(till: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False):
        till.award(25, expires_at="2026-01-15")
        till.award(475)
        till.award(10, valid_from="2026-03-01")
        # The lot that ends first pays first, so what is left of it is 5.
        spending = data(till.redeem(20))["transaction_id"]
        assert balance(till) == {
            "card_id": till.card_id,
            "customer_id": till.customer_id,
            "current_balance": 25 + 475 - 20,
            "pending_points": 10,
            "held_points": 0,
            "lifetime_earned": 25 + 475,
            "lifetime_redeemed": 20,
            "lifetime_expired": 0,
            "points_expiring_soon": [{"points": 5, "expires_at": "2026-01-15T00:00:00Z", "days_until_expiry": 19}],
            "last_activity": {
                "transaction_id": spending,
                "type": "redeem",
                "points": -20,
                "created_at": "2025-12-27T16:00:00Z",
            },
            "tier_info": {
                "current_tier": "silver",
                "points_to_next_tier": 1500 - 500,
                "next_tier": "gold",
                "points_to_keep_tier": 0,
                "projected_tier": "silver",
                "tier_until": None,
            },
            "as_of": None,
        }


def test_tells_zeros_of_a_new_card(till: Till) -> None:
    assert balance(till) == {
        "card_id": till.card_id,
        "customer_id": till.customer_id,
        "current_balance": 0,
        "pending_points": 0,
        "held_points": 0,
        "lifetime_earned": 0,
        "lifetime_redeemed": 0,
        "lifetime_expired": 0,
        "points_expiring_soon": [],
        "last_activity": None,
        "tier_info": BRONZE,
        "as_of": None,
    }


def test_is_right_at_the_moment_of_asking_and_writes_nothing(till: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False) as clock:
        till.award(30, expires_at="2025-12-29")
        till.award(50, valid_from="2025-12-28", expires_at="2025-12-30")
        till.award(5)
        expected = {
            "2025-12-27": (35, 50, 35, 0),
            "2025-12-28": (85, 0, 85, 0),
            "2025-12-29": (55, 0, 85, 30),
            "2025-12-30": (5, 0, 85, 80),
        }
        for day, figures in expected.items():
            clock.move_to(datetime.datetime.fromisoformat(day + "T16:00:00+00:00"))
            told = balance(till)
            names = ("current_balance", "pending_points", "lifetime_earned", "lifetime_expired")
            assert tuple(told[name] for name in names) == figures
            assert told["last_activity"]["type"] == "award"
    assert PointTransaction.objects.filter(program=till.program).count() == 3


def test_takes_what_the_clock_did_for_no_activity(till: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False) as clock:
        order = data(till.award(30, expires_at="2025-12-29"))["transaction_id"]
        clock.move_to(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
        entries = data(till.get(f"points/history/{till.card_id}"))["transactions"]
        assert [entry["type"] for entry in entries] == ["expire", "award"]
        assert balance(till)["last_activity"]["transaction_id"] == order
        assert balance(till, as_of="2025-12-31")["last_activity"]["transaction_id"] == order


@time_machine.travel(AFTERNOON, tick=False)
def test_adds_up_what_expires_on_one_day_of_the_programme(till: Till) -> None:
    till.program.timezone = "Europe/Vilnius"
    till.program.save(update_fields=["timezone"])
    till.award(1, expires_at="2026-01-14T22:30:00Z")
    till.award(2, expires_at="2026-01-15T21:59:00Z")
    till.award(4, expires_at="2026-01-15T22:00:00Z")
    till.award(8, expires_at="2026-01-26T16:00:00Z")
    till.award(16, expires_at="2026-01-26T16:00:01Z")
    assert balance(till)["points_expiring_soon"] == [
        {"points": 1 + 2, "expires_at": "2026-01-14T22:30:00Z", "days_until_expiry": 19},
        {"points": 4, "expires_at": "2026-01-15T22:00:00Z", "days_until_expiry": 20},
        {"points": 8, "expires_at": "2026-01-26T16:00:00Z", "days_until_expiry": 30},
    ]


def test_counts_inactivity_from_the_last_activity(till: Till, definition: PointDefinition) -> None:
    PointDefinition.objects.filter(pk=definition.pk).update(expiry_policy="inactivity", expiry_count=1)
    with time_machine.travel(datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC), tick=False) as clock:
        till.award(30)
        clock.move_to(datetime.datetime(2026, 1, 20, tzinfo=datetime.UTC))
        till.award(1)
        assert [row["expires_at"] for row in balance(till)["points_expiring_soon"]] == []
        clock.move_to(datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC))
        assert balance(till)["points_expiring_soon"] == [
            {"points": 31, "expires_at": "2026-02-20T00:00:00Z", "days_until_expiry": 19}
        ]
        clock.move_to(datetime.datetime(2026, 2, 20, tzinfo=datetime.UTC))
        assert (balance(till)["current_balance"], balance(till)["lifetime_expired"]) == (0, 31)


def test_tells_how_it_stood_at_a_moment(till: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False) as clock:
        order = data(till.award(100, expires_at="2026-01-10"))["transaction_id"]
        till.award(40, valid_from="2025-12-30")
        clock.shift(datetime.timedelta(days=1))
        spending = data(till.redeem(30))["transaction_id"]
        clock.shift(datetime.timedelta(days=1))
        till.reverse(spending, points=10)
        till.reverse(order, points=20)
        clock.move_to(datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC))
        till.adjust(1)

        def at(moment: str) -> tuple:
            told = balance(till, as_of=moment)
            names = ("current_balance", "pending_points", "lifetime_earned", "lifetime_redeemed", "lifetime_expired")
            return tuple(told[name] for name in names)

        assert at("2025-12-27T15:59:59Z") == (0, 0, 0, 0, 0)
        assert at("2025-12-27T16:00:00Z") == (100, 40, 100, 0, 0)
        assert at("2025-12-28T16:00:00Z") == (70, 40, 100, 30, 0)
        assert at("2025-12-29T16:00:00Z") == (70 + 10 - 20, 40, 80, 20, 0)
        assert at("2025-12-30") == (60 + 40, 0, 80 + 40, 20, 0)
        assert at("2026-01-10") == (40, 0, 120, 20, 60)
        assert at("2026-02-01") == (41, 0, 120, 20, 60)
        told = balance(till, as_of="2025-12-28T17:00:00+01:00")
        assert told["as_of"] == "2025-12-28T16:00:00Z"
        assert told["last_activity"]["transaction_id"] == spending
        assert told["points_expiring_soon"] == [
            {"points": 70, "expires_at": "2026-01-10T00:00:00Z", "days_until_expiry": 13}
        ]


def test_tells_how_it_stood_before_anything_was_settled(till: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False) as clock:
        till.award(100, expires_at="2026-01-10")
        clock.move_to(datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC))
        assert balance(till, as_of="2026-01-09T23:59:59Z")["current_balance"] == 100
        assert balance(till, as_of="2026-01-10")["current_balance"] == 0


def test_sums_by_the_dates_of_callers(till: Till) -> None:
    named = accounts.find(program=till.program, card=till.card.number)
    for day, points in ((3, 10), (1, 20), (2, 40)):
        note = ledger.Note(
            reason="Imported", actor="import", transaction_date=datetime.datetime(2025, 1, day, tzinfo=datetime.UTC)
        )
        ledger.award(account=named.account, points=Decimal(points), note=note, at=AFTERNOON)
    with time_machine.travel(AFTERNOON + datetime.timedelta(days=1)):
        assert balance(till, as_of="2025-01-02", basis="transaction")["current_balance"] == 20 + 40
        assert balance(till, as_of="2025-01-02")["current_balance"] == 0


def test_sums_by_the_dates_of_callers_with_what_was_due(till: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False) as clock:
        till.award(100, expires_at="2026-01-03")
        till.award(7, valid_from="2026-01-03")
        clock.move_to(datetime.datetime(2026, 1, 9, tzinfo=datetime.UTC))
        expected = {"2025-12-27": 0, "2026-01-02T23:59:59Z": 100, "2026-01-03": 7, "2026-01-09": 7}

        def told() -> dict[str, int]:
            return {day: balance(till, as_of=day, basis="transaction")["current_balance"] for day in expected}

        assert told() == expected
        # The next posting writes what was due, and changes nothing of the past.
        till.adjust(-5)
        assert told() == expected | {"2026-01-09": 7 - 5}
    assert PointTransaction.objects.filter(program=till.program).count() == 2 + 2 + 1


@pytest.mark.parametrize(
    ("query", "field"),
    [({"as_of": "2090-01-01"}, "as_of"), ({"as_of": "then"}, "as_of"), ({"definition": "stamps"}, "definition")],
)
def test_refuses_a_malformed_query(till: Till, query: dict[str, str], field: str) -> None:
    assert error(till.get(f"points/balance/{till.card_id}", **query), 400, "INVALID_PARAMETERS")["field"] == field


def test_takes_an_offset_whose_plus_sign_was_not_escaped(till: Till) -> None:
    path = f"/api/points/balance/{till.card_id}?as_of=2026-01-01T02:00:00+02:00"
    assert data(till.client.get(path), 200)["as_of"] == "2026-01-01T00:00:00Z"


def test_takes_a_number_a_customer_and_a_definition(till: Till, program: Program) -> None:
    definitions.create_definition(program=program, code="miles", name="Miles", decimal_places=1)
    till.award(7)
    till.award(Decimal("0.5"), definition="miles")
    assert data(till.get(f"points/balance/{till.card.number}"))["card_id"] == till.card_id
    of_customer = data(till.get(f"points/balance/{till.customer_id}"))
    assert (of_customer["card_id"], of_customer["current_balance"]) == (None, 7)
    assert balance(till, definition="miles")["current_balance"] == 0.5


def test_does_not_know_cards_of_others(till: Till, stranger: Till) -> None:
    error(till.get(f"points/balance/{stranger.card_id}"), 404, "CARD_NOT_FOUND")
    error(till.get(f"points/balance/{stranger.card.number}"), 404, "CARD_NOT_FOUND")
    error(till.get(f"points/balance/{stranger.customer_id}"), 404, "NOT_FOUND")
    error(till.get("points/balance/nonsense"), 404, "CARD_NOT_FOUND")


def test_needs_its_scope(program: Program, till: Till) -> None:
    manager = Till(program, till.card, scopes=["points:manage", "loyalty:read"])
    answer = manager.get(f"points/balance/{till.card_id}")
    assert error(answer, 403, "FORBIDDEN") == {"required_permissions": ["points:read"]}


def test_counts_days_by_the_calendar_of_the_programme(till: Till) -> None:

    with time_machine.travel(datetime.datetime(2026, 1, 1, 23, tzinfo=datetime.UTC), tick=False):
        till.award(1, expires_at="2026-01-02T01:00:00Z")
        assert balance(till)["points_expiring_soon"][0]["days_until_expiry"] == 1
