"""Round the ORM and the ledger: holds are resolved once, accounts end once, and words are erased by one function."""

import datetime
import uuid
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, connections, transaction

from loyalty.models import Program
from points import ledger, moves
from points.models import Hold, PointLot, PointTransaction
from tests.factories import make_account
from tests.points.round_the_ledger import INSERT_ENTRY, entry, refusal_of, refused, run, with_two_roles
from tests.points.till import NOON, NOTE, Till, some_id

DAY = datetime.timedelta(days=1)
INSERT_HOLD = """
INSERT INTO points_hold (id, account_id, program_id, points, captured_points, status, pins, expires_at, created_at,
    resolved_at, resolved_by_id)
VALUES (%(id)s, %(account)s, %(program)s, %(points)s, %(captured)s, %(status)s, '[]', '2026-03-03 12:00Z', now(),
    %(resolved)s, %(by)s)
"""


@pytest.fixture
def till(till: Till) -> Till:
    """100 points, of which 20 are held: versions 1 and 2, balance 80."""
    till.award(100)
    hold(till, 20)
    return till


def hold(till: Till, points: int) -> uuid.UUID:
    outcome = ledger.hold(account=till.account, points=Decimal(points), lasts=DAY, note=NOTE, at=NOON)
    assert outcome.hold is not None
    return outcome.hold.id


def holds(till: Till) -> list[dict[str, Any]]:
    return list(Hold.objects.filter(account_id=till.account.id).order_by("id").values())


# Holds


@pytest.mark.parametrize("statement", ["DELETE FROM points_hold", "DELETE FROM points_hold WHERE FALSE"])
def test_refuses_to_delete_a_hold(till: Till, role: str, statement: str) -> None:
    kind, reason = refusal_of(role)
    with refused(till, kind, match=reason):
        run(role, statement)
    with refused(till, ProgrammingError, IntegrityError, match=r"permission denied|append-only"):
        run(role, "TRUNCATE points_hold")
    assert len(holds(till)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "points = points + 1",
        "pins = '[]'",
        "expires_at = expires_at + interval '1 day'",
        "created_at = now()",
        "id = gen_random_uuid()",
        "account_id = gen_random_uuid()",
        "program_id = gen_random_uuid()",
        "status = 'released', resolved_at = now(), resolved_by_id = id, points = points",
    ],
)
def test_refuses_to_change_a_hold_but_in_what_becomes_of_it(till: Till, role: str, change: str) -> None:
    before = holds(till)
    kind, reason = refusal_of(role)
    with refused(till, kind, match=reason):
        run(role, f"UPDATE points_hold SET {change} WHERE account_id = %(account)s", account=till.account.id)
    assert holds(till) == before


@with_two_roles
@pytest.mark.parametrize("column", ["reference", "metadata"])
def test_refuses_the_runtime_role_to_change_the_words_of_a_hold(till: Till, column: str) -> None:
    with refused(till, ProgrammingError, match="permission denied"):
        run("default", f"UPDATE points_hold SET {column} = NULL")


@pytest.mark.parametrize(
    "change",
    [
        "status = 'active', resolved_at = NULL, resolved_by_id = NULL",
        "status = 'captured', captured_points = points",
        "resolved_at = now()",
        "resolved_by_id = gen_random_uuid()",
        "status = status",
    ],
)
def test_refuses_to_resolve_a_hold_twice(till: Till, role: str, change: str) -> None:
    [held] = holds(till)
    ledger.release(account=till.account, hold_id=held["id"], note=NOTE, at=NOON)
    before = holds(till)
    with refused(till, match="append-only"):
        run(role, f"UPDATE points_hold SET {change} WHERE account_id = %(account)s", account=till.account.id)
    assert holds(till) == before


def test_refuses_to_capture_another_number_of_points_afterwards(till: Till, role: str) -> None:
    [held] = holds(till)
    ledger.capture(account=till.account, hold_id=held["id"], points=Decimal(5), note=NOTE, at=NOON)
    with refused(till, match="append-only"):
        run(role, "UPDATE points_hold SET captured_points = 6 WHERE account_id = %(account)s", account=till.account.id)
    assert holds(till)[0]["captured_points"] == 5


RESOLVED = {"resolved": "2026-03-03 12:00Z", "by": some_id()}


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"points": 0}, "hold_points_positive"),
        ({"status": "captured", "captured": 6} | RESOLVED, "hold_captures_no_more_than_it_has"),
        ({"status": "captured", "captured": -1} | RESOLVED, "hold_captures_no_more_than_it_has"),
        ({"status": "captured"} | RESOLVED, "hold_that_is_captured_has_captured_points"),
        ({"status": "released", "captured": 1} | RESOLVED, "hold_that_is_captured_has_captured_points"),
        ({"captured": 1}, "hold_that_is_captured_has_captured_points"),
        ({"status": "lapsed"}, "hold_is_resolved_by_an_entry"),
        ({"status": "moved", "resolved": "2026-03-03 12:00Z"}, "hold_is_resolved_by_an_entry"),
        (RESOLVED, "hold_is_resolved_by_an_entry"),
    ],
)
def test_refuses_a_hold_without_sense(till: Till, role: str, values: dict[str, Any], constraint: str) -> None:
    sound = {"points": 5, "captured": 0, "status": "active", "resolved": None, "by": None}
    made = {"id": some_id(), "account": till.account.id, "program": till.account.program.pk}
    with refused(till, match=constraint):
        run(role, INSERT_HOLD, **made | sound | values)
    assert len(holds(till)) == 1


# What is held is in the account and its entries


@pytest.mark.parametrize("change", ["held = held + 1", "held = held - 1, balance = balance + 1"])
def test_refuses_a_change_of_what_is_held_without_an_entry(till: Till, role: str, change: str) -> None:
    with refused(till, match="does not say what its newest entry says"):
        run(role, f"UPDATE points_pointaccount SET {change} WHERE id = %(account)s", account=till.account.id)


def test_refuses_that_less_than_nothing_is_held(till: Till, role: str) -> None:
    with refused(till, match="account_held_not_negative"):
        run(role, "UPDATE points_pointaccount SET held = -1 WHERE id = %(account)s", account=till.account.id)
    with refused(till, match="entry_held_not_negative"):
        run(role, _with_held(-1), **_next(till))


@pytest.mark.parametrize("held", [0, 19, 21])
def test_refuses_an_entry_that_says_something_else_is_held(till: Till, role: str, held: int) -> None:
    with refused(till, match=r"do not follow on|does not say what its newest entry says"):
        run(
            role,
            f"WITH entry AS ({_with_held(held)}) UPDATE points_pointaccount"
            " SET balance = 81, version = 3 WHERE id = %(account)s",
            **_next(till),
        )


def test_refuses_an_entry_whose_points_leave_out_what_is_held(till: Till, role: str) -> None:
    with refused(till, match="do not follow on"):
        run(
            role,
            f"WITH entry AS ({_with_held(21)}) UPDATE points_pointaccount"
            " SET balance = 81, held = 21, version = 3 WHERE id = %(account)s",
            **_next(till),
        )


def _next(till: Till) -> dict[str, Any]:
    """What would be the third entry: one more point."""
    return entry(till, version=3, before=80, after=81)


def _with_held(held: int) -> str:
    return INSERT_ENTRY.replace("shortfall,", "shortfall, held_after,").replace(" 0, 'By", f" 0, {held}, 'By")


@pytest.mark.parametrize("kind", ["transfer", "merge"])
def test_refuses_an_entry_of_two_accounts_that_does_not_name_the_other(till: Till, role: str, kind: str) -> None:
    with refused(till, match="entry_of_two_accounts_names_the_other"):
        run(role, INSERT_ENTRY, **entry(till, type=kind, version=3))


def test_refuses_an_entry_of_one_account_that_names_an_entry_elsewhere(till: Till, role: str) -> None:
    with refused(till, match="entry_of_two_accounts_names_the_other"):
        run(
            role,
            INSERT_ENTRY.replace("shortfall,", "shortfall, other_entry_id,").replace(
                " 0, 'By", " 0, gen_random_uuid(), 'By"
            ),
            **entry(till, version=3),
        )


def test_refuses_held_points_of_no_lot(till: Till, role: str) -> None:
    insert = (
        "INSERT INTO points_lotuse (account_id, entry_id, position, lot_id, points, pays_debt, is_held)"
        " VALUES (%(account)s, %(entry)s, 9, %(lot)s, 1, %(pays_debt)s, TRUE)"
    )
    named = {"account": till.account.id, "entry": till.entries()[1].id}
    with refused(till, match="use_held_is_of_a_lot"):
        run(role, insert, **named, lot=None, pays_debt=False)
    with refused(till, match="use_held_is_of_a_lot"):
        run(role, insert, **named, lot=till.lots()[0].id, pays_debt=True)


# Accounts that are over


@pytest.fixture
def over(program: Program, till: Till) -> Till:
    """An account that was merged into the till's."""
    over = Till(make_account(program, till.account.definition))
    over.award(10)
    with transaction.atomic():
        moves.merge(old=[over.account], new=[till.account], actor="test", at=NOON)
    return over


@pytest.fixture
def closed(program: Program, till: Till) -> Till:
    closed = Till(make_account(program, till.account.definition))
    closed.award(10)
    with transaction.atomic():
        moves.forfeit(accounts=[closed.account], actor="test", at=NOON)
    return closed


@pytest.mark.parametrize("change", ["merged_into_id = gen_random_uuid()", "closed_at = now()"])
def test_refuses_to_end_an_account_that_has_points(till: Till, role: str, change: str) -> None:
    with refused(till, match="account_that_is_over_is_empty"):
        run(role, f"UPDATE points_pointaccount SET {change} WHERE id = %(account)s", account=till.account.id)


@pytest.mark.parametrize(
    "change",
    ["merged_into_id = NULL", "closed_at = NULL", "merged_into_id = gen_random_uuid()", "closed_at = now()"],
)
@pytest.mark.parametrize("which", ["over", "closed"])
def test_refuses_to_end_an_account_twice_or_to_open_it_again(
    request: pytest.FixtureRequest, role: str, which: str, change: str
) -> None:
    till = request.getfixturevalue(which)
    with refused(till, match="append-only"):
        run(role, f"UPDATE points_pointaccount SET {change} WHERE id = %(account)s", account=till.account.id)


# The words of entries


def test_every_column_of_an_entry_is_guarded(till: Till) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgname, a.attname FROM pg_trigger t, unnest(t.tgattr::int2[]) AS n (attnum)"
            " JOIN pg_attribute a ON a.attrelid = 'points_pointtransaction'::regclass AND a.attnum = n.attnum"
            " WHERE t.tgrelid = a.attrelid AND t.tgname IN ('entries_never_change', 'entries_keep_their_words')"
        )
        guarded = cursor.fetchall()
        cursor.execute("SELECT tgtype & 8, tgtype & 32 FROM pg_trigger WHERE tgname = 'entries_never_change'")
        assert cursor.fetchall() == [(8, 32)]  # Deleted and truncated neither.
    words = {column for trigger, column in guarded if trigger == "entries_keep_their_words"}
    rest = {column for trigger, column in guarded if trigger == "entries_never_change"}
    assert words == {"reason", "reference", "staff_member", "metadata", "erased_at"}
    assert words | rest == {field.column for field in PointTransaction._meta.concrete_fields}
    assert not words & rest


@pytest.mark.parametrize("column", ["reason", "reference", "staff_member", "metadata", "erased_at"])
def test_refuses_to_change_the_words_of_an_entry(closed: Till, column: str, role: str) -> None:
    is_refused = (ProgrammingError, "permission denied"), (IntegrityError, "never changed")
    kind, match = is_refused[refusal_of(role)[0] is IntegrityError]
    with refused(closed, kind, match=match):
        run(role, f"UPDATE points_pointtransaction SET {column} = {column}")
    with refused(closed, kind, match=match):
        run(role, f"UPDATE points_pointtransaction SET {column} = NULL WHERE FALSE")


@with_two_roles
def test_refuses_the_runtime_role_to_say_that_it_erases(closed: Till) -> None:
    with refused(closed, ProgrammingError, match="permission denied"):
        run("default", "SET LOCAL loyalty.erasing = 'on'; UPDATE points_pointtransaction SET reference = NULL")


def test_refuses_to_change_anything_else_while_words_are_erased(closed: Till) -> None:
    with refused(closed, match="append-only"):
        run(
            "owner", "SET LOCAL loyalty.erasing = 'on'; UPDATE points_pointtransaction SET points = 0, reference = NULL"
        )


def test_refuses_to_change_words_once_they_are_erased(closed: Till) -> None:
    with refused(closed, match="never changed"), transaction.atomic(using="owner"):
        run("owner", "SELECT points_erase_words(%(account)s, now())", account=closed.account.id)
        run("owner", "UPDATE points_pointtransaction SET reference = 'A-1'")


@pytest.mark.parametrize("which", ["till", "over"])
def test_erases_no_words_of_an_account_that_is_not_closed(
    request: pytest.FixtureRequest, role: str, which: str
) -> None:
    till = request.getfixturevalue(which)
    with refused(till, match="is not closed"):
        run(role, "SELECT points_erase_words(%(account)s, now())", account=till.account.id)
    assert {entry.reason for entry in till.entries()} >= {"Order reward"}


def test_erases_no_words_of_an_account_that_does_not_exist(till: Till, role: str) -> None:
    with refused(till, match="is not closed"):
        run(role, "SELECT points_erase_words(%(account)s, now())", account=some_id())


def test_erases_the_words_of_one_account_and_nothing_else(program: Program, role: str) -> None:
    note = ledger.Note(reason="Alice's order", actor="till", reference="A-1", staff_member="Eve", metadata={"a": 1})
    kind = make_account(program).definition
    closed, bystander = Till(make_account(program, kind)), Till(make_account(program, kind))
    for till in (closed, bystander):
        till.award(10, note=note)
        ledger.hold(account=till.account, points=Decimal(4), lasts=DAY, note=note, at=NOON)
    with transaction.atomic():
        moves.forfeit(accounts=[closed.account], actor="test", at=NOON)
    before, others = closed.entries(), bystander.everything()
    run(role, "SELECT points_erase_words(%(account)s, '2026-03-09Z')", account=closed.account.id)
    words = ("reason", "reference", "staff_member", "metadata")
    for entry_before, entry_after in zip(before, closed.entries(), strict=True):
        assert [getattr(entry_after, word) for word in words] == [None] * 4
        assert entry_after.erased_at == datetime.datetime(2026, 3, 9, tzinfo=datetime.UTC)
        for field in PointTransaction._meta.concrete_fields:
            if field.attname not in (*words, "erased_at"):
                assert getattr(entry_after, field.attname) == getattr(entry_before, field.attname)
    assert [(row["reference"], row["metadata"]) for row in holds(closed)] == [(None, None)]
    assert bystander.everything() == others
    assert {entry.reason for entry in bystander.entries()} == {"Alice's order"}
    assert [(row["reference"], row["metadata"]) for row in holds(bystander)] == [("A-1", {"a": 1})]
    # Whoever erases may do so again, and nothing is left open after it.
    run(role, "SELECT points_erase_words(%(account)s, '2026-03-10Z')", account=closed.account.id)
    assert {entry.erased_at.day for entry in closed.entries() if entry.erased_at} == {9}


# What lots from before there were holds get to know


def test_names_the_entries_of_lots_that_exist(till: Till) -> None:
    till.award(5)
    migration = import_module("points.migrations.0016_name_the_entries_of_lots")
    account = {"account_id": till.account.id}
    with transaction.atomic(using="owner"), connections["owner"].cursor() as owner:
        owner.execute("ALTER TABLE points_pointlot ALTER COLUMN entry_id DROP NOT NULL")
        owner.execute("ALTER TABLE points_pointlot DISABLE TRIGGER USER")
        owner.execute("UPDATE points_pointlot SET entry_id = NULL WHERE account_id = %(account_id)s", account)
        migration.fill(None, SimpleNamespace(connection=connections["owner"]))
        lots = PointLot.objects.using("owner").filter(**account).order_by("version")
        assert [lot.entry_id for lot in lots] == [entry.id for entry in till.entries() if entry.type == "award"]
        transaction.set_rollback(True, using="owner")


def test_names_the_entries_of_lots_a_batch_after_another(till: Till) -> None:
    till.award(5)
    fill = import_module("points.migrations.0016_name_the_entries_of_lots").FILL
    lots = sorted((lot.account_id, lot.id) for lot in till.lots())
    with transaction.atomic(using="owner"), connections["owner"].cursor() as owner:
        owner.execute("ALTER TABLE points_pointlot DISABLE TRIGGER USER")
        owner.execute(fill, [till.account.id, uuid.UUID(int=0), 2])
        assert owner.fetchone() == lots[1]
        owner.execute(fill, [*lots[0], 1])
        assert owner.fetchone() == lots[1]
        transaction.set_rollback(True, using="owner")
