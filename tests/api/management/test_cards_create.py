import threading
from typing import Any

import pytest
import time_machine
from django.db import connection

from cards.models import Card, Customer
from loyalty.models import Program
from points import definitions
from points.models import PointDefinition
from tests.api.management.till import Till, data, error, nothing_moves

JANE = {"customer_email": "jane@example.com", "customer_name": "Jane Doe"}


def create(till: Till, *, key: str | None = None, **body: Any) -> Any:
    return till.post("loyalty-cards", body, key=key)


def test_answers_the_new_card(till: Till) -> None:
    card = data(create(till, **JANE, customer_phone="+370 600", initial_points=50, metadata={"shop": 7}), 201)
    assert card.pop("id").startswith("card_")
    assert card.pop("customer_id").startswith("cus_")
    number = card.pop("card_number")
    assert (number[:2], len(number), number[2:].isdigit()) == ("LC", 14, True)
    assert card.pop("created_at").endswith("Z")
    assert card.pop("last_activity").endswith("Z")
    assert card.pop("qr_code_url").endswith("/qr.svg")
    assert card == {
        "customer_email": "jane@example.com",
        "customer_name": "Jane Doe",
        "customer_phone": "+370 600",
        "points_balance": 50,
        "status": "active",
        "card_design": "default",
        "expires_at": None,
        "metadata": {"shop": 7},
    }


def test_answers_nulls_where_nothing_was_said(till: Till) -> None:
    card = data(create(till, **JANE), 201)
    assert (card["customer_phone"], card["last_activity"], card["points_balance"]) == (None, None, 0)
    assert card["metadata"] == {}


def test_remembers_who_gave_the_initial_points(till: Till) -> None:
    card = data(create(till, **JANE, initial_points=50), 201)
    [entry] = data(till.get(f"points/history/{card['id']}"))["transactions"]
    assert (entry["type"], entry["points"], entry["card_id"]) == ("award", 50, card["id"])


def test_gives_initial_points_also_to_a_card_that_is_not_active(till: Till) -> None:
    card = data(create(till, **JANE, initial_points=50, auto_activate=False), 201)
    assert (card["status"], card["points_balance"]) == ("inactive", 50)
    error(till.award(1, card_id=card["id"]), 403, "CARD_INACTIVE")


def test_refuses_the_same_address_in_any_case(till: Till) -> None:
    first = data(create(till, **JANE), 201)["id"]
    with nothing_moves(till.program):
        answer = create(till, customer_email="JANE@Example.com", customer_name="Janet", initial_points=5)
        assert error(answer, 409, "DUPLICATE_CUSTOMER") == {"existing_card_id": first}


def test_names_the_active_card_of_a_customer_whose_first_was_replaced(till: Till) -> None:
    first = data(create(till, **JANE), 201)["id"]
    new = data(till.post(f"loyalty-cards/{first}/replace", {"reason": "Lost"}), 201)["id"]
    assert error(create(till, **JANE), 409, "DUPLICATE_CUSTOMER") == {"existing_card_id": new}


def test_names_no_card_of_a_customer_without_one(till: Till, program: Program) -> None:
    Customer.objects.create(program=program, email="jane@example.com")
    assert error(create(till, **JANE), 409, "DUPLICATE_CUSTOMER") == {"existing_card_id": None}


def test_knows_addresses_of_its_own_programme_only(till: Till, stranger: Till) -> None:
    data(create(stranger, **JANE), 201)
    data(create(till, **JANE), 201)


def test_adds_a_card_to_a_customer(till: Till) -> None:
    till.award(7)
    card = data(create(till, customer_id=till.customer_id, initial_points=5), 201)
    assert card["customer_id"] == till.customer_id
    assert card["id"] != till.card_id
    assert card["points_balance"] == 7 + 5


def test_does_not_know_customers_of_others(till: Till, stranger: Till) -> None:
    with nothing_moves(stranger.program):
        for customer_id in (stranger.customer_id, "cus_" + "0" * 32, "nonsense"):
            error(create(till, customer_id=customer_id), 404, "NOT_FOUND")


def test_takes_a_date_on_which_the_card_ends(till: Till) -> None:
    card = data(create(till, **JANE, expires_at="2090-01-01"), 201)
    assert card["expires_at"] == "2090-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"customer_email": None}, "INVALID_PARAMETERS", "customer_email"),
        ({"customer_name": None}, "INVALID_PARAMETERS", "customer_name"),
        ({"customer_name": " "}, "INVALID_PARAMETERS", "customer_name"),
        ({"customer_name": "x" * 201}, "INVALID_PARAMETERS", "customer_name"),
        ({"customer_email": "jane"}, "INVALID_EMAIL", "customer_email"),
        ({"customer_email": "jane@"}, "INVALID_EMAIL", "customer_email"),
        ({"customer_email": 7}, "INVALID_EMAIL", "customer_email"),
        ({"customer_email": "x" * 250 + "@example.com"}, "INVALID_EMAIL", "customer_email"),
        ({"customer_phone": 370}, "INVALID_PARAMETERS", "customer_phone"),
        ({"card_design": "x" * 51}, "INVALID_PARAMETERS", "card_design"),
        ({"auto_activate": "yes"}, "INVALID_PARAMETERS", "auto_activate"),
        ({"metadata": []}, "INVALID_PARAMETERS", "metadata"),
        ({"expires_at": "2020-01-01"}, "INVALID_PARAMETERS", "expires_at"),
        ({"customer_id": "cus_1"}, "INVALID_PARAMETERS", "customer_id"),
        ({"initial_points": -1}, "INVALID_POINTS", None),
        ({"initial_points": "5"}, "INVALID_POINTS", None),
        ({"initial_points": 0.5}, "INVALID_POINTS", None),
    ],
)
def test_refuses_a_malformed_body(till: Till, change: dict[str, Any], code: str, field: str | None) -> None:
    with nothing_moves(till.program):
        facts = error(create(till, **JANE | change), 400, code)
    assert facts.get("field") == field


def test_answers_the_same_when_replayed(till: Till) -> None:
    first = create(till, **JANE, initial_points=5, key="jane")
    till.post(f"loyalty-cards/{data(first)['id']}/block", {"reason": "Stolen"})
    again = create(till, **JANE, initial_points=5, key="jane")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    with nothing_moves(till.program):
        error(create(till, **JANE, initial_points=6, key="jane"), 422, "IDEMPOTENCY_KEY_REUSED")


def test_answers_the_same_when_replayed_after_the_card_has_ended(till: Till) -> None:
    with time_machine.travel("2027-03-01T12:00:00Z", tick=False):
        first = create(till, **JANE, expires_at="2027-03-02", key="jane")
    with time_machine.travel("2027-03-03T12:00:00Z", tick=False):
        again = create(till, **JANE, expires_at="2027-03-02", key="jane")
    assert (again.status_code, again.content) == (201, first.content)


def test_does_not_remember_a_refusal(till: Till, program: Program) -> None:
    mine = Customer.objects.create(program=program, email="jane@example.com")
    error(create(till, **JANE, key="jane"), 409, "DUPLICATE_CUSTOMER")
    mine.delete()
    data(create(till, **JANE, key="jane"), 201)


def test_makes_one_card_of_many_calls_at_once(till: Till, program: Program) -> None:
    bodies: list[bytes] = []

    def call() -> None:
        try:
            bodies.append(create(till, **JANE, key="jane").content)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 10
    assert len(set(bodies)) == 1
    assert Card.objects.filter(program=program).exclude(pk=till.card.pk).count() == 1


def test_makes_one_customer_of_many_calls_without_a_key(till: Till, program: Program) -> None:
    statuses: list[int] = []

    def call() -> None:
        try:
            statuses.append(create(till, **JANE).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [409] * 9
    assert Customer.objects.filter(program=program, email="jane@example.com").count() == 1


def test_needs_its_scope(program: Program, till: Till) -> None:
    reader = Till(program, till.card, scopes=["loyalty:read", "points:manage"])
    assert error(create(reader, **JANE), 403, "FORBIDDEN") == {"required_permissions": ["loyalty:write"]}


def test_needs_the_scope_of_points_for_initial_points(program: Program, till: Till) -> None:
    writer = Till(program, till.card, scopes=["loyalty:write"])
    with nothing_moves(program):
        facts = error(create(writer, **JANE, initial_points=5), 403, "FORBIDDEN")
    assert facts == {"required_permissions": ["points:manage"]}
    data(create(writer, **JANE, initial_points=0), 201)


def test_puts_initial_points_on_the_default_definition(till: Till, program: Program) -> None:
    miles = definitions.create_definition(program=program, code="miles", name="Miles", decimal_places=2)
    definitions.make_default(PointDefinition.objects.get(pk=miles.pk))
    card = data(create(till, **JANE, initial_points=0.25), 201)
    assert card["points_balance"] == 0.25
