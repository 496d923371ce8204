"""`manage.py migrate`: the runtime role gets what it may do, and no more."""

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, connections

from loyalty.models import Program

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


def granted(table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT p FROM unnest(%s) p WHERE has_table_privilege(%s, p)", [list(PRIVILEGES), table])
        return {privilege for (privilege,) in cursor.fetchall()}


def changeable_columns(table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
            " AND has_column_privilege(%s, attname, 'UPDATE')",
            [table, table],
        )
        return {name for (name,) in cursor.fetchall()}


def test_lets_the_runtime_role_only_add_to_the_ledger():
    assert granted("points_pointtransaction") == {"SELECT", "INSERT"}
    assert granted("points_lotuse") == {"SELECT", "INSERT"}
    assert granted("points_tierchange") == granted("points_rulebook") == {"SELECT", "INSERT"}
    for table in ("points_pointtransaction", "points_lotuse", "points_tierchange", "points_rulebook"):
        assert changeable_columns(table) == set()


def test_lets_the_runtime_role_change_of_a_voucher_only_its_use():
    assert granted("rewards_rewardvoucher") == granted("rewards_voucherevent") == {"SELECT", "INSERT"}
    assert changeable_columns("rewards_rewardvoucher") == {"redeemed_at", "reactivations"}
    assert changeable_columns("rewards_voucherevent") == set()


def test_lets_the_runtime_role_change_of_a_redemption_only_its_state():
    assert granted("rewards_redemption") == granted("rewards_redemptionevent") == {"SELECT", "INSERT"}
    assert changeable_columns("rewards_redemption") == {"used_at", "cancelled_at", "lapsed_at"}
    assert changeable_columns("rewards_redemptionevent") == set()


def test_lets_the_runtime_role_change_what_is_left_of_a_lot():
    assert granted("points_pointlot") == {"SELECT", "INSERT"}
    assert changeable_columns("points_pointlot") == {"remaining"}


def test_lets_the_runtime_role_change_what_becomes_of_a_hold():
    assert granted("points_hold") == {"SELECT", "INSERT"}
    assert changeable_columns("points_hold") == {"status", "captured_points", "resolved_at", "resolved_by_id"}


def test_lets_the_runtime_role_only_add_to_the_audit_log():
    assert granted("staff_auditentry") == {"SELECT", "INSERT"}
    assert changeable_columns("staff_auditentry") == set()


def test_lets_the_runtime_role_only_decide_on_a_request():
    assert granted("staff_adjustmentrequest") == {"SELECT", "INSERT"}
    decision = {"state", "decided_by_id", "decided_at", "decision", "account_id", "entry_id"}
    assert changeable_columns("staff_adjustmentrequest") == decision


def test_lets_the_runtime_role_alone_erase_words():
    with connection.cursor() as cursor:
        erasing = "'points_erase_words(uuid, timestamptz)', 'EXECUTE'"
        cursor.execute(
            f"SELECT has_function_privilege({erasing}), has_function_privilege('public', {erasing}), prosecdef"
            " FROM pg_proc WHERE proname = 'points_erase_words'"
        )
        assert cursor.fetchall() == [(True, False, True)]


def test_lets_the_runtime_role_keep_all_other_tables():
    with connection.cursor() as cursor:
        others = set(connection.introspection.table_names(cursor))
    others -= {"points_pointtransaction", "points_lotuse", "points_pointlot", "points_tierchange", "points_rulebook"}
    others -= {"campaigns_listedcustomer", "campaigns_campaigncustomer", "campaigns_campaigndeed"}
    others -= {"points_hold", "rewards_rewardvoucher", "rewards_voucherevent"}
    others -= {"rewards_redemption", "rewards_redemptionevent", "staff_adjustmentrequest", "staff_auditentry"}
    assert {table: granted(table) for table in others} == {
        table: {"SELECT", "INSERT", "UPDATE", "DELETE"} for table in others
    }


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE points_pointtransaction DISABLE TRIGGER ALL",
        "DROP TABLE points_lotuse",
        "TRUNCATE loyalty_program CASCADE",
        "CREATE TABLE own (n int)",
        "SET session_replication_role = replica",
    ],
)
def test_leaves_no_way_round_the_triggers(statement):
    with pytest.raises(ProgrammingError, match=r"must be owner|permission denied"), connection.cursor() as cursor:
        cursor.execute(statement)


def test_sets_the_timeouts_on_the_role(as_served):
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name LIKE '%%timeout' AND source = 'user'")
        assert dict(cursor.fetchall()) == {
            "lock_timeout": "2000",
            "statement_timeout": "30000",
            "idle_in_transaction_session_timeout": "30000",
        }


def test_is_not_stopped_by_the_timeouts():
    with connections["owner"].cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_may_be_repeated(program):
    call_command("migrate", verbosity=0)
    assert granted("points_pointtransaction") == {"SELECT", "INSERT"}
    assert Program.objects.filter(pk=program.pk).exists()


def test_grants_nothing_where_one_role_does_both(as_served):
    owner = connections["owner"].settings_dict["USER"]
    runtime = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = owner
    try:
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("2s",)
            cursor.execute("ALTER ROLE CURRENT_USER RESET ALL")
    finally:
        connection.close()
        connection.settings_dict["USER"] = runtime
