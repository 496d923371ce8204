"""What is held makes no posting read more: neither how many holds there are, nor how many lots one is pinned to."""

import datetime
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from django.db import connection, connections

from loyalty.models import Program
from points import ledger, statements
from points.holding import MOST_HOLDS
from points.models import Hold
from tests.factories import make_account
from tests.points.test_constant_work import rows_read
from tests.points.till import NOTE, Till, days, posting

LOTS = 1000
# Those that are read to be counted, and the lots of a hold of four; else as in test_constant_work.
A_FEW = 150 + MOST_HOLDS


def hold(till: Till, points: int, *, lasts: datetime.timedelta, at: datetime.datetime) -> uuid.UUID:
    outcome = ledger.hold(account=till.account, points=Decimal(points), lasts=lasts, note=NOTE, at=at)
    assert outcome.hold is not None
    return outcome.hold.id


@pytest.fixture(scope="module", params=["many holds", "a hold of many lots"])
def busy(request: pytest.FixtureRequest) -> Iterator[Till]:
    """An account of a thousand lots and more, most of them held in part; the newest hold is of four and ends first."""
    program = Program.objects.create(
        slug=f"holds-{uuid.uuid4().hex}", name="Busy", transaction_limit=None, transfers_enabled=True
    )
    till = Till(make_account(program))
    ledger.post_many([posting(till.account, "award", 2, expires_at=days(50 + n / 10)) for n in range(LOTS)])
    if request.param == "many holds":
        for n in range(MOST_HOLDS - 2):
            hold(till, 9, lasts=datetime.timedelta(days=20 + n), at=days(0))
    else:
        hold(till, 2 * LOTS - 100, lasts=datetime.timedelta(days=20), at=days(0))
    hold(till, 4, lasts=datetime.timedelta(days=3), at=days(0))
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "ANALYZE points_pointaccount, points_pointtransaction, points_pointlot, points_lotuse, points_hold"
        )
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; DISCARD PLANS")
    yield till
    with connection.cursor() as cursor:
        cursor.execute("RESET enable_seqscan")


def held(till: Till) -> uuid.UUID:
    """The hold of four."""
    return till.entries()[-1].id


def send(till: Till) -> object:
    friend = Till(make_account(till.account.program, till.account.definition))
    return till.post(ledger.transfer, sender=till.account, receiver=friend.account, points=Decimal(3), at=days(1))


def resolve(till: Till, verb: Callable) -> Callable[[], object]:
    hold_id = held(till)
    return lambda: till.post(verb, hold_id=hold_id, at=days(1))


# By what is due: nothing, or the hold of four.
WORK: dict[str, Callable[[Till], Callable[[], object]]] = {
    "award": lambda till: lambda: till.award(10, at=days(1)),
    "redeem": lambda till: lambda: till.redeem(3, at=days(1)),
    "adjust downwards": lambda till: lambda: till.adjust(-3, at=days(1)),
    "hold": lambda till: lambda: hold(till, 3, lasts=datetime.timedelta(days=1), at=days(1)),
    "capture": lambda till: resolve(till, ledger.capture),
    "release": lambda till: resolve(till, ledger.release),
    "transfer": lambda till: lambda: send(till),
    "balance": lambda till: lambda: statements.balance(account=till.account, at=days(1)),
    "award after a hold lapsed": lambda till: lambda: till.award(10, at=days(4)),
    "redeem after a hold lapsed": lambda till: lambda: till.redeem(3, at=days(4)),
    "hold after a hold lapsed": lambda till: lambda: hold(till, 3, lasts=datetime.timedelta(days=1), at=days(4)),
    "settle after a hold lapsed": lambda till: lambda: till.settle(days(4)),
}


@pytest.mark.parametrize("name", WORK)
def test_reads_a_constant_number_of_rows(busy: Till, name: str) -> None:
    work = WORK[name](busy)
    assert rows_read(work) <= A_FEW


def test_counts_the_holds_among_what_is_read(busy: Till) -> None:
    holds = Hold.objects.filter(account_id=busy.account.id)
    assert rows_read(lambda: list(holds)) >= holds.count()
