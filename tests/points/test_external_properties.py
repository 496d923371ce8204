"""What other systems post and list, against plain Python: any order of dates, any page, any balance to follow."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from loyalty.models import Program
from points import contact_lists, external, ledger
from points.contact_lists import Filter, Sort, Wanted
from points.external import Kind, Transaction
from points.models import AccountRef, PointAccount, PointTransaction
from tests.factories import make_account
from tests.points.till import DAY, NOON, breaches

AMOUNTS = st.decimals(min_value="0.1", max_value="500", places=1)
OFFSETS = st.integers(-5, 5)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([Kind.ADDITION, Kind.ADDITION, Kind.DEDUCTION, Kind.ADJUSTMENT, Kind.CANCELLATION, "update"]),
        AMOUNTS,
        st.none() | OFFSETS,
        st.none() | st.integers(1, 12),
        st.none() | st.integers(13, 16),
    ),
    min_size=1,
    max_size=20,
)


def post(account: AccountRef, told: Transaction, at: datetime.datetime) -> PointTransaction | None:
    [outcome] = ledger.post_many([external.posting(account=account, told=told, actor="system", at=at)])
    return outcome.entry


def told(kind: Kind, amount: Decimal, **more: Any) -> Transaction:
    return Transaction(kind=kind, amount=amount, source="Purchase", description="Order", id=uuid.uuid4(), **more)


@pytest.fixture
def account(program: Program) -> AccountRef:
    return make_account(program, decimal_places=1)


def play(account: AccountRef, steps: list[Any]) -> None:
    """A step a day; what there is to cancel is cancelled in turn."""
    open_ones: list[uuid.UUID] = []
    for day, (kind, amount, dated, starts, ends) in enumerate(steps):
        at = NOON + day * DAY
        dates = {
            "dated_at": None if dated is None else at + dated * DAY,
            "valid_from": None if starts is None else at + starts * DAY,
            "valid_to": None if ends is None else at + ends * DAY,
        }
        if kind == "update":
            sent = Transaction(
                kind=Kind.ADJUSTMENT,
                amount=amount,
                source=external.UPDATE_BALANCE,
                description="Follow",
                dated_at=dates["dated_at"],
            )
            post(account, sent, at)
            assert PointAccount.objects.get(pk=account.id).balance == amount
        elif kind == Kind.CANCELLATION:
            if open_ones:
                post(account, told(kind, amount, cancels=open_ones.pop(), dated_at=dates["dated_at"]), at)
        elif kind == Kind.ADDITION:
            sent = told(kind, amount, **dates)
            if post(account, sent, at) is not None:
                assert sent.id is not None
                open_ones.append(sent.id)
        else:
            post(account, told(kind, amount, dated_at=dates["dated_at"]), at)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, look=st.integers(0, 40), data=st.data())
def test_lists_are_what_sorting_all_of_them_gives(
    account: AccountRef, steps: list[Any], look: int, data: st.DataObject
) -> None:
    # Another customer for each example: nothing is taken back.
    account = make_account(account.program, account.definition)
    play(account, steps)
    at = NOON + len(steps) * DAY + look * DAY
    contact_lists.read(account=account, wanted=Wanted(), offset=0, count=1, at=at)
    entries = list(PointTransaction.objects.filter(account_id=account.id).exclude(type="activate").order_by("version"))
    assume(entries)
    undone: dict[uuid.UUID, Decimal] = {}
    for entry in entries:
        if entry.reverses_id:
            undone[entry.reverses_id] = undone.get(entry.reverses_id, Decimal(0)) + abs(entry.points)
    pending = {
        entry.pk
        for entry in entries
        if entry.valid_from is not None and entry.valid_from > at and undone.get(entry.pk, 0) < entry.points
    }
    selected = {
        Filter.ALL: entries,
        Filter.PENDING: [entry for entry in entries if entry.pk in pending],
        Filter.ACTIVE: [entry for entry in entries if entry.pk not in pending],
    }
    for chosen, expected in selected.items():
        wanted = Wanted(filter=chosen, sort=data.draw(st.sampled_from(Sort)), is_descending=data.draw(st.booleans()))
        by_date = wanted.sort == Sort.TRANSACTION_DATE
        ordered = sorted(
            expected,
            key=lambda entry: ((entry.transaction_date or entry.effective_at) if by_date else NOON, entry.version),
            reverse=wanted.is_descending,
        )
        offset, count = data.draw(st.integers(0, len(entries) + 2)), data.draw(st.integers(1, len(entries) + 2))
        page = contact_lists.read(account=account, wanted=wanted, offset=offset, count=count, at=at)
        assert [entry.pk for entry in page.entries] == [entry.pk for entry in ordered[offset : offset + count]]
        assert page.total == len(expected)
    assert breaches(account.program) == set()
