import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from loyalty.models import Program
from points import definitions
from points.models import PointDefinition
from tests.api.management.till import Till, data, error, nothing_moves

AFTERNOON = datetime.datetime(2026, 1, 2, 15, 45, tzinfo=datetime.UTC)


@time_machine.travel(AFTERNOON, tick=False)
def test_answers_what_was_posted(till: Till) -> None:
    till.award(150)
    answer = data(till.award(100, reference="order_77", metadata={"order_total": 50.0}), 201)
    assert answer.pop("transaction_id").startswith("txn_")
    assert answer == {
        "card_id": till.card_id,
        "customer_id": till.customer_id,
        "type": "award",
        "points": 100,
        "reason": "Order reward",
        "reference": "order_77",
        "previous_balance": 150,
        "new_balance": 150 + 100,
        "pending_after": 0,
        "created_at": "2026-01-02T15:45:00Z",
        "valid_from": None,
        "expires_at": "2027-01-02T15:45:00Z",
        "staff_member": None,
        "metadata": {"order_total": 50.0},
    }


def test_takes_the_printed_number_of_the_card(till: Till) -> None:
    assert data(till.award(5, card_id=till.card.number), 201)["card_id"] == till.card_id
    assert till.balance == 5


def test_takes_the_customer_in_place_of_the_card(till: Till) -> None:
    body = {"customer_id": till.customer_id, "points": 5, "reason": "Order reward"}
    answer = data(till.post("points/award", body), 201)
    assert (answer["card_id"], answer["customer_id"], answer["new_balance"]) == (None, till.customer_id, 5)


def test_keeps_points_pending_until_they_are_valid(till: Till) -> None:
    with time_machine.travel(AFTERNOON, tick=False) as clock:
        answer = data(till.award(40, valid_from="2026-01-05"), 201)
        assert (answer["new_balance"], answer["pending_after"]) == (0, 40)
        assert (answer["valid_from"], answer["expires_at"]) == ("2026-01-05T00:00:00Z", "2027-01-05T00:00:00Z")
        assert till.balance == 0
        clock.move_to(datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC))
        assert till.balance == 40


@time_machine.travel(AFTERNOON, tick=False)
def test_takes_a_start_in_the_past_for_now(till: Till) -> None:
    answer = data(till.award(40, valid_from="2025-01-05"), 201)
    assert (answer["new_balance"], answer["valid_from"], answer["expires_at"]) == (40, None, "2027-01-02T15:45:00Z")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("2026-06-01T12:00:00+02:00", "2026-06-01T10:00:00Z"),
        ("2026-06-01T12:00:00", "2026-06-01T12:00:00Z"),
        ("2026-06-01T12:00:00.25Z", "2026-06-01T12:00:00.250000Z"),
        # Midnight in Vilnius, in summer time.
        ("2026-06-01", "2026-05-31T21:00:00Z"),
        ("20260601", "2026-05-31T21:00:00Z"),
        ("2026-W23-1", "2026-05-31T21:00:00Z"),
    ],
)
@time_machine.travel(AFTERNOON, tick=False)
def test_reads_times_with_any_offset_and_dates_of_the_programme(till: Till, sent: str, meant: str) -> None:
    till.program.timezone = "Europe/Vilnius"
    till.program.save(update_fields=["timezone"])
    assert data(till.award(1, expires_at=sent), 201)["expires_at"] == meant


def test_tells_of_what_is_nested_as_deeply_as_it_may_be(till: Till) -> None:
    nested = {"deep": json.loads("[" * 19 + "]" * 19)}
    made = data(till.award(1, metadata=nested), 201)
    assert data(till.get(f"points/transactions/{made['transaction_id']}"))["metadata"] == nested
    [told] = data(till.get(f"points/history/{till.card_id}"))["transactions"]
    assert told["metadata"] == nested


def test_writes_decimals_where_there_are_some(till: Till, program: Program) -> None:
    definitions.create_definition(program=program, code="miles", name="Miles", decimal_places=2)
    till.award(Decimal("719.65"), definition="miles")
    answer = data(till.award(Decimal("0.05"), definition="miles"), 201)
    assert (answer["points"], answer["previous_balance"], answer["new_balance"]) == (0.05, 719.65, 719.7)
    assert till.balance == 0


@pytest.mark.parametrize(
    "points",
    [0, -1, 0.5, True, False, "100", "abc", [], {}, 10**15, 10**30, 1e300, 1234567890123.456],
)
def test_refuses_what_is_no_amount(till: Till, points: Any) -> None:
    with nothing_moves(till.program):
        facts = error(till.award(points), 400, "INVALID_POINTS")
    assert "provided_value" in facts


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (-(2**63) - 1, -(2**63) - 1),
        (2**64, 2**64),
        (-(10**99), str(-(10**99))[:100]),
        ([Decimal("1.5")], "[…]"),
        ({"a": {}}, "{…}"),
        ("x" * 200, "x" * 100),
    ],
)
def test_tells_what_was_no_amount(till: Till, points: Any, told: Any) -> None:
    assert error(till.award(points), 400, "INVALID_POINTS") == {"provided_value": told}


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "1e999999999",
        "9" * 5000,
        "1e-30000000",
        "1e-999999999999",
        "-1e-99999",
    ],
)
def test_refuses_numbers_that_are_none(till: Till, number: str) -> None:
    raw = f'{{"card_id": "{till.card_id}", "reason": "Order reward", "points": {number}}}'
    with nothing_moves(till.program):
        answer = till.client.post("/api/points/award", raw, content_type="application/json")
    error(answer, 400, "INVALID_POINTS")
    # A few bytes do not ask for many.
    assert len(answer.content) < 1000


def test_refuses_what_the_account_could_not_hold(till: Till) -> None:
    till.award(999_999_999_999_999)
    with nothing_moves(till.program):
        error(till.award(1), 400, "INVALID_POINTS")


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"card_id": None}, "card_id", "required"),
        ({"card_id": 7}, "card_id", "type"),
        ({"customer_id": "cus_1"}, "customer_id", "exclusive"),
        ({"points": None}, "points", "null"),
        ({"reason": None}, "reason", "null"),
        ({"reason": "  "}, "reason", "blank"),
        ({"reason": "x" * 256}, "reason", "max_length"),
        ({"reason": 7}, "reason", "type"),
        ({"reference": "x" * 256}, "reference", "max_length"),
        ({"reference": 77}, "reference", "type"),
        ({"staff_member": ["Bob"]}, "staff_member", "type"),
        ({"metadata": "order"}, "metadata", "type"),
        ({"metadata": {"note": "x" * 1024}}, "metadata", "max_length"),
        ({"metadata": {"order": 10**30}}, "metadata", "range"),
        ({"metadata": {"order": 1e30}}, "metadata", "range"),
        ({"metadata": json.loads("[" * 300 + "]" * 300)}, "metadata", "type"),
        ({"metadata": {"deep": json.loads("[" * 300 + "]" * 300)}}, "metadata", "max_depth"),
        ({"metadata": {"deep": json.loads("[" * 20 + "]" * 20)}}, "metadata", "max_depth"),
        ({"expires_at": "tomorrow"}, "expires_at", "time"),
        ({"expires_at": 7}, "expires_at", "type"),
        ({"expires_at": "2020-01-01"}, "expires_at", "future"),
        ({"expires_at": "9999-12-31"}, "expires_at", "range"),
        ({"valid_from": "0001-01-01"}, "valid_from", "range"),
        ({"valid_from": "2090-01-02", "expires_at": "2090-01-01"}, "expires_at", "future"),
        ({"definition": "stamps"}, "definition", "exists"),
    ],
)
def test_names_the_field_that_is_wrong(till: Till, body: dict[str, Any], field: str, rule: str) -> None:
    with nothing_moves(till.program):
        facts = error(till.post("points/award", till.body(1) | body), 400, "INVALID_PARAMETERS")
    assert (facts["field"], facts["details"]) == (field, {"field": field, "rule": rule})
    assert facts["errors"][field]


def test_tells_all_faults_and_the_first_one_by_name(till: Till) -> None:
    facts = error(till.post("points/award", {"reference": 7}), 400, "INVALID_PARAMETERS")
    assert set(facts["errors"]) == {"card_id", "points", "reason", "reference"}
    assert facts["details"] == {"field": "card_id", "rule": "required"}


def test_keeps_1024_bytes_of_metadata(till: Till) -> None:
    metadata = {"note": "x" * (1024 - len('{"note":""}'))}
    assert data(till.award(1, metadata=metadata), 201)["metadata"] == metadata


def test_tells_numbers_of_metadata_as_they_were_sent(till: Till) -> None:
    metadata = {"numbers": [2**63 - 1, -(2**63), 0.1, 1e18, -2.5e-300, 50.0, 0]}
    till.award(1, metadata=metadata)
    [entry] = data(till.get(f"points/history/{till.card_id}"))["transactions"]
    assert entry["metadata"] == metadata


def test_takes_whole_numbers_of_metadata_however_they_are_written(till: Till) -> None:
    raw = f'{{"card_id": "{till.card_id}", "reason": "x", "points": 1, "metadata": {{"a": 1e0, "b": 12.5e1}}}}'
    answer = till.client.post("/api/points/award", raw, content_type="application/json")
    assert data(answer, 201)["metadata"] == {"a": 1, "b": 125}


def test_ignores_keys_that_it_does_not_know(till: Till) -> None:
    assert data(till.award(1, colour="red"), 201)["new_balance"] == 1


@pytest.mark.parametrize("reference", ["card_" + "0" * 32, "LC000000000000x", "cus_" + "0" * 32, "", "card_\0", "🂡"])
def test_does_not_know_other_cards(till: Till, reference: str) -> None:
    with nothing_moves(till.program):
        answer = till.award(1, card_id=reference)
    if reference in ("", "card_\0"):
        error(answer, 400, "INVALID_PARAMETERS")
    else:
        assert error(answer, 404, "CARD_NOT_FOUND") == {"card_id": reference}


def test_does_not_know_cards_and_customers_of_others(till: Till, stranger: Till) -> None:
    with nothing_moves(stranger.program):
        error(till.award(1, card_id=stranger.card_id), 404, "CARD_NOT_FOUND")
        error(till.award(1, card_id=stranger.card.number), 404, "CARD_NOT_FOUND")
        body = {"customer_id": stranger.customer_id, "points": 1, "reason": "Order reward"}
        error(till.post("points/award", body), 404, "NOT_FOUND")


def test_needs_the_scope_before_it_looks_at_the_body(program: Program, till: Till) -> None:
    reader = Till(program, till.card, scopes=["points:read", "points:adjust"])
    with nothing_moves(program):
        facts = error(reader.post("points/award", {}), 403, "FORBIDDEN")
    assert facts == {"required_permissions": ["points:manage"]}


def test_follows_the_policy_of_the_definition(till: Till, definition: PointDefinition) -> None:
    PointDefinition.objects.filter(pk=definition.pk).update(expiry_policy="end_of_year", expiry_count=0)
    with time_machine.travel(AFTERNOON, tick=False):
        assert data(till.award(1), 201)["expires_at"] == "2027-01-01T00:00:00Z"
