"""A posting reads the rows that it changes and a constant number more, however long the account's history is."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection, connections, transaction

from loyalty.models import Program
from points import ledger, statements
from tests.factories import make_account, make_definition
from tests.points.till import NOON, Till, days, posting

LEDGER = ["points_pointaccount", "points_pointtransaction", "points_pointlot", "points_lotuse", "points_hold"]
MANY = 2000
# The server fetches fifty rows ahead where a function loops over a query, and a due moment reads its neighbours.
A_FEW = 150

POLICIES = {
    "never": {},
    "dated": {"expiry_policy": "days", "expiry_count": 300},
    "inactivity": {"expiry_policy": "inactivity", "expiry_count": 12},
}
WORK: dict[str, Callable[[Till], object]] = {
    "award": lambda till: till.award(10, at=days(1)),
    "award in advance": lambda till: till.award(10, at=days(1), valid_from=days(2)),
    "redeem": lambda till: till.redeem(3, at=days(1)),
    "adjust upwards": lambda till: till.adjust(3, at=days(1)),
    "adjust downwards": lambda till: till.adjust(-3, at=days(1)),
    "expire": lambda till: till.expire(3, at=days(1)),
    "reverse an award": lambda till: till.reverse(till.award(2, at=days(1)), at=days(1)),
    "reverse a redemption": lambda till: till.reverse(till.redeem(2, at=days(1)), at=days(1)),
    "balance": lambda till: statements.balance(account=till.account, at=days(1)),
}


@pytest.fixture(scope="module")
def _crowd() -> None:
    """So many accounts of one entry each that the statistics expect no more of any, and that none is found by reading
    the table."""
    program = Program.objects.create(slug="crowd", name="Crowd", transaction_limit=None)
    definition = make_definition(program)
    for _ in range(6):
        ledger.post_many([posting(make_account(program, definition), "award", 1) for _ in range(1000)])


@pytest.fixture(scope="module", params=POLICIES)
def busy(request: pytest.FixtureRequest, _crowd: None) -> Iterator[Till]:
    """An account with thousands of open lots and of entries."""
    program = Program.objects.create(slug=f"busy-{request.param}", name="Busy", transaction_limit=None)
    till = Till(make_account(program, **POLICIES[request.param]))
    awards = [posting(till.account, "award", 1) for _ in range(MANY)]
    redemptions = [posting(till.account, kind, 1) for _ in range(MANY // 4) for kind in ("award", "redeem")]
    for batch in (awards[: MANY // 2], awards[MANY // 2 :], redemptions):
        ledger.post_many(batch)
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(LEDGER)}")
    with connection.cursor() as cursor:
        # How many rows a small table is read through for one of them, depends on the other tests.
        cursor.execute("SET enable_seqscan = off; DISCARD PLANS")
    yield till
    with connection.cursor() as cursor:
        cursor.execute("RESET enable_seqscan")


def rows_read(work: Callable[[], object]) -> int:
    with transaction.atomic():
        before = _rows_read_so_far()
        work()
        read = _rows_read_so_far() - before
        transaction.set_rollback(True)
    return read


def _rows_read_so_far() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
            " WHERE relname = ANY(%s)",
            [LEDGER],
        )
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("name", WORK)
def test_reads_a_constant_number_of_rows(busy: Till, name: str) -> None:
    assert rows_read(lambda: WORK[name](busy)) <= A_FEW


def test_reads_what_is_due_and_little_more(busy: Till) -> None:
    for n in range(10):
        busy.award(1, at=days(2), expires_at=days(3 + n))
    assert rows_read(lambda: busy.award(1, at=days(4))) <= A_FEW


def test_counts_rows_at_all(busy: Till) -> None:
    assert rows_read(busy.lots) >= MANY
    assert busy.row().effective_at >= NOON
