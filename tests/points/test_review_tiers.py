"""`manage.py review_tiers`: the tiers that fell in accounts that nobody touched are written."""

import datetime
import re
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty import errors, pace
from loyalty.models import Program
from points import ledger, reviews, rules
from points.models import PointAccount
from tests.factories import make_account, make_definition
from tests.points.test_tiers import Change, change_tiers, changes, give_tiers, on, steps, written
from tests.points.threads import at_once
from tests.points.till import Till, breaches, posting, tills
from tiers.models import Tier

EARNED = on("2026-03-10")
REVIEW = on("2026-06-01T00:00:00Z")
LATER = on("2026-06-15")


def run(program: Program, at: datetime.datetime = LATER) -> tuple[int, int, int]:
    """The changes written, the accounts that were due, and the accounts."""
    out = StringIO()
    with time_machine.travel(at, tick=False):
        call_command("review_tiers", programme=program.slug, stdout=out)
    wrote = re.match(r"Wrote ([\d,]+) changes of tiers in ([\d,]+) due accounts of ([\d,]+) in", out.getvalue())
    assert wrote is not None
    changed, due, accounts = (int(count.replace(",", "")) for count in wrote.groups())
    return changed, due, accounts


@pytest.fixture
def program(program: Program) -> Program:
    """Tiers by two whole months and the current one."""
    give_tiers(program, basis="rolling", window_months=2)
    return program


def with_points(program: Program, *points: int) -> list[Till]:
    """Accounts with so many points of March."""
    definition = program.definitions.first() or make_definition(program)
    made = tills(make_account(program, definition) for _ in points)
    ledger.post_many(
        [posting(till.account, "award", amount, at=EARNED) for till, amount in zip(made, points, strict=True)]
    )
    return made


def test_writes_the_falls_that_came_due(program: Program) -> None:
    silver, gold, bronze = with_points(program, 500, 1500, 499)
    assert run(program) == (2, 2, 3)
    assert changes(silver)[1:] == [Change("silver", "bronze", None, REVIEW)]
    assert changes(gold)[1:] == [Change("gold", "bronze", None, REVIEW)]
    assert (changes(bronze), [len(till.entries()) for till in (silver, gold, bronze)]) == ([], [1, 1, 1])
    assert breaches(program) == set()


def test_leaves_alone_what_is_not_due(program: Program) -> None:
    made = with_points(program, 500, 1500, 499)
    before = [till.everything() for till in made]
    assert run(program, REVIEW - datetime.timedelta.resolution) == (0, 0, 3)
    assert [till.everything() for till in made] == before


def test_writes_nothing_twice(program: Program) -> None:
    [till] = with_points(program, 500)
    assert run(program) == (1, 1, 1)
    before = till.everything()
    assert run(program) == (0, 0, 1)
    assert till.everything() == before


def test_writes_every_review_that_was_missed(program: Program) -> None:
    change_tiers(program, fall="step")
    [till] = with_points(program, 1500)
    assert run(program, on("2026-12-15")) == (2, 1, 1)
    assert [change.effective_at for change in changes(till)[1:]] == [REVIEW, on("2026-07-01T00:00:00Z")]


def test_settles_lots_that_started_before_the_review(program: Program) -> None:
    [till] = with_points(program, 500)
    till.award(500, valid_from=on("2026-05-01"), at=EARNED)
    # May's 500 hold the tier from June on; what was due is written on the way.
    assert run(program) == (0, 1, 1)
    assert (written(till), till.history()[-1]) == ("silver", ("activate", 0))


def test_finishes_its_backlog_in_one_run(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_points(program, *[500] * 7, 10)
    monkeypatch.setattr(reviews, "PAGE", 4)
    monkeypatch.setattr(pace, "MOST", 3)
    assert run(program) == (7, 7, 8)
    assert {written(till) for till in made} == {"bronze"}


def test_goes_on_after_it_was_interrupted(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_points(program, *[500] * 5)
    settle, batches = ledger.settle, []

    def away_from_the_third(accounts: Any, *, at: datetime.datetime) -> ledger.Settled:
        batches.append(accounts)
        if len(batches) > 2:
            raise errors.Unavailable
        return settle(accounts, at=at)

    with monkeypatch.context() as cut:
        cut.setattr(pace, "MOST", 1)
        cut.setattr(ledger, "settle", away_from_the_third)
        with pytest.raises(CommandError, match="Run it again"):
            run(program)
    assert sorted(str(written(till)) for till in made) == ["bronze"] * 2 + ["silver"] * 3
    assert run(program) == (3, 3, 5)
    assert breaches(program) == set()


def test_writes_once_where_two_run_at_once(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_points(program, *[500] * 30)
    monkeypatch.setattr(pace, "MOST", 7)
    tallies = at_once(*[lambda: reviews.review(at=LATER, program=program)] * 2)
    assert sum(tally.tier_changes for tally in tallies) == 30
    assert {tuple(steps(till)) for till in made} == {(("bronze", "silver"), ("silver", "bronze"))}
    assert breaches(program) == set()


def test_goes_through_every_programme_where_none_is_named(program: Program) -> None:
    [till] = with_points(program, 500)
    with time_machine.travel(LATER, tick=False):
        call_command("review_tiers", stdout=StringIO())
    assert written(till) == "bronze"


def test_refuses_a_programme_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="there is no programme nowhere"):
        call_command("review_tiers", programme="nowhere")


# What staff changed


def test_writes_tiers_that_do_not_match_the_ladder_any_more(program: Program) -> None:
    change_tiers(program, basis="lifetime")
    falls, climbs, tops, stays, starts = with_points(program, 500, 1200, 4999, 2000, 100)
    assert run(program) == (0, 0, 5)
    tiers = Tier.objects.filter(program=program)
    tiers.filter(code="silver").update(threshold=501)
    tiers.filter(code="gold").update(threshold=1200)
    tiers.filter(code="platinum").update(threshold=4999)
    change_tiers(program)
    assert run(program) == (3, 3, 5)
    assert changes(falls)[1:] == [Change("silver", "bronze", None, LATER)]
    assert changes(climbs)[1:] == [Change("silver", "gold", None, LATER)]
    assert changes(tops)[1:] == [Change("gold", "platinum", None, LATER)]
    assert (steps(stays), steps(starts)) == ([("bronze", "gold")], [])
    assert run(program) == (0, 0, 5)


def test_takes_in_who_stood_below_the_lowest_tier(program: Program) -> None:
    change_tiers(program, basis="lifetime")
    tiers = Tier.objects.filter(program=program, code="bronze")
    tiers.update(threshold=100)
    change_tiers(program)
    [fell, never] = with_points(program, 100, 99)
    fell.reverse(fell.entries()[0], 1, at=on("2026-03-11"))
    assert [steps(till) for till in (fell, never)] == [[(None, "bronze"), ("bronze", None)], []]
    assert run(program) == (0, 0, 2)
    tiers.update(threshold=99)
    change_tiers(program)
    assert run(program) == (1, 2, 2)
    assert [written(till) for till in (fell, never)] == ["bronze", "bronze"]
    assert (steps(fell)[-1], steps(never)) == ((None, "bronze"), [])


@pytest.mark.parametrize(("basis", "until"), [("lifetime", None), ("calendar", on("2028-01-01T00:00:00Z"))])
def test_follows_a_change_of_what_is_measured(program: Program, basis: str, until: datetime.datetime | None) -> None:
    [till] = with_points(program, 500)
    change_tiers(program, basis=basis)
    # 500 of this year hold it by either; the end that the window had set is gone.
    assert run(program) == (0, 1, 1)
    assert (written(till), till.row().tier_until) == ("silver", until)


def test_gives_an_end_to_tiers_that_were_held_for_life(program: Program) -> None:
    change_tiers(program, basis="lifetime")
    silver, _ = with_points(program, 500, 10)
    change_tiers(program, basis="rolling")
    assert run(program, EARNED) == (0, 1, 2)
    assert silver.row().tier_until == REVIEW


def test_writes_down_who_earned_before_there_were_tiers(program: Program) -> None:
    other = make_account(Program.objects.create(slug=f"other-{program.slug}", name="Other"))
    till = Till(other)
    till.award(600, at=EARNED)
    assert run(other.program) == (0, 0, 1)
    rules.give_defaults(program=other.program, by="test")
    assert run(other.program) == (0, 1, 1)
    assert (written(till), changes(till)) == ("silver", [])


def test_leaves_alone_points_that_do_not_count(program: Program) -> None:
    make_definition(program)
    stamps = Till(make_account(program, make_definition(program)))
    stamps.award(600, at=EARNED)
    PointAccount.objects.filter(pk=stamps.account.id).update(tier_until=REVIEW)
    assert run(program) == (0, 0, 1)


# What it costs


def test_sends_as_many_statements_a_batch_however_many_customers_are_in_it(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviews, "PAGE", 20)
    monkeypatch.setattr(pace, "MOST", 5)
    # The machine may be as slow as it likes.
    monkeypatch.setattr(pace, "AIM_SECONDS", 3600)
    for till in with_points(program, *[500] * 80):
        # The dearest kind: also lots are due, and read.
        till.award(1, valid_from=on("2026-05-01"), at=EARNED)
    with CaptureQueriesContext(connection) as queries:
        assert run(program) == (80, 80, 80)
    # What is prepared, is once a connection.
    sent = [query["sql"] for query in queries.captured_queries if not query["sql"].startswith("PREPARE")]
    assert {"BEGIN", "COMMIT"} <= set(sent)
    # Of 4 pages two statements each, of 16 batches five each; one finds the programme, one counts its accounts, one
    # sees that there is no fifth page.
    assert len(sent) == 4 * 2 + 16 * 5 + 3
