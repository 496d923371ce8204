"""The tier in the ledger: it climbs in the transaction of the entry that reached it, and falls by the clock.

Bronze from 0 points, Silver from 500, Gold from 1,500, Platinum from 5,000.
"""

import datetime
import functools
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.db import DatabaseError, connections, transaction

from loyalty import errors
from loyalty.models import Program
from points import ledger, rules, statements
from points.models import AccountRef, PointAccount, TierChange
from tests.factories import make_account, make_definition
from tests.points.test_laws_in_the_database import refusal_of
from tests.points.threads import at_once
from tests.points.till import NOON, Till, breaches, days, posting, tills
from tiers.models import Tier, TierScheme


def on(text: str) -> datetime.datetime:
    """Noon of a day, or a moment."""
    return datetime.datetime.fromisoformat(text if "T" in text else f"{text}T12:00:00Z")


def give_tiers(program: Program, *, at: datetime.datetime | None = None, **scheme: Any) -> None:
    rules.give_defaults(program=program, by="test", at=at)
    change_tiers(program, at=at, **scheme)


def change_tiers(program: Program, *, at: datetime.datetime | None = None, **scheme: Any) -> None:
    TierScheme.objects.filter(program=program).update(**scheme)
    rules.publish(program=program, by="test", at=at)


@pytest.fixture
def till(account: AccountRef) -> Till:
    """An account whose tier is measured by what was ever earned."""
    give_tiers(account.program)
    return Till(account)


@pytest.fixture
def rolling(account: AccountRef) -> Till:
    """Measured by two whole months and the current one."""
    give_tiers(account.program, basis="rolling", window_months=2)
    return Till(account)


@pytest.fixture
def calendar(account: AccountRef) -> Till:
    """Measured by the calendar year."""
    give_tiers(account.program, basis="calendar")
    return Till(account)


class Change(NamedTuple):
    """A row of the history of tiers; `version` is that of the entry that did it."""

    before: str | None
    after: str | None
    version: int | None
    effective_at: datetime.datetime


def changes(till: Till) -> list[Change]:
    versions = {entry.id: entry.version for entry in till.entries()}
    rows = TierChange.objects.filter(account_id=till.account.id).order_by("effective_at", "id")
    return [
        Change(
            row.from_tier and row.from_tier.code,
            row.to_tier and row.to_tier.code,
            versions[row.entry_id] if row.entry_id else None,
            row.effective_at,
        )
        for row in rows.select_related("from_tier", "to_tier")
    ]


def steps(till: Till) -> list[tuple[str | None, str | None]]:
    return [(change.before, change.after) for change in changes(till)]


def written(till: Till) -> str | None:
    """The tier that the account's row says."""
    tier = till.row().tier
    return tier and tier.code


def held(till: Till, at: datetime.datetime = NOON) -> str | None:
    """The tier that a reader is told."""
    statement = statements.balance(account=till.account, at=at)
    assert statement.tier is not None
    return statement.tier.rung and statement.tier.rung.code


def held_then(till: Till, moment: datetime.datetime) -> str | None:
    statement = statements.as_of(account=till.account, moment=moment)
    assert statement.tier is not None
    return statement.tier.rung and statement.tier.rung.code


# Climbing


def test_upgrades_with_the_award_that_reaches_the_threshold(till: Till) -> None:
    till.award(499)
    assert (written(till), changes(till)) == ("bronze", [])
    till.award(1, at=days(1))
    assert 499 + 1 == 500
    assert changes(till) == [Change("bronze", "silver", 2, days(1))]
    row = till.row()
    assert (written(till), row.tier_since, row.tier_until) == ("silver", days(1), None)


def test_notes_the_points_that_counted(till: Till) -> None:
    till.award(2000)
    [change] = TierChange.objects.filter(account_id=till.account.id)
    assert change.points == 2000


def test_passes_several_tiers_with_one_award_in_one_step(till: Till) -> None:
    till.award(6000)
    assert steps(till) == [("bronze", "platinum")]


def test_upgrade_is_undone_with_the_award(till: Till) -> None:
    with transaction.atomic():
        till.award(500)
        transaction.set_rollback(True)
    assert (till.rows(), changes(till)) == ([], [])


def test_a_trial_upgrades_nobody(till: Till) -> None:
    till.award(100)
    ledger.post_many([posting(till.account, "award", 400)], is_trial=True)
    assert (written(till), changes(till)) == ("bronze", [])


def test_a_refused_award_upgrades_nobody(till: Till) -> None:
    till.award(100)
    with pytest.raises(errors.InvalidPoints):
        till.award("400.5")
    assert (written(till), changes(till)) == ("bronze", [])


def test_writes_where_a_customer_stands_who_moved_nowhere(till: Till) -> None:
    till.award(1)
    assert (written(till), till.row().tier_since, changes(till)) == ("bronze", NOON, [])


def test_bulk_upgrades_as_if_its_items_came_one_after_another(till: Till) -> None:
    other = Till(make_account(till.account.program, till.account.definition))
    ledger.post_many(
        [
            posting(till.account, "award", 400),
            posting(other.account, "award", 499),
            posting(till.account, "award", 100),
            posting(till.account, "redeem", 450),
            posting(till.account, "award", 1000),
        ]
    )
    assert 400 + 100 == 500
    assert 500 + 1000 == 1500
    assert changes(till) == [Change("bronze", "silver", 2, NOON), Change("silver", "gold", 4, NOON)]
    assert (written(other), changes(other)) == ("bronze", [])


def test_upgrades_once_where_two_awards_race_over_the_threshold(till: Till) -> None:
    till.award(400)
    at_once(functools.partial(till.award, 300), functools.partial(till.award, 300))
    # 400 + 300 reaches Silver, 300 more do not reach Gold.
    assert steps(till) == [("bronze", "silver")]
    assert changes(till)[0].version == 2
    assert (written(till), till.row().lifetime_earned) == ("silver", 400 + 300 + 300)
    assert breaches(till.account.program) == set()


def test_upgrades_once_where_first_awards_race(till: Till) -> None:
    at_once(*[functools.partial(till.award, 100)] * 5)
    assert [(change.before, change.after, change.version) for change in changes(till)] == [("bronze", "silver", 5)]


# What counts


@pytest.mark.parametrize("basis", ["lifetime", "rolling", "calendar"])
def test_redeeming_adjusting_and_expiring_move_no_tier(account: AccountRef, basis: str) -> None:
    give_tiers(account.program, basis=basis)
    till = Till(account)
    till.award(600)
    till.redeem(500, at=days(1))
    till.adjust(-50, at=days(2))
    till.adjust(5000, at=days(3))
    till.expire(5050, at=days(4))
    assert till.balance == 600 - 500 - 50 + 5000 - 5050
    assert (written(till), held(till, days(5)), steps(till)) == ("silver", "silver", [("bronze", "silver")])


def test_giving_back_what_was_spent_moves_no_tier(till: Till) -> None:
    till.award(600)
    till.reverse(till.redeem(600))
    assert (written(till), steps(till)) == ("silver", [("bronze", "silver")])


def test_points_of_another_kind_move_no_tier(till: Till) -> None:
    program = till.account.program
    assert till.account.definition.counts_for_tiers
    stamps = make_definition(program)
    other = Till(AccountRef(program=program, definition=stamps, customer_id=till.account.customer_id))
    other.award(5000)
    assert (other.row().tier_id, changes(other), till.rows()) == (None, [], [])
    statement = statements.balance(account=other.account, at=NOON)
    assert (statement.tier, statement.progress) == (None, None)


def test_a_programme_without_tiers_has_none(account: AccountRef) -> None:
    till = Till(account)
    till.award(5000)
    assert (till.row().tier_id, changes(till)) == (None, [])
    assert statements.balance(account=account, at=NOON).tier is None


def test_who_earned_before_there_were_tiers_stands_where_the_points_reach(account: AccountRef) -> None:
    till = Till(account)
    till.award(700)
    give_tiers(account.program)
    assert held(till) == "silver"
    till.redeem(1, at=days(1))
    assert (written(till), till.row().tier_since, changes(till)) == ("silver", days(1), [])


def test_pending_points_count_when_they_become_active(till: Till) -> None:
    till.award(500, valid_from=days(3))
    assert (held(till, days(2)), held(till, days(3))) == ("bronze", "silver")
    till.redeem(1, at=days(5))
    assert till.history() == [("award", 500), ("activate", 0), ("redeem", -1)]
    assert changes(till) == [Change("bronze", "silver", 2, days(3))]


def test_points_given_in_advance_count_in_the_month_in_which_they_become_active(rolling: Till) -> None:
    rolling.award(500, valid_from=on("2026-04-10"), at=on("2026-03-02"))
    rolling.settle(on("2026-04-20"))
    # April, May and June: as of 1 July three months would have to be looked back at.
    assert rolling.row().tallies == {"earned/2026-04": "500"}
    assert rolling.row().tier_until == on("2026-07-01T00:00:00Z")


# Reversing


def test_a_reversal_lowers_the_tier_in_its_own_transaction(till: Till) -> None:
    award = till.award(500)
    till.reverse(award, 1, at=days(1))
    assert changes(till) == [Change("bronze", "silver", 1, NOON), Change("silver", "bronze", 2, days(1))]
    assert (written(till), till.row().tier_since) == ("bronze", days(1))


def test_a_reversal_that_stays_above_the_threshold_moves_nothing(till: Till) -> None:
    award = till.award(501)
    till.reverse(award, 1)
    assert steps(till) == [("bronze", "silver")]


def test_what_a_reversal_could_not_take_was_not_earned_either(program: Program) -> None:
    give_tiers(program)
    till = Till(make_account(program, clawback="to_zero"))
    award = till.award(500)
    till.redeem(400)
    reversal = till.reverse(award)
    assert reversal.shortfall == 400
    assert (till.row().lifetime_earned, written(till)) == (500 - 500, "bronze")


def test_reversing_points_that_were_never_active_moves_nothing(till: Till) -> None:
    till.award(500)
    till.reverse(till.award(1000, valid_from=days(9)), at=days(1))
    assert steps(till) == [("bronze", "silver")]


def test_a_reversal_leaves_the_month_in_which_the_points_were_earned(rolling: Till) -> None:
    march = rolling.award(400, at=on("2026-03-10"))
    rolling.award(450, at=on("2026-05-10"))
    assert rolling.row().tallies == {"earned/2026-03": "400", "earned/2026-05": "450"}
    # From June on, May's 450 would have to reach it alone.
    assert rolling.row().tier_until == on("2026-06-01T00:00:00Z")
    rolling.reverse(march, 340, at=on("2026-05-11"))
    assert 400 - 340 + 450 == 510
    assert rolling.row().tallies == {"earned/2026-03": "60", "earned/2026-05": "450"}
    assert written(rolling) == "silver"
    rolling.reverse(march, 20, at=on("2026-05-12"))
    assert 60 - 20 + 450 < 500
    assert changes(rolling)[-1] == Change("silver", "bronze", 4, on("2026-05-12"))


def test_a_reversal_of_an_old_award_leaves_a_tier_that_other_points_hold(rolling: Till) -> None:
    old = rolling.award(500, at=on("2026-01-10"))
    rolling.award(500, at=on("2026-06-10"))
    rolling.reverse(old, at=on("2026-06-11"))
    assert rolling.row().tallies == {"earned/2026-06": "500"}
    assert steps(rolling) == [("bronze", "silver"), ("silver", "bronze"), ("bronze", "silver")]


# Falling by the clock


def test_a_read_works_the_fall_out_and_writes_nothing(rolling: Till) -> None:
    rolling.award(600, at=on("2026-03-10"))
    until = on("2026-06-01T00:00:00Z")
    assert rolling.row().tier_until == until
    before = rolling.everything()
    assert held(rolling, until - datetime.timedelta.resolution) == "silver"
    assert held(rolling, until) == "bronze"
    [told] = statements.balances(accounts=[rolling.account], at=until).values()
    assert told.tier is not None
    assert (told.tier.rung and told.tier.rung.code, told.tier.since) == ("bronze", until)
    assert rolling.everything() == before
    assert steps(rolling) == [("bronze", "silver")]


@pytest.mark.parametrize("kind", ["award", "redeem", "adjust"])
def test_a_posting_writes_the_fall_first(rolling: Till, kind: str) -> None:
    rolling.award(600, at=on("2026-03-10"))
    rolling.post(getattr(ledger, kind), points=Decimal(100), at=on("2026-06-15"))
    assert changes(rolling)[1:] == [Change("silver", "bronze", None, on("2026-06-01T00:00:00Z"))]
    assert written(rolling) == "bronze"


def test_a_refusal_keeps_the_fall(rolling: Till) -> None:
    rolling.award(600, at=on("2026-03-10"))
    with pytest.raises(ledger.InsufficientPoints):
        rolling.redeem(601, at=on("2026-06-15"))
    assert (written(rolling), len(rolling.entries())) == ("bronze", 1)


def test_settling_writes_the_fall_although_it_posts_nothing(rolling: Till) -> None:
    rolling.award(600, at=on("2026-03-10"))
    rolling.settle(on("2026-06-15"))
    assert (written(rolling), len(rolling.entries()), len(changes(rolling))) == ("bronze", 1, 2)
    rolling.settle(on("2026-06-16"))
    assert len(changes(rolling)) == 2


def test_a_till_whose_clock_is_behind_posts_after_the_fall(rolling: Till) -> None:
    review = on("2026-06-01T00:00:00Z")
    rolling.award(600, at=on("2026-03-10"))
    rolling.settle(review)
    # Half a second before midnight by its own clock.
    rolling.award(500, at=review - datetime.timedelta(seconds=0.5))
    assert rolling.entries()[1].effective_at == review
    assert changes(rolling)[1:] == [Change("silver", "bronze", None, review), Change("bronze", "silver", 2, review)]
    assert breaches(rolling.account.program) == set()


def test_the_award_after_a_fall_climbs_from_where_it_fell_to(rolling: Till) -> None:
    rolling.award(600, at=on("2026-03-10"))
    rolling.award(500, at=on("2026-06-15"))
    assert changes(rolling)[1:] == [
        Change("silver", "bronze", None, on("2026-06-01T00:00:00Z")),
        Change("bronze", "silver", 2, on("2026-06-15")),
    ]


def test_points_that_became_active_before_the_review_keep_the_tier(rolling: Till) -> None:
    rolling.award(600, at=on("2026-03-10"))
    rolling.award(500, valid_from=on("2026-05-20"), at=on("2026-03-10"))
    rolling.settle(on("2026-07-15"))
    # 500 of May count until July.
    assert (written(rolling), rolling.row().tier_until) == ("silver", on("2026-08-01T00:00:00Z"))
    assert steps(rolling) == [("bronze", "silver")]


def test_points_that_become_active_at_the_review_come_after_the_fall(rolling: Till) -> None:
    review = on("2026-06-01T00:00:00Z")
    rolling.award(600, at=on("2026-03-10"))
    rolling.award(500, valid_from=review, at=on("2026-03-10"))
    rolling.settle(on("2026-06-15"))
    assert changes(rolling)[1:] == [Change("silver", "bronze", None, review), Change("bronze", "silver", 3, review)]


def test_falls_to_what_is_reached(rolling: Till) -> None:
    rolling.award(5000, at=on("2026-03-10"))
    rolling.award(600, at=on("2026-05-10"))
    rolling.settle(on("2026-06-02"))
    assert changes(rolling)[1:] == [Change("platinum", "silver", None, on("2026-06-01T00:00:00Z"))]
    assert rolling.row().tier_until == on("2026-08-01T00:00:00Z")


def test_falls_one_step_at_each_review_that_was_missed(account: AccountRef) -> None:
    give_tiers(account.program, basis="rolling", window_months=2, fall="step")
    till = Till(account)
    till.award(5000, at=on("2026-03-10"))
    assert held(till, on("2026-07-15")) == "silver"
    till.settle(on("2026-12-15"))
    assert changes(till)[1:] == [
        Change("platinum", "gold", None, on("2026-06-01T00:00:00Z")),
        Change("gold", "silver", None, on("2026-07-01T00:00:00Z")),
        Change("silver", "bronze", None, on("2026-08-01T00:00:00Z")),
    ]


def test_a_tier_outlasts_its_window_by_the_grace(account: AccountRef) -> None:
    give_tiers(account.program, basis="rolling", window_months=2, grace_days=10)
    till = Till(account)
    till.award(600, at=on("2026-03-10"))
    until = on("2026-06-11T00:00:00Z")
    assert (till.row().tier_until, held(till, until - datetime.timedelta.resolution)) == (until, "silver")
    assert held(till, until) == "bronze"


def test_what_is_earned_in_the_grace_keeps_the_tier(account: AccountRef) -> None:
    give_tiers(account.program, basis="rolling", window_months=2, grace_days=10)
    till = Till(account)
    till.award(600, at=on("2026-03-10"))
    till.award(500, at=on("2026-06-05"))
    assert (steps(till), till.row().tier_until) == ([("bronze", "silver")], on("2026-09-11T00:00:00Z"))


def test_a_year_holds_the_tier_through_the_next(calendar: Till) -> None:
    calendar.award(600, at=on("2026-11-10"))
    assert calendar.row().tier_until == on("2028-01-01T00:00:00Z")
    assert (held(calendar, on("2027-12-31")), held(calendar, on("2028-01-01"))) == ("silver", "bronze")
    # What counts for the next tier begins anew with the year.
    told = statements.balance(account=calendar.account, at=on("2027-01-02"))
    assert told.progress is not None
    assert (told.progress.points, told.progress.points_to_next, told.progress.points_to_keep) == (0, 1500, 500)


def test_months_are_those_of_the_programme(program: Program) -> None:
    program.timezone = "Pacific/Auckland"
    program.save(update_fields=["timezone"])
    give_tiers(program, basis="rolling", window_months=2)
    till = Till(make_account(program))
    # The last evening of March in London is the first of April in Auckland.
    till.award(600, at=on("2026-03-31T20:00:00Z"))
    assert till.row().tallies == {"earned/2026-04": "600"}
    assert till.row().tier_until == on("2026-07-01T00:00:00+12:00")
    till.reverse(till.entries()[0], 200, at=on("2026-05-10"))
    assert till.row().tallies == {"earned/2026-04": "400"}


def test_remembers_the_months_that_a_window_may_need_and_adds_up_the_rest(calendar: Till) -> None:
    first = calendar.award(10, at=on("2024-01-10"))
    calendar.award(20, at=on("2024-02-10"))
    calendar.award(40, at=on("2026-02-10"))
    assert calendar.row().tallies == {"earned/before": "10", "earned/2024-02": "20", "earned/2026-02": "40"}
    calendar.reverse(first, 4, at=on("2026-02-11"))
    assert calendar.row().tallies == {"earned/before": "6", "earned/2024-02": "20", "earned/2026-02": "40"}
    assert calendar.row().lifetime_earned == 10 - 4 + 20 + 40


# What staff change


def test_a_threshold_that_was_lowered_lifts_by_the_clock_and_names_no_entry(till: Till) -> None:
    till.award(400)
    Tier.objects.filter(program=till.account.program, code="silver").update(threshold=300)
    change_tiers(till.account.program)
    assert (written(till), held(till, days(1))) == ("bronze", "silver")
    till.award(10, at=days(2))
    assert changes(till) == [Change("bronze", "silver", None, days(2))]


def test_who_stood_for_life_gets_an_end_once_there_is_a_window(till: Till) -> None:
    till.award(600, at=on("2026-03-10"))
    change_tiers(till.account.program, basis="rolling", window_months=2)
    assert held(till, on("2026-03-20")) == "silver"
    till.settle(on("2026-03-20"))
    assert till.row().tier_until == on("2026-06-01T00:00:00Z")
    assert (steps(till), held(till, on("2026-06-01"))) == ([("bronze", "silver")], "bronze")


def test_who_stood_by_a_window_has_no_end_once_life_counts(account: AccountRef) -> None:
    give_tiers(account.program, at=on("2026-01-01"), basis="rolling", window_months=2)
    till = Till(account)
    till.award(600, at=on("2026-03-10"))
    change_tiers(account.program, at=on("2026-04-01"), basis="lifetime")
    assert held(till, on("2026-12-01")) == "silver"
    till.redeem(1, at=on("2026-12-01"))
    assert (till.row().tier_until, steps(till)) == (None, [("bronze", "silver")])


def test_who_fell_by_a_window_rises_when_life_counts(account: AccountRef) -> None:
    give_tiers(account.program, at=on("2026-01-01"), basis="rolling", window_months=2)
    till = Till(account)
    till.award(600, at=on("2026-03-10"))
    change_tiers(account.program, at=on("2026-09-01"), basis="lifetime")
    assert [held(till, on(day)) for day in ("2026-05-31", "2026-06-01", "2026-12-01")] == ["silver", "bronze", "silver"]
    till.redeem(1, at=on("2026-12-01"))
    assert changes(till)[1:] == [
        Change("silver", "bronze", None, on("2026-06-01T00:00:00Z")),
        Change("bronze", "silver", None, on("2026-12-01")),
    ]


@pytest.mark.parametrize("moves", [False, True], ids=["nothing due", "a lot ended before"])
def test_another_threshold_moves_nobody_before_it_was_published(account: AccountRef, moves: bool) -> None:
    give_tiers(account.program, at=on("2026-01-01"))
    till = Till(account)
    till.award(300, at=on("2026-03-10"), expires_at=on("2026-05-30") if moves else None)
    Tier.objects.filter(program=account.program, code="silver").update(threshold=250)
    change_tiers(account.program, at=on("2026-09-01"))
    before = statements.as_of(account=account, moment=on("2026-08-01"))
    assert before.progress is not None
    assert (held(till, on("2026-08-01")), before.progress.points_to_next) == ("bronze", 500 - 300)
    assert held(till, on("2026-09-01")) == "silver"
    till.award(1, at=on("2026-10-01"))
    assert changes(till) == [Change("bronze", "silver", None, on("2026-10-01"))]
    after = statements.as_of(account=account, moment=on("2026-08-01"))
    assert after.tier is not None
    assert (after.tier.rung, after.progress) == (before.progress.rung, before.progress)


def test_points_that_became_active_before_are_judged_by_the_thresholds_of_then(account: AccountRef) -> None:
    give_tiers(account.program, at=on("2026-01-01"))
    till = Till(account)
    till.award(300, at=on("2026-03-10"), valid_from=on("2026-05-30"))
    Tier.objects.filter(program=account.program, code="silver").update(threshold=250)
    change_tiers(account.program, at=on("2026-09-01"))
    till.redeem(1, at=on("2026-10-01"))
    assert changes(till) == [Change("bronze", "silver", None, on("2026-10-01"))]


def test_stands_below_the_lowest_tier_where_that_has_a_threshold(rolling: Till) -> None:
    program = rolling.account.program
    Tier.objects.filter(program=program, code="bronze").delete()
    change_tiers(program)
    rolling.award(499, at=on("2026-03-10"))
    assert (written(rolling), held(rolling, on("2026-03-10"))) == (None, None)
    rolling.award(1, at=on("2026-03-11"))
    rolling.award(1, at=on("2026-08-11"))
    assert changes(rolling) == [
        Change(None, "silver", 2, on("2026-03-11")),
        Change("silver", None, None, on("2026-06-01T00:00:00Z")),
    ]
    # A tier that is open to everybody takes them in, and the history says so.
    made = Tier.objects.create(program=program, code="blue", name="Blue", threshold=0)
    change_tiers(program)
    rolling.award(1, at=on("2026-08-12"))
    assert steps(rolling)[-1] == (None, "blue")
    assert rolling.row().tier == made


# The past


def test_tells_the_tier_as_of_any_moment(rolling: Till) -> None:
    rolling.award(600, at=on("2026-03-10"))
    rolling.award(1000, at=on("2026-03-12"))
    rolling.redeem(1, at=on("2026-07-15"))
    expected = {
        "2026-03-09": "bronze",
        "2026-03-10": "silver",
        "2026-03-11": "silver",
        "2026-03-12": "gold",
        # No entry since, and none that the fall belongs to.
        "2026-05-31T23:59:59Z": "gold",
        "2026-06-01T00:00:00Z": "bronze",
        "2026-07-14": "bronze",
        "2026-07-15": "bronze",
    }
    assert {moment: held_then(rolling, on(moment)) for moment in expected} == expected


def test_tells_the_tier_as_of_a_moment_before_a_fall_that_was_written_without_an_entry(rolling: Till) -> None:
    rolling.award(600, at=on("2026-03-10"))
    rolling.settle(on("2026-06-15"))
    assert (held_then(rolling, on("2026-04-01")), held_then(rolling, on("2026-06-10"))) == ("silver", "bronze")


def test_tells_the_tier_that_was_held_then_although_the_ladder_is_another_now(till: Till) -> None:
    till.award(600)
    Tier.objects.filter(program=till.account.program, code="silver").update(threshold=1000)
    change_tiers(till.account.program)
    till.redeem(1, at=days(9))
    assert (held_then(till, days(3)), held_then(till, days(9))) == ("silver", "bronze")


def test_tells_the_progress_of_the_past(till: Till) -> None:
    till.award(600)
    till.award(1000, at=days(5))
    told = statements.as_of(account=till.account, moment=days(1)).progress
    assert told is not None
    assert (told.points_to_next, told.following and told.following.code) == (1500 - 600, "gold")


# Round the ORM


@pytest.mark.parametrize("role", ["default", "owner"])
@pytest.mark.parametrize("table", ["points_tierchange", "points_rulebook"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {table} SET id = id WHERE FALSE", "DELETE FROM {table} WHERE FALSE", "TRUNCATE {table} CASCADE"],
)
def test_the_database_refuses_to_change_or_delete_history(till: Till, role: str, table: str, statement: str) -> None:
    till.award(500)
    kind, reason = refusal_of(role)
    with pytest.raises(kind, match=reason), transaction.atomic(using=role), connections[role].cursor() as cursor:
        cursor.execute(statement.format(table=table))
    assert len(changes(till)) == 1


def test_the_database_refuses_a_tier_that_is_not_there(till: Till) -> None:
    till.award(1)
    with pytest.raises(DatabaseError, match="violates foreign key"):
        PointAccount.objects.filter(pk=till.account.id).update(tier_id=till.account.id)


def test_the_laws_hold_whatever_happened(program: Program) -> None:
    give_tiers(program, basis="rolling", window_months=2, fall="step")
    definition = make_definition(program)
    one, two = tills(make_account(program, definition) for _ in range(2))
    award = one.award(5000, at=on("2026-03-10"))
    one.reverse(award, 4000, at=on("2026-04-10"))
    two.award(700, valid_from=on("2026-04-01"), at=on("2026-03-10"))
    for till in (one, two):
        till.award(10, at=on("2026-09-10"))
    assert breaches(program) == set()
