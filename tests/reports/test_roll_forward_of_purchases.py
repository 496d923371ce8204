"""The roll-forward of imported purchases, beside a calculation from the file alone.

`PURCHASES=…/CDNOW_master.txt` has it read another file of that kind.
"""

import collections
import datetime
import os
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command

from loyalty.models import Program
from points import definitions, ledger
from points.management.commands.demo import SAMPLE
from points.models import AccountRef, PointAccount
from reports import liability, periods, roll_forward
from reports.periods import By
from tests.reports.recounted import counted

FILE = Path(os.environ.get("PURCHASES", SAMPLE))
JULY_1999 = datetime.datetime(1999, 7, 31, 12, tzinfo=datetime.UTC)
RATE = 2


@pytest.fixture(scope="module")
def imported(django_db_blocker) -> Program:
    """The file's purchases in a programme whose points end after 12 months, and all of what had ended by July 1999."""
    with django_db_blocker.unblock():
        program = definitions.create_program(slug=f"shop-{os.urandom(6).hex()}", timezone="America/New_York")
        call_command("import_purchases", str(FILE), programme=program.slug, rate=str(RATE), no_progress=True)
        accounts = [
            AccountRef(program=program, definition=definitions.find(program, None), customer_id=customer_id)
            for customer_id in PointAccount.objects.filter(program=program).values_list("customer_id", flat=True)
        ]
        for first in range(0, len(accounts), 1000):
            ledger.settle(accounts[first : first + 1000], at=JULY_1999)
        counted(program)
        return program


def by_hand() -> tuple[dict[str, int], dict[str, int]]:
    """Points earned and expired by month, from the lines of the file."""
    earned: dict[str, int] = collections.Counter()
    expired: dict[str, int] = collections.Counter()
    for line in FILE.read_text().splitlines():
        *_, day, _, amount = line.split()
        if not day.isdecimal():
            continue
        points = int(Decimal(amount) * RATE)
        earned[f"{day[:4]}-{day[4:6]}"] += points
        expired[f"{int(day[:4]) + 1}-{day[4:6]}"] += points
    return earned, expired


def test_balances_for_every_month_and_sums_to_what_the_file_says(imported: Program) -> None:
    earned, expired = by_hand()
    span = periods.span(
        program=imported, at=JULY_1999, first=datetime.date(1997, 1, 1), last=datetime.date(1999, 7, 31), by=By.MONTH
    )
    rows = roll_forward.rows(span)
    assert [row["period"] for row in rows] == span.labels
    assert len(rows) == 12 + 12 + 7
    opening = 0
    for row in rows:
        assert row["opening"] == opening
        assert row["earned"] == earned[row["period"]]
        assert row["expired"] == -expired[row["period"]]
        names = ("activated", "adjusted", "reversed", "redeemed", "transferred", "pending_closing")
        assert not any(row[name] for name in names)
        opening += earned[row["period"]] - expired[row["period"]]
        assert row["closing"] == opening
    assert sum(row["earned"] for row in rows) == sum(earned.values()) > 0
    # All points of 18 months had 12 months to live.
    assert opening == 0


def test_owes_at_the_end_of_each_month_what_it_rolls_forward(imported: Program) -> None:
    earned, _ = by_hand()
    for year, month in ((1997, 6), (1998, 1), (1998, 6), (1998, 12)):
        last = datetime.date(year + month // 12, month % 12 + 1, 1) - datetime.timedelta(days=1)
        owed = liability.rows(periods.span(program=imported, at=JULY_1999, first=last, last=last))
        # What ends in a month was earned in the same month a year before.
        for row in owed:
            month_of_earning = f"{int(row['ends'][:4]) - 1}{row['ends'][4:]}"
            assert row["points"] == earned[month_of_earning]
        assert len(owed) == len([label for label in earned if f"{year - 1}-{month:02}" < label <= f"{year}-{month:02}"])
