"""Counting the ledger: whatever was posted, in whatever batches, the figures are those of the ledger."""

import datetime
import threading

import hypothesis
import pytest
from django.db import connection, transaction
from hypothesis import strategies as st

from loyalty.models import Program
from reports import counting
from reports.models import CountedUpTo, Figure
from tests.factories import make_account
from tests.points.test_ledger_state_machine import LedgerMachine
from tests.points.test_merge_properties import Family, histories, policies
from tests.points.till import NOON, Till, days
from tests.reports.recounted import counted, recounted


class CountedMachine(LedgerMachine):
    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "program"):
            assert counted(self.program) == recounted(self.program)


TestWhateverWasPosted = CountedMachine.TestCase
TestWhateverWasPosted.settings = hypothesis.settings(
    max_examples=8,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@hypothesis.settings(max_examples=15, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(one=histories, other=histories, later=histories, policy=policies, batch=st.sampled_from([1, 2, 7]))
def test_counts_what_came_by_merges(one: list, other: list, later: list, policy: dict, batch: int) -> None:
    family = Family(2, **policy)
    for step in one:
        family.do(0, step)
    for step in other:
        family.do(1, step)
    family.merge(0, 1)
    for step in later:
        family.do(1, step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "BATCH", batch)
        assert counted(family.program) == recounted(family.program)


def test_corrects_a_day_that_is_long_over(program: Program, till: Till) -> None:
    till.award(100, expires_at=days(5))
    assert counted(program)["earned", NOON.date(), ""] == 100
    # Nobody came: the entry is written on the 20th day, and took effect on the 5th.
    till.settle(days(20))
    figures = counted(program)
    assert figures["expired", days(5).date(), ""] == -100
    assert figures == recounted(program)


def test_counts_nothing_twice(program: Program, till: Till) -> None:
    till.award(100)
    before = counted(program)
    assert counting.count(program).entries == 0
    assert counted(program) == before


def test_two_at_once_count_each_entry_once(program: Program, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(60):
        till.award(1)
    monkeypatch.setattr(counting, "BATCH", 5)

    def count() -> None:
        try:
            counting.count(program)
        finally:
            connection.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted(program)["awards", NOON.date(), ""] == 60


def test_counts_anew_by_the_days_of_another_time_zone(program: Program, till: Till) -> None:
    # In Vilnius it is 00:30 of the next day.
    late = datetime.datetime(2026, 3, 2, 22, 30, tzinfo=datetime.UTC)
    till.award(100, at=late)
    assert ("earned", datetime.date(2026, 3, 3), "") in counted(program)
    program.timezone = "America/New_York"
    program.save(update_fields=["timezone"])
    figures = counted(program)
    assert ("earned", datetime.date(2026, 3, 2), "") in figures
    assert ("earned", datetime.date(2026, 3, 3), "") not in figures


def test_leaves_out_what_comes_beside_a_transaction_that_still_writes(program: Program, till: Till) -> None:
    till.award(100)
    counted(program)
    writes, may_end = threading.Event(), threading.Event()

    def post_slowly() -> None:
        try:
            with transaction.atomic():
                till.adjust(1)
                writes.set()
                may_end.wait(20)
        finally:
            connection.close()

    other = Till(make_account(program, till.account.definition))
    thread = threading.Thread(target=post_slowly)
    thread.start()
    writes.wait(20)
    other.award(7)
    # It was written before an entry that may still come: which would be missed.
    assert counting.count(program).entries == 0
    may_end.set()
    thread.join()
    figures = counted(program)
    assert figures["earned", NOON.date(), ""] == 100 + 7
    assert figures["adjusted", NOON.date(), ""] == 1


def test_forgets_how_far_it_was_when_entries_were_adopted(program: Program, till: Till) -> None:
    till.award(100)
    counted(program)
    counting.forget(program)
    assert not Figure.objects.filter(definition__program=program).exists()
    assert CountedUpTo.objects.get(program=program).counted_at is None
    assert counted(program)["earned", NOON.date(), ""] == 100
