"""A caller's own id of a transaction is one for ever, also where the account that had it has become another."""

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from loyalty import ids
from loyalty.models import Program
from points import contact_lists, external, ledger, moves
from points.contact_lists import Filter
from points.external import Kind
from tests.factories import make_account
from tests.points.till import NOON, Till, breaches, days, posting


@pytest.fixture
def other(program: Program, till: Till) -> Till:
    return Till(make_account(program, till.account.definition))


def merge(old: Till, new: Till) -> None:
    with transaction.atomic():
        moves.merge(old=[old.account], new=[new.account], actor="test", at=NOON)


def transact(till: Till, transaction_id: uuid.UUID, points: int = 10) -> ledger.Outcome:
    told = external.Transaction(
        kind=Kind.ADDITION, amount=Decimal(points), source="Purchase", description="Order", id=transaction_id
    )
    return ledger.post(external.posting(account=till.account, told=told, actor="test", at=NOON))


@pytest.mark.parametrize("which", ["till", "other"])
def test_posts_once_whichever_account_is_named(
    request: pytest.FixtureRequest, program: Program, till: Till, other: Till, which: str
) -> None:
    transaction_id = uuid.uuid4()
    first = transact(till, transaction_id).entry
    merge(till, other)
    again = transact(request.getfixturevalue(which), transaction_id)
    assert (again.entry, again.earlier) == (None, first)
    assert other.history() == [("merge", 10)]
    with pytest.raises(ledger.TransactionIdConflict):
        transact(request.getfixturevalue(which), transaction_id, 11)
    assert other.history() == [("merge", 10)]
    assert breaches(program) == set()


def test_posts_once_after_one_merge_and_another(program: Program, till: Till, other: Till) -> None:
    third = Till(make_account(program, till.account.definition))
    transaction_id = uuid.uuid4()
    first = transact(till, transaction_id).entry
    merge(till, other)
    merge(other, third)
    for one in (till, other, third):
        assert transact(one, transaction_id).earlier == first
    assert third.history() == [("merge", 10)]


def test_posts_once_what_is_named_by_its_entry(till: Till, other: Till) -> None:
    one = posting(till.account, "award", 10, entry_id=ids.new_id(), is_named=True)
    first = ledger.post(one).entry
    merge(till, other)
    assert ledger.post(one).earlier == first
    another = posting(till.account, "award", 5, entry_id=ids.new_id(), is_named=True)
    assert [ledger.post(another).earlier is None for _ in range(2)] == [True, False]
    assert other.history() == [("merge", 10), ("award", 5)]


def test_posts_what_others_have_named_so(program: Program, till: Till, other: Till) -> None:
    third, stranger = (Till(make_account(program, till.account.definition)) for _ in range(2))
    transaction_id = uuid.uuid4()
    transact(stranger, transaction_id)
    merge(stranger, third)
    transact(till, transaction_id)
    transact(other, transaction_id)
    assert (till.balance, other.balance, third.balance) == (10, 10, 10)


def listed(till: Till, wanted: Filter) -> list[Any]:
    page = contact_lists.read(
        account=till.account, wanted=contact_lists.Wanted(filter=wanted), offset=0, count=10, at=NOON
    )
    assert page.total == len(page.entries)
    return [entry.type for entry in page.entries]


def test_lists_what_came_and_is_still_to_start_as_pending(till: Till, other: Till) -> None:
    till.award(10, valid_from=days(1))
    till.award(10, valid_from=days(2))
    other.award(5)
    merge(till, other)
    assert listed(other, Filter.PENDING) == ["merge"]
    assert listed(other, Filter.ACTIVE) == ["award"]
    assert sorted(listed(other, Filter.ALL)) == ["award", "merge"]
