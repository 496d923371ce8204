import datetime
import json
import uuid
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connections, transaction

from loyalty.models import Program
from points import ledger
from points.models import EntryType, PointTransaction
from tests.api.management.till import nothing_moves
from tests.api.v3.system import System, done, refused, verified

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def accounts(system: System, usual: System) -> None:
    system.open()
    usual.open()


def test_adds_points_under_the_callers_id(system: System) -> None:
    with time_machine.travel(NOON, tick=False):
        body = system.body(
            "Addition",
            719.7,
            transactionDate="2026-02-28T10:00:00+02:00",
            validTo="2027-01-01T00:00:00Z",
            retailTransactionLineItemId="receipt-77-1",
        )
        told = done(system.post("point-transactions", body), 202)
    assert told == {
        "id": body["transactionId"],
        "accountId": system.account_id,
        "amount": 719.7,
        "type": "Addition",
        "source": "Purchase",
        "description": "@@(Bonus.Points)",
        "transactionDate": "2026-02-28T08:00:00Z",
        "createdOn": "2026-03-02T12:00:00Z",
        "modifiedOn": None,
        "validFrom": "2026-03-02T12:00:00Z",
        "validTo": "2027-01-01T00:00:00Z",
        "retailTransactionLineItemId": "receipt-77-1",
        "cancels": None,
        "links": [],
    }
    assert done(system.get(f"point-transactions/{body['transactionId']}")) == told
    assert system.balance == 719.7


def test_deducts_adjusts_and_cancels(system: System) -> None:
    added = done(system.add(100.5), 202)
    spent = done(system.deduct(30.2), 202)
    assert (spent["type"], spent["amount"]) == ("Deduction", -30.2)
    fixed = done(system.transact("Adjustment", -0.3, source="Adjustment"), 202)
    assert (fixed["type"], fixed["amount"], fixed["validFrom"]) == ("Adjustment", -0.3, None)
    back = done(system.transact("Cancellation", 10.2, cancels=spent["id"], source="Return"), 202)
    assert (back["type"], back["amount"], back["cancels"]) == ("Cancellation", 10.2, spent["id"])
    taken = done(system.transact("Cancellation", 0.5, cancels=added["id"], source="Return"), 202)
    assert (taken["amount"], taken["cancels"]) == (-0.5, added["id"])
    # Written with two decimals' exactness: 0.1 + 0.2 is 0.3 here.
    assert system.balance == pytest.approx(100.5 - 30.2 - 0.3 + 10.2 - 0.5)
    assert str(PointTransaction.objects.get(external_id=taken["id"]).balance_after) == "79.70"
    touched = done(system.get(f"point-transactions/{added['id']}"))
    assert touched["modifiedOn"] == taken["createdOn"]


def test_posts_the_difference_to_another_systems_balance(system: System) -> None:
    def update(balance: Any) -> Any:
        return done(system.transact("Adjustment", balance, source="UpdateBalance"), 202)["amount"]

    assert update(50) == 50
    assert update(20.5) == -29.5
    assert update(20.5) == 0
    assert update(0) == -20.5
    system.add(7)
    assert update(7) == 0
    assert system.balance == 7
    assert verified(system.program) == []


def test_follows_a_balance_over_many_lots_and_what_is_due(usual: System) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        for day in range(1, 11):
            usual.add(10, validTo=(NOON + day * DAY).isoformat())
        usual.add(40, validFrom=(NOON + 3 * DAY).isoformat())
        clock.move_to(NOON + 3 * DAY)
        # Three lots have ended, 40 have become active.
        told = done(usual.transact("Adjustment", 45, source="UpdateBalance"), 202)
        assert told["amount"] == 45 - (100 - 30 + 40)
        assert usual.balance == 45
    assert verified(usual.program) == []


def test_answers_the_first_transaction_when_sent_again(system: System) -> None:
    body = system.body("Addition", 100, transactionDate="2026-01-02")
    first = system.post("point-transactions", body)
    system.deduct(100)
    with nothing_moves(system.program):
        # White space, the order of keys and how a number or a moment is written do not matter.
        again = system.post("point-transactions", dict(reversed(body.items())) | {"amount": 100.0})
        much_later = system.post("point-transactions", body | {"transactionDate": "2026-01-02T00:00:00Z"}, key="other")
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Idempotent-Replayed"] == much_later.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers


@pytest.mark.parametrize(
    "other",
    [
        {"amount": 99},
        {"description": "Other"},
        {"source": "Return"},
        {"transactionDate": "2026-01-02"},
        {"validTo": "2090-01-01"},
        {"retailTransactionLineItemId": "receipt-1"},
        {"transactionType": "Deduction"},
    ],
)
def test_refuses_another_transaction_under_the_same_id(system: System, other: dict[str, Any]) -> None:
    body = system.body("Addition", 100)
    system.post("point-transactions", body)
    with nothing_moves(system.program):
        refused(system.post("point-transactions", body | other), 409, "TransactionIdConflict")


def test_takes_the_same_id_in_another_account(system: System, usual: System) -> None:
    body = system.body("Addition", 100)
    done(system.post("point-transactions", body), 202)
    done(usual.post("point-transactions", body | {"accountId": usual.account_id, "amount": 5}), 202)
    path = f"point-transactions/{body['transactionId']}"
    assert done(system.get(path))["amount"] == 100
    assert done(system.get(path, accountId=usual.account_id))["amount"] == 5


def test_may_be_tried_again_after_a_refusal(system: System) -> None:
    body = system.body("Deduction", 100)
    with nothing_moves(system.program):
        facts = refused(system.post("point-transactions", body), 400, "InsufficientPoints")
    assert facts == {"currentBalance": 0, "requestedPoints": 100}
    system.add(100)
    assert done(system.post("point-transactions", body), 202)["amount"] == -100


def test_cancels_points_before_they_are_valid(usual: System) -> None:
    pending = done(usual.add(100, validFrom="2090-01-01"), 202)
    assert usual.told()["pendingPoints"] == 100
    done(usual.transact("Cancellation", 40, cancels=pending["id"]), 202)
    assert usual.told()["pendingPoints"] == 60
    assert usual.amounts(filter="pending") == [100]
    done(usual.transact("Cancellation", 60, cancels=pending["id"]), 202)
    assert usual.told()["pendingPoints"] == 0
    assert usual.amounts(filter="Pending") == []
    facts = refused(usual.transact("Cancellation", 1, cancels=pending["id"]), 409, "TransactionAlreadyCancelled")
    assert facts == {"reversiblePoints": 0}


def test_cancels_entries_of_other_faces_by_their_own_id(usual: System) -> None:
    usual.rows(usual.row(50))
    [first] = usual.told_list()["items"]
    done(usual.transact("Cancellation", 50, cancels=first["id"]), 202)
    assert usual.balance == 0
    cancellation = usual.told_list()["items"][0]
    refused(usual.transact("Cancellation", 1, cancels=cancellation["id"]), 409, "TransactionNotCancellable")
    refused(usual.transact("Cancellation", 1, cancels=str(uuid.uuid4())), 404, "PointTransactionNotFound")


def test_expires_at_once_what_a_cancellation_gives_back_too_late(usual: System) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        usual.add(100, validTo=(NOON + DAY).isoformat())
        spent = done(usual.deduct(60), 202)
        clock.move_to(NOON + 2 * DAY)
        back = done(usual.transact("Cancellation", 60, cancels=spent["id"], source="Return"), 202)
        rows = usual.told_list(count=3)["items"]
    assert [(row["type"], row["amount"]) for row in rows] == [("Expiry", -60), ("Cancellation", 60), ("Expiry", -40)]
    assert (rows[1]["id"], rows[0]["source"]) == (back["id"], "Automation")
    assert rows[0]["id"] != back["id"]
    assert verified(usual.program) == []


def test_expires_points_by_the_clock_and_says_so_by_a_code(usual: System) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        added = done(usual.add(100, validTo=(NOON + DAY).isoformat()), 202)
        clock.move_to(NOON + 2 * DAY)
        expiry, first = usual.told_list(lang="lt")["items"]
    assert (expiry["type"], expiry["amount"], expiry["source"]) == ("Expiry", -100, "Automation")
    assert (expiry["description"], expiry["descriptionText"]) == (
        "@@(RemovedDueToTimeLimit)",
        "Taškų galiojimas baigėsi",
    )
    assert (expiry["transactionDate"], expiry["createdOn"]) == ("2026-03-03T12:00:00Z", "2026-03-04T12:00:00Z")
    assert (first["id"], first["modifiedOn"]) == (added["id"], "2026-03-04T12:00:00Z")


def test_makes_points_spendable_at_the_second_without_a_job(usual: System) -> None:
    start = NOON + 7 * DAY
    with time_machine.travel(NOON, tick=False) as clock:
        usual.add(100, validFrom=start.isoformat())
        clock.move_to(start - datetime.timedelta(seconds=1))
        refused(usual.deduct(1), 400, "InsufficientPoints")
        assert (usual.amounts(filter="Pending"), usual.amounts(filter="Active")) == ([100], [])
        clock.move_to(start)
        assert (usual.amounts(filter="Pending"), usual.amounts(filter="Active")) == ([], [100])
        done(usual.deduct(100), 202)
    assert usual.balance == 0


def test_finds_the_line_of_a_receipt_and_returns_its_points(program: Program, system: System, usual: System) -> None:
    line, other = {"retailTransactionLineItemId": "receipt-77-1"}, {"retailTransactionLineItemId": "receipt-77-2"}
    first = done(usual.add(50, **line), 202)
    usual.add(30, **other)
    done(system.add(2.5, **line), 202)
    found = done(usual.get("point-transactions", **line))
    assert (found["totalCount"], {row["amount"] for row in found["items"]}) == (2, {50, 2.5})
    assert usual.amounts(**line) == [50]
    done(usual.transact("Cancellation", first["amount"], cancels=first["id"], source="Return"), 202)
    assert usual.amounts(**line, sortBy="CreatedOn", sortOrder="Asc") == [50, -50]
    assert usual.balance == 30


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": "1"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": 10**15}, "amount"),
        ({"amount": 0.01}, "amount"),
        ({"accountId": "7"}, "accountId"),
        ({"transactionId": None}, "transactionId"),
        ({"transactionId": "7" * 32}, "transactionId"),
        ({"transactionType": "Expiry"}, "transactionType"),
        ({"transactionType": ["Addition"]}, "transactionType"),
        ({"transactionType": "Cancellation"}, "cancels"),
        ({"transactionType": "Adjustment", "amount": 0}, "amount"),
        ({"source": "UpdateBalance"}, "source"),
        ({"description": " "}, "description"),
        ({"description": "x" * 256}, "description"),
        ({"transactionDate": "yesterday"}, "transactionDate"),
        ({"validTo": "2020-01-01"}, "validTo"),
        ({"validFrom": "2090-01-02", "validTo": "2090-01-01"}, "validTo"),
        ({"transactionType": "Adjustment", "validFrom": "2090-01-02"}, "validFrom"),
        ({"retailTransactionLineItemId": "x" * 101}, "retailTransactionLineItemId"),
    ],
)
def test_names_the_field_that_is_wrong(system: System, body: dict[str, Any], field: str) -> None:
    with nothing_moves(system.program):
        answer = system.post("point-transactions", system.body("Addition", 1) | body)
        facts = refused(answer, 400, "ValidationFailed")
    assert field in facts["fields"]
    assert answer.json()["message"]


@pytest.mark.parametrize("source", ["Gift", "purchase", 7, ["Purchase"]])
def test_knows_no_other_source(system: System, source: Any) -> None:
    with nothing_moves(system.program):
        facts = refused(system.add(1, source=source), 400, "InvalidSource")
    assert set(facts["fields"]) == {"source"}


def test_refuses_text_with_a_nul_character(system: System) -> None:
    with nothing_moves(system.program):
        refused(system.add(1, description="a\0b"), 400, "ValidationFailed")
        refused(system.get("point-transactions", retailTransactionLineItemId="a\0b"), 400, "ValidationFailed")


def test_posts_nothing_where_accounts_are_switched_off(program: Program, system: System) -> None:
    Program.objects.filter(pk=program.pk).update(has_point_accounts=False)
    with nothing_moves(program):
        refused(system.add(1), 400, "PointSystemNotActive")
        refused(system.rows(system.row(1)), 400, "PointSystemNotActive")


def test_answers_what_was_posted_also_where_accounts_are_switched_off(program: Program, system: System) -> None:
    body, row = system.body("Addition", 5), system.row(7)
    done(system.post("point-transactions", body), 202)
    first = system.rows(row, key="night-1")
    Program.objects.filter(pk=program.pk).update(has_point_accounts=False)
    with nothing_moves(program):
        assert done(system.post("point-transactions", body), 202)["amount"] == 5
        assert done(system.rows(row, key="night-1"), 202) == first.json()
        refused(system.post("point-transactions", body | {"amount": 6}), 409, "TransactionIdConflict")


def test_tells_that_points_expired_before_anybody_wrote_it(usual: System) -> None:
    line = {"retailTransactionLineItemId": "receipt-77-1"}
    with time_machine.travel(NOON, tick=False) as clock:
        by_id = done(usual.add(5, validTo=(NOON + DAY).isoformat(), **line), 202)
        usual.add(5, validTo=(NOON + 3 * DAY).isoformat(), **line)
        clock.move_to(NOON + 2 * DAY)
        assert done(usual.get(f"point-transactions/{by_id['id']}"))["modifiedOn"] == "2026-03-04T12:00:00Z"
        clock.move_to(NOON + 4 * DAY)
        rows = done(usual.get("point-transactions", **line))["items"]
    assert {row["modifiedOn"] for row in rows} == {"2026-03-04T12:00:00Z", "2026-03-06T12:00:00Z"}


def test_lists_equal_dates_of_a_line_as_they_were_written(usual: System) -> None:
    line = {"retailTransactionLineItemId": "receipt-77-1"}
    for number in range(1, 9):
        usual.add(number, transactionDate="2026-03-01", **line)
    for sort in ("TransactionDate", "CreatedOn"):
        rows = done(usual.get("point-transactions", **line, sortBy=sort, sortOrder="Asc"))["items"]
        assert [row["amount"] for row in rows] == list(range(1, 9))


def test_takes_zero_for_zero_however_it_is_written(system: System) -> None:
    body = system.body("Adjustment", 0, source="UpdateBalance")
    raw = json.dumps(body).replace('"amount": 0', '"amount": -0.0')
    done(system.post("point-transactions", body), 202)
    answer = system.client.post("/api/v3/point-transactions", raw, content_type="application/json")
    assert answer.headers["Idempotent-Replayed"] == "true"


def test_counts_towards_the_limit_but_for_replays(program: Program, system: System) -> None:
    Program.objects.filter(pk=program.pk).update(transaction_limit=1)
    body = system.body("Addition", 1)
    done(system.post("point-transactions", body), 202)
    answer = system.add(1)
    assert refused(answer, 429, "TooManyRequests")["retryAfter"] == int(answer.headers["Retry-After"])
    done(system.post("point-transactions", body), 202)


def test_knows_nothing_of_other_programmes(system: System, stranger: System) -> None:
    done(stranger.open(), 201)
    theirs = done(stranger.add(50), 202)
    with nothing_moves(stranger.program):
        refused(system.add(1, accountId=stranger.account_id), 404, "PointAccountNotFound")
        refused(system.get(f"point-transactions/{theirs['id']}"), 404, "PointTransactionNotFound")
        refused(system.get("point-transactions/none"), 404, "PointTransactionNotFound")
        refused(system.get("point-transactions", id=stranger.account_id), 404, "PointAccountNotFound")
        query = {"contactId": stranger.contact_id, "definitionId": 1}
        refused(system.get("point-transactions", **query), 404, "ContactNotFound")
        refused(system.transact("Cancellation", 1, cancels=theirs["id"]), 404, "PointTransactionNotFound")


def test_needs_a_scope_of_its_own_to_adjust(program: Program, system: System) -> None:
    till = System(program, system.contact, system.definition, scopes=["points:manage"])
    done(till.add(10), 202)
    with nothing_moves(program):
        facts = refused(till.transact("Adjustment", 1), 403, "Forbidden")
    assert facts == {"requiredPermissions": ["points:adjust"]}


def test_tells_where_entries_of_other_faces_come_from(usual: System) -> None:
    def post(kind: EntryType, points: int, **metadata: Any) -> None:
        note = ledger.Note(reason="Order", actor="till", metadata=metadata or None)
        ledger.post(ledger.Posting(type=kind, account=usual.account, points=points, at=NOON, note=note))

    post(EntryType.AWARD, 10, transaction_type="purchase")
    post(EntryType.AWARD, 10, transaction_type="referral")
    post(EntryType.AWARD, 10, transaction_type=["a list"])
    post(EntryType.REDEEM, 5)
    post(EntryType.ADJUST, 5)
    told = [row["source"] for row in usual.told_list(sortOrder="asc")["items"]]
    assert told == ["Purchase", "BonusPromotion", "Manual", "Manual", "Adjustment"]


def test_cannot_be_written_twice_round_the_ledger(system: System) -> None:
    first = done(system.add(1), 202)
    columns = ", ".join(
        field.column
        for field in PointTransaction._meta.concrete_fields
        if field.column not in ("id", "version", "xid", "serial", "balance_before", "balance_after")
    )
    again = (
        f"INSERT INTO points_pointtransaction (id, version, balance_before, balance_after, {columns})"
        f" SELECT gen_random_uuid(), 2, balance_after, balance_after + points, {columns}"
        " FROM points_pointtransaction WHERE external_id = %s"
    )
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE points_pointtransaction DISABLE TRIGGER USER")
        with pytest.raises(IntegrityError, match="entry_external_id_unique_in_account"):
            cursor.execute(again, [first["id"]])
        transaction.set_rollback(True, using="owner")
