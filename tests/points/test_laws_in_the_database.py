"""Round the ORM and the ledger: what must never be false, the database itself refuses, whoever asks."""

from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connections, transaction

from loyalty import ids
from loyalty.models import Program
from points.models import AccountRef, PointAccount
from tests.factories import make_account
from tests.points.round_the_ledger import INSERT_ENTRY, entry, refusal_of, refused, run, with_two_roles
from tests.points.till import Till, days

APPEND_ONLY = ["points_pointtransaction", "points_lotuse"]
INSERT_USE = """
INSERT INTO points_lotuse (account_id, entry_id, position, lot_id, points, pays_debt)
VALUES (%(account)s, %(entry)s, 9, %(lot)s, 1, %(pays_debt)s)
"""
INSERT_LOT = """
INSERT INTO points_pointlot (id, account_id, program_id, entry_id, version, points, remaining, clawback, active_from,
    expires_at, inactivity_months)
VALUES (gen_random_uuid(), %(account)s, %(program)s, %(entry)s, 1, %(points)s, %(remaining)s, 'refuse', %(starts)s,
    %(ends)s, %(months)s)
"""


@pytest.fixture
def till(account: AccountRef) -> Till:
    """100 points awarded in two lots, 30 of them spent: versions 1 to 3, balance 70."""
    till = Till(account)
    till.award(60)
    till.award(40)
    till.redeem(30)
    return till


@pytest.fixture
def other(program: Program, till: Till) -> Till:
    other = Till(make_account(program, till.account.definition))
    other.award(10)
    return other


# Entries and uses never change and are never deleted


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET points = points + 1 WHERE account_id = %(account)s",
        "UPDATE {table} SET points = points WHERE FALSE",
        "DELETE FROM {table} WHERE account_id = %(account)s",
        "DELETE FROM {table} WHERE FALSE",
        "TRUNCATE {table} CASCADE",
    ],
)
def test_refuses_to_change_or_delete_an_entry_or_use(till: Till, role: str, table: str, statement: str) -> None:
    kind, reason = refusal_of(role)
    with refused(till, kind, match=reason):
        run(role, statement.format(table=table), account=till.account.id)


def test_refuses_merge_and_upsert_on_entries(till: Till, role: str) -> None:
    with refused(till, ProgrammingError, IntegrityError, match=r"permission denied|append-only"):
        run(
            role,
            "MERGE INTO points_pointtransaction e USING (SELECT %(account)s::uuid AS id) a ON e.account_id = a.id"
            " WHEN MATCHED THEN UPDATE SET points = 0",
            account=till.account.id,
        )
    with refused(till, ProgrammingError, IntegrityError, match=r"permission denied|append-only"):
        run(
            role,
            INSERT_ENTRY + " ON CONFLICT (account_id, version) DO UPDATE SET points = 0",
            **entry(till, version=3),
        )


@with_two_roles
def test_runtime_role_can_neither_drop_a_trigger_nor_switch_it_off(till: Till) -> None:
    for statement in (
        "ALTER TABLE points_pointtransaction DISABLE TRIGGER ALL",
        "DROP TRIGGER entries_never_change ON points_pointtransaction",
        "DROP TABLE points_lotuse",
        "SET session_replication_role = replica",
        "CREATE TRIGGER mine BEFORE INSERT ON points_lotuse FOR EACH ROW EXECUTE FUNCTION points_refuse_change()",
    ):
        with refused(till, ProgrammingError, match=r"must be owner|permission denied"):
            run("default", statement)


# Of a lot only what is left changes


@pytest.mark.parametrize(
    "change",
    [
        "points = points + 1",
        "version = version + 10",
        "active_from = now()",
        "expires_at = '2099-01-01Z'",
        "inactivity_months = 3, active_from = now()",
        "clawback = 'to_zero'",
        "id = gen_random_uuid()",
        "program_id = gen_random_uuid()",
        "entry_id = gen_random_uuid()",
        "origin_id = gen_random_uuid()",
        "account_id = gen_random_uuid()",
        "remaining = remaining, points = points",
    ],
)
def test_refuses_to_change_a_lot_but_in_what_is_left(till: Till, role: str, change: str) -> None:
    kind, reason = refusal_of(role)
    with refused(till, kind, match=reason):
        run(role, f"UPDATE points_pointlot SET {change} WHERE account_id = %(account)s", account=till.account.id)


@pytest.mark.parametrize("table", ["points_pointlot", "points_pointaccount"])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM {table}", "DELETE FROM {table} WHERE FALSE", "TRUNCATE {table} CASCADE"]
)
def test_refuses_to_delete_a_lot_or_an_account(till: Till, role: str, table: str, statement: str) -> None:
    with refused(till, ProgrammingError, IntegrityError, match=r"permission denied|append-only"):
        run(role, statement.format(table=table))


@pytest.mark.parametrize("remaining", ["points + 0.01", "-0.01"])
def test_refuses_a_lot_with_more_left_than_it_began_with_or_less_than_nothing(
    till: Till, role: str, remaining: str
) -> None:
    with refused(till, match="lot_remaining_between_zero_and_points"):
        run(role, f"UPDATE points_pointlot SET remaining = {remaining} WHERE account_id = %(a)s", a=till.account.id)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"points": 0, "remaining": 0}, "lot_points_positive"),
        ({"points": 5, "remaining": 6}, "lot_remaining_between_zero_and_points"),
        ({"starts": days(3), "ends": days(3)}, "lot_ends_after_it_starts"),
        ({"months": 3}, "lot_by_inactivity_has_a_start_and_no_date"),
        ({"months": 3, "starts": days(0), "ends": days(9)}, "lot_by_inactivity_has_a_start_and_no_date"),
    ],
)
def test_refuses_a_lot_without_sense(till: Till, role: str, values: dict[str, Any], constraint: str) -> None:
    redemption = till.entries()[2]
    lot = {"points": 5, "remaining": 5, "starts": None, "ends": None, "months": None} | values
    with refused(till, match=constraint):
        run(role, INSERT_LOT, entry=redemption.id, account=till.account.id, program=till.account.program.pk, **lot)


# The account, its entries and nothing between them


def test_refuses_a_negative_balance(till: Till, role: str) -> None:
    with refused(till, match="account_balance_not_negative"):
        run(role, "UPDATE points_pointaccount SET balance = -1 WHERE id = %(account)s", account=till.account.id)


def test_refuses_negative_pending_points(till: Till, role: str) -> None:
    with refused(till, match="account_pending_not_negative"):
        run(role, "UPDATE points_pointaccount SET pending = -1 WHERE id = %(account)s", account=till.account.id)


@pytest.mark.parametrize("change", ["balance = balance + 1", "pending = pending + 1", "version = version + 1"])
def test_refuses_a_change_of_the_account_without_an_entry(till: Till, role: str, change: str) -> None:
    with refused(till, match="does not say what its newest entry says"):
        run(role, f"UPDATE points_pointaccount SET {change} WHERE id = %(account)s", account=till.account.id)


def test_refuses_an_account_that_begins_with_points(program: Program, role: str) -> None:
    ref = make_account(program)
    with pytest.raises(IntegrityError, match=r"account_without_entries_is_empty|does not say what its newest"):
        run(
            role,
            "INSERT INTO points_pointaccount (id, program_id, customer_id, definition_id, may_go_negative, balance,"
            " pending, lifetime_earned, lifetime_redeemed, lifetime_expired, version, window_count)"
            " VALUES (%(id)s, %(program)s, %(customer)s, %(definition)s, FALSE, 5, 0, 0, 0, 0, 0, 0)",
            id=ref.id,
            program=program.pk,
            customer=ref.customer_id,
            definition=ref.definition.pk,
        )
    assert not PointAccount.objects.filter(pk=ref.id).exists()


@pytest.mark.parametrize("change", ["customer_id = %(other)s", "id = gen_random_uuid()", "definition_id = %(other)s"])
def test_refuses_that_an_account_changes_hands(till: Till, other: Till, role: str, change: str) -> None:
    with refused(till, match="append-only"):
        run(
            role,
            f"UPDATE points_pointaccount SET {change} WHERE id = %(account)s",
            account=till.account.id,
            other=other.account.customer_id,
        )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "do not follow on"),  # the account does not say so
        ({"version": 5}, "do not follow on"),  # a gap
        ({"version": 3}, "entry_version_unique_in_account"),
        ({"version": 0}, "entry_version_from_one"),
        ({"version": -1}, "entry_version_from_one"),
    ],
)
def test_refuses_an_entry_without_a_change_of_the_account(
    till: Till, role: str, changes: dict[str, Any], reason: str
) -> None:
    with refused(till, match=reason):
        run(role, INSERT_ENTRY, **entry(till, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"before": 69},  # not what the third entry left
        {"points": 2},  # not what changes
        {"pending": 1},
        {"version": 5},  # a gap
        {"after": 72, "points": 2},  # not what the account says
    ],
)
def test_refuses_an_entry_that_does_not_follow_on(till: Till, role: str, changes: dict[str, Any]) -> None:
    values = entry(till, **changes)
    with refused(till, match=r"do not follow on|does not say what its newest entry says"):
        run(
            role,
            f"WITH entry AS ({INSERT_ENTRY}) UPDATE points_pointaccount"
            " SET balance = 71, version = %(version)s WHERE id = %(account)s",
            **values,
        )


def test_refuses_a_gap_although_the_balance_was_nothing(till: Till, role: str) -> None:
    till.redeem(70)
    with refused(till, match="do not follow on"):
        run(
            role,
            f"WITH entry AS ({INSERT_ENTRY}) UPDATE points_pointaccount"
            " SET balance = 1, version = %(version)s WHERE id = %(account)s",
            **entry(till, before=0, after=1, version=6),
        )


def test_takes_an_entry_that_follows_on(till: Till, role: str) -> None:
    values = entry(till)
    with transaction.atomic(using=role), connections[role].cursor() as cursor:
        cursor.execute(
            f"WITH entry AS ({INSERT_ENTRY}) UPDATE points_pointaccount"
            " SET balance = 71, version = %(version)s WHERE id = %(account)s",
            values,
        )
        transaction.set_rollback(True, using=role)
    assert till.balance == 60 + 40 - 30


def test_refuses_an_entry_of_another_programme(till: Till, role: str) -> None:
    stranger = Program.objects.create(slug=f"stranger-{ids.new_id().hex}", name="Stranger")
    with refused(till, match="do not follow on"):
        run(
            role,
            f"WITH entry AS ({INSERT_ENTRY}) UPDATE points_pointaccount"
            " SET balance = 71, version = 4 WHERE id = %(account)s",
            **entry(till, program=stranger.pk),
        )


@pytest.mark.parametrize("changes", [{"type": "reverse"}, {"type": "redeem", "reverses": "own"}])
def test_refuses_a_reversal_without_its_entry_and_the_other_way_round(
    till: Till, role: str, changes: dict[str, Any]
) -> None:
    if changes.get("reverses"):
        changes = changes | {"reverses": till.entries()[0].id}
    with refused(till, match="entry_reverse_names_its_entry"):
        run(role, INSERT_ENTRY, **entry(till, **changes))


# Nothing points across accounts


def test_refuses_a_reversal_of_another_accounts_entry(till: Till, other: Till, role: str) -> None:
    with refused(till, match="do not follow on"):
        run(
            role,
            f"WITH entry AS ({INSERT_ENTRY}) UPDATE points_pointaccount"
            " SET balance = 71, version = 4 WHERE id = %(account)s",
            **entry(till, type="reverse", reverses=other.entries()[0].id),
        )


def test_refuses_a_lot_that_another_accounts_entry_made(till: Till, other: Till, role: str) -> None:
    lot = {"points": 5, "remaining": 5, "starts": None, "ends": None, "months": None}
    with refused(till, match="lot_was_made_by_an_entry"):
        run(
            role,
            INSERT_LOT,
            entry=other.entries()[0].id,
            account=till.account.id,
            program=till.account.program.pk,
            **lot,
        )


def test_refuses_a_use_of_another_accounts_lot_or_by_its_entry(till: Till, other: Till, role: str) -> None:
    ours, theirs = till.entries()[2].id, other.entries()[0].id
    with refused(till, match="use_names_a_lot_of_its_account"):
        run(role, INSERT_USE, account=till.account.id, entry=ours, lot=theirs, pays_debt=False)
    with refused(till, match="use_belongs_to_an_entry"):
        run(role, INSERT_USE, account=till.account.id, entry=theirs, lot=None, pays_debt=False)


def test_refuses_a_payment_of_debt_without_a_lot(till: Till, role: str) -> None:
    with refused(till, match="use_debt_is_paid_by_a_lot"):
        run(role, INSERT_USE, account=till.account.id, entry=till.entries()[2].id, lot=None, pays_debt=True)


def test_refuses_a_second_use_at_one_position(till: Till, role: str) -> None:
    redemption = till.entries()[2]
    with refused(till, match="points_lotuse_pkey"):
        run(
            role,
            "INSERT INTO points_lotuse (account_id, entry_id, position, points, pays_debt)"
            " VALUES (%(account)s, %(entry)s, 0, 1, FALSE)",
            account=till.account.id,
            entry=redemption.id,
        )
