"""`manage.py settle_due`: what fell due in accounts that nobody touched is written.

In 1990, when nothing that other tests have posted was due yet.
"""

import datetime
import re
from collections.abc import Iterator
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from loyalty import errors, pace
from loyalty.models import Program
from points import definitions, due, ledger
from tests.factories import make_account, make_definition
from tests.points.threads import at_once
from tests.points.till import Till, breaches, some_id, tills

THEN = datetime.datetime(1990, 3, 2, 12, tzinfo=datetime.UTC)


def after(days: float) -> datetime.datetime:
    return THEN + datetime.timedelta(days=days)


@pytest.fixture(autouse=True)
def _settled_before() -> Iterator[None]:
    """What a test before has left due in the year is out of the way; a day later the command runs."""
    with time_machine.travel(after(10), tick=False):
        run()
        yield


def run() -> tuple[int, int]:
    """The entries written, and the accounts that were due."""
    out = StringIO()
    call_command("settle_due", stdout=out)
    entries, accounts = re.match(r"Wrote ([\d,]+) entries in ([\d,]+) due accounts of", out.getvalue()).groups()
    return int(entries.replace(",", "")), int(accounts.replace(",", ""))


def untouched(program: Program, count: int) -> list[Till]:
    """Accounts with points that started on day 2 and ended on day 5."""
    definition = make_definition(program)
    made = tills(make_account(program, definition) for _ in range(count))
    for till in made:
        till.award(100, valid_from=after(2), expires_at=after(5), at=THEN)
    return made


def test_writes_what_fell_due_in_every_programme_and_definition(program: Program) -> None:
    other = definitions.create_program(slug=f"other-{some_id()}", timezone="Pacific/Auckland")
    [dated] = untouched(program, 1)
    idle = Till(make_account(program, make_definition(program, expiry_policy="inactivity", expiry_count=1)))
    idle.award(7, at=after(-30))
    [far] = untouched(other, 1)
    assert run() == (2 + 1 + 2, 3)
    for till in (dated, far):
        assert till.history() == [("award", 100), ("activate", 0), ("expire", -100)]
        assert [entry.effective_at for entry in till.entries()] == [THEN, after(2), after(5)]
    assert idle.history() == [("award", 7), ("expire", -7)]
    assert breaches(program) | breaches(other) == set()


def test_looks_at_all_accounts_however_many_blocks_they_lie_on(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = untouched(program, 120)
    monkeypatch.setattr(due, "PAGE", 1)
    assert run() == (2 * 120, 120)
    assert all(till.balance == 0 for till in made)


def test_leaves_alone_what_is_not_due(program: Program) -> None:
    till = Till(make_account(program))
    till.award(100, expires_at=after(11), at=THEN)
    before = till.everything()
    assert run() == (0, 0)
    assert till.everything() == before


def test_writes_nothing_twice(program: Program) -> None:
    [till] = untouched(program, 1)
    run()
    before = till.everything()
    assert run() == (0, 0)
    assert till.everything() == before


def test_finishes_its_backlog_in_one_run(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    made = untouched(program, 7)
    monkeypatch.setattr(due, "PAGE", 3)
    monkeypatch.setattr(pace, "MOST", 2)
    assert run() == (7 * 2, 7)
    assert {till.balance for till in made} == {0}


def test_goes_on_after_it_was_interrupted(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    made = untouched(program, 5)
    settle, batches = ledger.settle, []

    def away_from_the_third(accounts, *, at):
        accounts = list(accounts)
        batches.extend([accounts] if accounts else [])
        if len(batches) > 2:
            raise errors.Unavailable
        return settle(accounts, at=at)

    monkeypatch.setattr(pace, "MOST", 1)
    with monkeypatch.context() as cut:
        cut.setattr(ledger, "settle", away_from_the_third)
        with pytest.raises(CommandError, match="Run it again"):
            run()
    assert sorted(till.row().version for till in made) == [1, 1, 1, 3, 3]
    monkeypatch.setattr(pace, "MOST", 1_000)
    assert run() == (3 * 2, 3)
    assert breaches(program) == set()


def test_writes_once_where_two_run_at_once(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    made = untouched(program, 30)
    monkeypatch.setattr(pace, "MOST", 200)
    counts = at_once(run, run)
    assert sum(entries for entries, _ in counts) == 30 * 2
    assert {tuple(till.history()) for till in made} == {(("award", 100), ("activate", 0), ("expire", -100))}
    assert breaches(program) == set()
