"""What accounts from before there were tiers get to remember: the same as if they had always done so."""

from pathlib import Path

import pytest
from django.db import connections, transaction

import points.migrations
from loyalty.models import Program
from points.models import PointAccount
from tests.factories import make_account
from tests.points.test_tiers import on
from tests.points.till import Till

SQL = Path(points.migrations.__file__).parent / "sql" / "earned_by_month.sql"


@pytest.fixture
def till(program: Program) -> Till:
    program.timezone = "Pacific/Auckland"
    program.save(update_fields=["timezone"])
    till = Till(make_account(program, decimal_places=2, clawback="to_zero"))
    old = till.award(10, at=on("2024-02-10"))
    till.award(20, at=on("2024-03-31T20:00:00Z"))
    till.reverse(old, 3, at=on("2024-04-10"))
    in_advance = till.award(70, valid_from=on("2026-01-10"), at=on("2025-12-10"))
    till.reverse(in_advance, 5, at=on("2025-12-11"))
    till.award("0.55", at=on("2026-04-10"))
    till.reverse(in_advance, 7, at=on("2026-04-11"))
    till.redeem(80, at=on("2026-04-12"))
    till.reverse(till.award(9, at=on("2026-04-13")), at=on("2026-04-14"))
    till.adjust(100, at=on("2026-04-15"))
    return till


def test_is_what_the_ledger_remembers(till: Till) -> None:
    remembered = till.row().tallies
    assert remembered == {
        "earned/before": str(10 - 3),
        "earned/2024-04": "20",
        "earned/2026-01": str(70 - 5 - 7),
        "earned/2026-04": "0.55",
    }
    with transaction.atomic(using="owner"), connections["owner"].cursor() as owner:
        owner.execute("UPDATE points_pointaccount SET tallies = '{}' WHERE id = %s", [till.account.id])
        owner.execute(SQL.read_text())
        told = PointAccount.objects.using("owner").get(pk=till.account.id).tallies
        transaction.set_rollback(True, using="owner")
    assert told == remembered
