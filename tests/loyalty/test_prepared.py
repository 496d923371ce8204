import datetime
import uuid
from decimal import Decimal

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalty.postgres import prepared


def ask(sql: str, arguments: list | dict) -> list[tuple]:
    with connection.cursor() as cursor:
        prepared.execute(cursor, "ask", sql, arguments)
        return cursor.fetchall()


def test_answers_what_the_statement_itself_would() -> None:
    someone, noon = uuid.uuid4(), datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
    sql = "SELECT %s::uuid, %s::numeric, %s::timestamptz, %s::text, %s::uuid[], %s::boolean, 7 %% 4"
    assert ask(sql, [someone, Decimal("1.50"), noon, "100% o'clock %s $1", [someone], None]) == [
        (someone, Decimal("1.50"), noon, "100% o'clock %s $1", [someone], None, 3)
    ]


def test_takes_a_name_twice_and_leaves_out_what_is_not_asked_for() -> None:
    assert ask("SELECT %(a)s::int + %(b)s::int + %(a)s::int", {"a": 1, "b": 10, "c": 100}) == [(1 + 10 + 1,)]


def test_is_prepared_once_a_connection() -> None:
    sql = "SELECT %s::int + 719"
    with CaptureQueriesContext(connection) as queries:
        ask(sql, [1])
        ask(sql, [2])
    assert [query["sql"].split()[0] for query in queries] == ["PREPARE", "EXECUTE", "EXECUTE"]


def test_stays_prepared_where_its_transaction_is_rolled_back() -> None:
    sql = "SELECT %s::int + 1000"
    with transaction.atomic():
        ask(sql, [1])
        transaction.set_rollback(True)
    assert ask(sql, [2]) == [(1002,)]


def test_is_prepared_anew_where_it_could_not_be() -> None:
    sql = "SELECT %s::int FROM made_a_moment_later"
    with pytest.raises(ProgrammingError), transaction.atomic():
        ask(sql, [1])
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE made_a_moment_later AS SELECT 1 AS n")
    assert ask(sql, [2]) == [(2,)]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE made_a_moment_later")


def test_runs_by_one_plan_for_any_values() -> None:
    ask("SELECT %s::int", [1])
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name ~ '^ask_'")
        assert all(custom == 0 for _, custom in cursor.fetchall())
