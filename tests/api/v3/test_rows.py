import datetime
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from loyalty.models import Program
from points.api import v3_rows
from points.api.v3_shapes import PointRowInput
from points.models import AccountRef, PointAccount, PointTransaction
from tests.api.management.till import nothing_moves
from tests.api.v3.system import System, done, refused, verified
from tests.factories import CustomerFactory

UNKNOWN = "0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c0"


def test_posts_990_of_1000_rows_of_900_new_contacts_and_names_the_others(program: Program, usual: System) -> None:
    people = [str(customer.pk) for customer in CustomerFactory.create_batch(900, program=program)]
    rows = [usual.row(n % 50 + 1, contactId=people[n % 900]) for n in range(1000)]
    bad = {
        3: {"amount": 0},
        50: {"amount": "ten"},
        100: {"source": "Gift"},
        200: {"contactId": UNKNOWN},
        300: {"contactId": "nobody"},
        400: {"definitionId": 77},
        500: {"description": ""},
        600: {"amount": -(10**6)},
        700: {"validTo": "2020-01-01"},
        999: {"amount": 0.5},
    }
    for at, fault in bad.items():
        rows[at] = rows[at] | fault
    first = usual.rows(*rows, key="night-1")
    answer = done(first, 202)
    assert answer["accepted"] == 990
    assert answer["notAccepted"] == [rows[at] for at in bad]
    assert len(answer["errorMessages"]) == 10
    assert all(answer["errorMessages"])
    assert answer["missingContactIds"] == [UNKNOWN]
    assert answer["missingDefinitionIds"] == [77]
    assert PointTransaction.objects.filter(program=program).count() == 990
    posted = sum(row["amount"] for at, row in enumerate(rows) if at not in bad)
    assert sum(PointAccount.objects.filter(program=program).values_list("balance", flat=True)) == posted
    with nothing_moves(program):
        again = usual.rows(*rows, key="night-1")
        assert (again.status_code, again.content) == (202, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        refused(usual.rows(*rows[1:], key="night-1"), 422, "IdempotencyKeyReused")
    assert verified(program) == []


def test_takes_amounts_with_decimals_of_either_sign_in_the_order_given(system: System) -> None:
    answer = done(system.rows(system.row(719.7), system.row(-719.8), system.row(-19.7), system.row(0.3)), 202)
    assert (answer["accepted"], answer["notAccepted"]) == (3, [system.row(-719.8)])
    assert system.balance == 700.3


def test_posts_rows_with_ids_of_their_own_once(system: System) -> None:
    known = str(uuid.uuid4())
    row, other = system.row(10, transactionId=known), system.row(11, transactionId=known)
    answer = done(system.rows(row, row, other), 202)
    assert (answer["accepted"], answer["notAccepted"]) == (2, [other])
    assert system.balance == 10
    with nothing_moves(system.program):
        assert done(system.rows(row), 202)["accepted"] == 1
    assert done(system.get(f"point-transactions/{known}"))["amount"] == 10


def test_is_one_transaction_whether_sent_in_a_row_or_alone(system: System) -> None:
    known = str(uuid.uuid4())
    done(system.rows(system.row(10, transactionId=known, timeStamp="2026-01-02")), 202)
    alone = system.body(
        "Addition", 10, transactionId=known, description="Order", transactionDate="2026-01-02T00:00:00Z"
    )
    with nothing_moves(system.program):
        assert system.post("point-transactions", alone).headers["Idempotent-Replayed"] == "true"


def test_follows_balances_of_another_system(program: Program, system: System) -> None:
    update = {"source": "UpdateBalance"}
    assert done(system.rows(system.row(5), system.row(100.5, **update), system.row(40, **update)), 202)["accepted"] == 3
    assert system.balance == 40
    assert system.amounts(sortBy="CreatedOn", sortOrder="Asc") == [5, 95.5, -60.5]
    till = System(program, system.contact, system.definition, scopes=["points:manage"])
    with nothing_moves(program):
        assert done(till.rows(system.row(1, **update)), 202)["accepted"] == 0


def test_follows_a_balance_below_what_rows_before_it_added(usual: System) -> None:
    # What ends first pays: ten lots that were there, and less than all of what the batch brings.
    done(usual.rows(*[usual.row(10, validTo=f"2090-01-{day:02}") for day in range(1, 11)]), 202)
    answer = done(usual.rows(usual.row(100, validTo="2091-01-01"), usual.row(40, source="UpdateBalance")), 202)
    assert (answer["accepted"], usual.balance) == (2, 40)
    assert usual.told()["balanceExpires"] == "2091-01-01T00:00:00Z"
    assert verified(usual.program) == []


def test_keeps_the_callers_date_apart(system: System) -> None:
    done(system.rows(system.row(5, timeStamp="2025-12-24T18:00:00+02:00")), 202)
    [row] = system.told_list()["items"]
    assert row["transactionDate"] == "2025-12-24T16:00:00Z"
    assert row["createdOn"].startswith(str(datetime.datetime.now(datetime.UTC).date()))


@pytest.mark.parametrize("body", [None, {}, [], "rows", 7, {"transactions": []}])
def test_refuses_what_is_no_list_of_rows(system: System, body: Any) -> None:
    refused(system.post("point-accounts/transactions", body), 400, "ValidationFailed")


def test_refuses_more_than_1000_rows(system: System) -> None:
    with nothing_moves(system.program):
        refused(system.rows(*[system.row(1)] * 1001), 400, "TooManyItems")


@pytest.mark.parametrize("row", [None, 7, "row", [], [[]], {}, {"contactId": {}}, {"amount": [1]}, {"contactId": 1e30}])
def test_gives_back_rows_that_are_none(system: System, row: Any) -> None:
    answer = done(system.rows(row, system.row(1)), 202)
    assert (answer["accepted"], len(answer["notAccepted"]), len(answer["errorMessages"])) == (1, 1, 1)


def test_gives_back_numbers_that_are_none(system: System) -> None:
    body = json.dumps([system.row(float("nan")), system.row(float("inf")), system.row(10**40)]).replace(
        "1" + "0" * 40, "1e-999999999999"
    )
    answer = system.client.post("/api/v3/point-accounts/transactions", body, content_type="application/json")
    told = done(answer, 202)
    assert (told["accepted"], len(told["notAccepted"])) == (0, 3)


def test_reads_rows_as_the_description_says(program: Program, system: System) -> None:
    # Flat, and by a serializer: both take the same, and call the same field wrong.
    good = {
        "contact_id": UNKNOWN,
        "definition_id": 1,
        "amount": Decimal("1.5"),
        "source": "Purchase",
        "description": "x",
    }
    variants: list[dict[str, Any]] = [good]
    for name in PointRowInput().fields:
        variants += [good | {name: value} for value in (None, "", "x", 7, True, [], {}, "2026-01-02", UNKNOWN)]
        variants.append({key: value for key, value in good.items() if key != name})
    for row in variants:
        serializer = PointRowInput(data=row)
        flat = v3_rows.read(row, program)
        assert serializer.is_valid() is isinstance(flat, v3_rows.Row), row
        if not serializer.is_valid():
            assert next(iter(flat.faults)) in (next(iter(serializer.errors)), "points"), row


def test_names_what_is_missing_once_and_as_it_was_meant(system: System) -> None:
    rows = [system.row(1, contactId=UNKNOWN), system.row(1, contactId=UNKNOWN.upper())]
    rows += [system.row(1, definitionId=7), system.row(1, definitionId="7"), system.row(1, definitionId=2**40)]
    answer = done(system.rows(*rows), 202)
    assert (answer["missingContactIds"], answer["missingDefinitionIds"]) == ([UNKNOWN], [7, 2**40])
    assert answer["notAccepted"] == rows


def test_names_the_field_in_each_message(system: System) -> None:
    faults = [{"amount": 0}, {"amount": 0.01}, {"validTo": "2020-01-01"}, {"source": "Gift"}, {"contactId": None}]
    answer = done(system.rows(*(system.row(1) | fault for fault in faults)), 202)
    named = [message.partition(":")[0] for message in answer["errorMessages"]]
    assert named == ["amount", "amount", "validTo", "source", "contactId"]


def test_knows_no_contacts_of_other_programmes(system: System, stranger: System) -> None:
    with nothing_moves(stranger.program):
        answer = done(system.rows(system.row(1, contactId=stranger.contact_id)), 202)
    assert answer["missingContactIds"] == [stranger.contact_id]
    ref = AccountRef(program=system.program, definition=system.definition, customer_id=stranger.contact.pk)
    assert not PointAccount.objects.filter(pk=ref.id).exists()
