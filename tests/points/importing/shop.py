"""The shop whose purchases the tests import: each test has a programme of its own."""

import csv
import datetime
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

from loyalty.models import Program
from points import purchases
from points.models import PointAccount, PointLot, PointTransaction

SAMPLE = Path(purchases.__file__).parent / "data" / "CDNOW_sample.txt"
ALICE_AND_BOB = """\
customer,date,amount,order
alice,2026-02-01,10.25,A-1
bob,2026-01-15,30.00,B-1
alice,2026-01-10,5.00,A-2
"""
# Twice the amount, rounded down: of 10.25 and of 5.00, and of 30.00.
ALICE, BOB = 20 + 10, 60


class Shop:
    """Imports files into a programme, and reads back what is in the database."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.file = folder / "purchases.csv"
        self.rejects = folder / "bad.csv"
        self.warning = ""

    def run(self, content: str | bytes | Path, *, rate: str | None = "2", **options: Any) -> dict[str, str]:
        """Answers what the command reports."""
        if isinstance(content, str):
            self.file.write_text(content)
        elif isinstance(content, bytes):
            self.file.write_bytes(content)
        out, err = io.StringIO(), io.StringIO()
        call_command(
            "import_purchases",
            str(content if isinstance(content, Path) else self.file),
            programme=self.program.slug,
            rate=rate,
            rejects=self.rejects,
            stdout=out,
            stderr=err,
            **options,
        )
        self.warning = err.getvalue()
        return {line[:15].strip(): line[16:] for line in out.getvalue().splitlines()}

    def bad(self) -> list[tuple[int, str, str]]:
        with open(self.rejects, newline="", errors="surrogateescape") as file:
            head, *rows = csv.reader(file)
        assert head == ["line", "reason", "row"]
        return [(int(line), reason, row) for line, reason, row in rows]

    def entries(self, customer: str | None = None) -> list[PointTransaction]:
        entries = PointTransaction.objects.filter(program=self.program).order_by("account_id", "version")
        return list(entries.filter(account__customer__external_id=customer) if customer else entries)

    def balances(self) -> dict[str | None, Decimal]:
        accounts = PointAccount.objects.filter(program=self.program)
        return dict(accounts.values_list("customer__external_id", "balance"))

    def awarded(self) -> Decimal:
        return sum(PointLot.objects.filter(program=self.program).values_list("points", flat=True), Decimal(0))


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def in_thread(work: Callable[[], object]) -> None:
    """Every thread has a connection of its own."""
    try:
        work()
    finally:
        connection.close()


def many_rows() -> str:
    """2,400 purchases of 90 customers: more than two batches."""
    rows = [f"c{n % 90},2026-01-{n % 28 + 1:02},{n}.50" for n in range(2_400)]
    return "\n".join(["customer,date,amount", *rows])
