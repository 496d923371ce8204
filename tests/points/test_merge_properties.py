"""Whatever happened on two or three accounts before: merging them moves every point with its end, and loses none."""

import collections
import datetime
import secrets
import uuid
from decimal import Decimal
from typing import Any

import hypothesis
from django.db import transaction
from hypothesis import strategies as st

from loyalty import errors
from loyalty.models import Program
from points import ledger, moves, statements
from points.models import Hold, PointLot
from tests.factories import make_account, make_definition
from tests.points.till import NOON, Till, breaches

HOUR = datetime.timedelta(hours=1)
ZERO = Decimal(0)

# What is done: its kind, how many points, and two numbers of hours.
Step = tuple[str, int, int, int]
Ends = collections.Counter[tuple]

spans = st.sampled_from([1, 2, 5, 24, 48, 100, 700])
kinds = st.sampled_from(["award", "award", "award", "redeem", "owe", "hold", "hold", "capture", "release", "reverse"])
steps = st.tuples(kinds, st.integers(1, 50), spans, st.sampled_from([0, 0, 0, 1, 24]))
histories = st.lists(steps, min_size=1, max_size=8)
policies = st.sampled_from(
    [
        {},
        {"expiry_policy": "days", "expiry_count": 3},
        {"expiry_policy": "inactivity", "expiry_count": 1},
        {"expiry_policy": "inactivity", "expiry_count": 12},
    ]
)


class Family:
    """Accounts that become one, another after another."""

    def __init__(self, count: int, **policies: Any) -> None:
        self.program = Program.objects.create(
            slug=f"family-{secrets.token_hex(6)}", name="Family", transaction_limit=None, transfers_enabled=True
        )
        definition = make_definition(self.program, may_go_negative=True, **policies)
        self.tills = [Till(make_account(self.program, definition)) for _ in range(count)]
        self.holds: list[list[uuid.UUID]] = [[] for _ in self.tills]
        self.now = NOON

    def do(self, who: int, step: Step) -> None:
        """This will do a step on an account, or on what it has become; the ledger may refuse it."""
        kind, points, span, passed = step
        self.now += passed * HOUR
        till = self.tills[who]
        try:
            match kind:
                case "award":
                    starts = self.now + points * HOUR if points % 3 == 0 else None
                    ends = (starts or self.now) + span * HOUR if points % 2 else None
                    till.award(points, at=self.now, valid_from=starts, expires_at=ends)
                case "redeem":
                    till.redeem(points, at=self.now)
                case "owe":
                    till.adjust(-points, at=self.now)
                case "hold":
                    lasts = span * HOUR
                    held = till.post(ledger.hold, points=Decimal(points), lasts=lasts, at=self.now)
                    self.holds[who].append(held.id)
                case "capture":
                    till.post(ledger.capture, hold_id=self.a_hold(who, span), points=Decimal(points), at=self.now)
                case "release":
                    till.post(ledger.release, hold_id=self.a_hold(who, span), at=self.now)
                case "reverse":
                    entries = till.entries()
                    till.reverse(entries[span % len(entries)] if entries else till.award(1, at=self.now), at=self.now)
        except errors.Refusal:
            pass

    def a_hold(self, who: int, span: int) -> uuid.UUID:
        return self.holds[who][span % len(self.holds[who])] if self.holds[who] else uuid.uuid4()

    def merge(self, old: int, new: int) -> None:
        with transaction.atomic():
            moves.merge(old=[self.tills[old].account], new=[self.tills[new].account], actor="test", at=self.now)

    def settle(self) -> None:
        ledger.settle([till.account for till in self.tills], at=self.now)

    def sums(self) -> tuple[Decimal, ...]:
        """What all of them have, and what all of them ever had."""
        rows = [row for till in self.tills for row in till.rows() if row.merged_into_id is None]
        columns = ("balance", "pending", "held", "lifetime_earned", "lifetime_redeemed", "lifetime_expired")
        return tuple(sum((getattr(row, column) for row in rows), ZERO) for column in columns)

    def ends(self) -> Ends:
        """How many points end when, with what is held of them; those that end by inactivity only how long after."""
        found: Ends = collections.Counter()
        pinned: collections.Counter[str] = collections.Counter()
        accounts = [till.account.id for till in self.tills]
        for hold in Hold.objects.filter(account_id__in=accounts, status="active"):
            for lot_id, points in hold.pins:
                pinned[lot_id] += Decimal(points)
        for lot in PointLot.objects.filter(account_id__in=accounts):
            starts = lot.active_from if lot.active_from and lot.active_from > self.now else None
            found[starts, lot.expires_at, lot.inactivity_months] += lot.remaining + pinned[str(lot.id)]
        return +found

    def holding(self) -> list[tuple]:
        accounts = [till.account.id for till in self.tills]
        holds = Hold.objects.filter(account_id__in=accounts, status="active")
        return sorted((hold.id, hold.points, hold.expires_at, hold.created_at) for hold in holds)


@hypothesis.settings(max_examples=40, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    several=st.lists(histories, min_size=2, max_size=3),
    policy=policies,
    is_upwards=st.booleans(),
    between=st.lists(st.tuples(st.integers(0, 2), steps), max_size=3),
    after=st.lists(st.tuples(st.integers(0, 2), steps), max_size=12),
)
def test_loses_nothing(
    several: list[list[Step]],
    policy: dict[str, Any],
    is_upwards: bool,
    between: list[tuple[int, Step]],
    after: list[tuple[int, Step]],
) -> None:
    family = Family(len(several), **policy)
    count = len(several)
    for who, history in enumerate(several):
        for step in history:
            family.do(who, step)
    # Each becomes the next one, or all of them the last.
    for old in range(count - 1):
        check_merge(family, old, old + 1 if is_upwards else count - 1)
        for who, step in between if old < count - 2 else ():
            family.do(who % count, step)
    assert breaches(family.program) == set()
    survivor = family.tills[-1]
    versions = [till.row().version for till in family.tills[:-1] if till.rows()]
    # Old entries are reversed and old holds captured on the one that is left.
    for who, step in after:
        family.do(who % count, step)
    assert versions == [till.row().version for till in family.tills[:-1] if till.rows()]
    assert breaches(family.program) == set()
    family.now += 2000 * HOUR
    told = statements.balance(account=survivor.account, at=family.now)
    family.settle()
    assert breaches(family.program) == set()
    for row in survivor.rows():
        assert (told.balance, told.pending, told.held) == (row.balance, row.pending, row.held)


def check_merge(family: Family, old: int, new: int) -> None:
    family.settle()
    sums, ends, holding = family.sums(), family.ends(), family.holding()
    one, other = [sum((row.balance for row in family.tills[who].rows()), ZERO) for who in (old, new)]
    family.merge(old, new)
    assert family.sums() == sums
    assert family.holding() == holding
    # Nothing is gone but what paid a debt of the other one.
    assert family.ends() - ends == collections.Counter()
    paid = min(max(-one, ZERO), max(other, ZERO)) + min(max(one, ZERO), max(-other, ZERO))
    assert sum((ends - family.ends()).values(), ZERO) == paid
    [row] = family.tills[old].rows() or [None]
    if row is not None:
        assert (row.balance, row.pending, row.held, row.merged_into_id) == (0, 0, 0, family.tills[new].account.id)
