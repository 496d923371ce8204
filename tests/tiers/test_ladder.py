"""Which tier so many points reach, and until when it is held: each expectation beside the arithmetic behind it."""

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tiers.ladder import Basis, Earned, Fall, Ladder, Rung, Standing

VILNIUS = ZoneInfo("Europe/Vilnius")


def rung(number: int, name: str, threshold: int, multiplier: str) -> Rung:
    return Rung(
        id=uuid.UUID(int=number),
        code=name.lower(),
        name=name,
        threshold=Decimal(threshold),
        multiplier=Decimal(multiplier),
    )


BRONZE = rung(1, "Bronze", 0, "1")
SILVER = rung(2, "Silver", 500, "1.25")
GOLD = rung(3, "Gold", 1500, "1.5")
PLATINUM = rung(4, "Platinum", 5000, "2")
DEFAULTS = (BRONZE, SILVER, GOLD, PLATINUM)

LIFETIME = Ladder(rungs=DEFAULTS)
# Two whole months and the current one.
ROLLING = Ladder(rungs=DEFAULTS, basis=Basis.ROLLING, window_months=2, zone=VILNIUS)
CALENDAR = Ladder(rungs=DEFAULTS, basis=Basis.CALENDAR, zone=VILNIUS)


def at(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return moment


def month(text: str) -> int:
    year, number = text.split("-")
    return 12 * int(year) + int(number) - 1


def ever(points: int) -> Earned:
    return Earned(lifetime=Decimal(points))


def earned(**points: int) -> Earned:
    """`earned(m2025_03=600)`: 600 points in March 2025."""
    by_month = {month(name[1:].replace("_", "-")): Decimal(amount) for name, amount in points.items()}
    return Earned(lifetime=sum(by_month.values(), Decimal(0)), by_month=by_month)


def codes(standings: list[Standing]) -> list[str | None]:
    return [standing.rung.code if standing.rung else None for standing in standings]


# By points ever earned


@pytest.mark.parametrize(
    ("points", "tier"),
    [
        (0, BRONZE),
        (499, BRONZE),
        (500, SILVER),
        (1499, SILVER),
        (1500, GOLD),
        (4999, GOLD),
        (5000, PLATINUM),
        (10**15, PLATINUM),
    ],
)
def test_reaches_a_tier_at_its_threshold_and_not_a_point_before(points: int, tier: Rung) -> None:
    assert LIFETIME.reached(Decimal(points)) == tier


def test_does_not_round_a_hundredth_up_to_a_tier() -> None:
    assert LIFETIME.reached(Decimal("499.99")) == BRONZE


def test_reaches_nothing_below_the_lowest_tier() -> None:
    ladder = Ladder(rungs=(SILVER, GOLD))
    assert ladder.reached(Decimal(499)) is None
    assert ladder.climbed(Standing(), ever(499), at("2026-01-15T12:00:00Z")) == Standing()


def test_reaches_nothing_in_a_programme_without_tiers() -> None:
    ladder = Ladder(rungs=())
    progress = ladder.progress(Standing(), ever(900), at("2026-01-15T12:00:00Z"))
    assert ladder.reached(Decimal(900)) is None
    assert (progress.rung, progress.following, progress.points_to_next, progress.level) == (None, None, None, 0)


def test_finds_a_tier_by_its_id_and_none_that_was_taken_out() -> None:
    assert LIFETIME.find(GOLD.id) == GOLD
    assert LIFETIME.find(uuid.UUID(int=99)) is None
    assert LIFETIME.find(None) is None


def test_climbs_for_ever_by_points_ever_earned() -> None:
    now = at("2026-01-15T12:00:00Z")
    held = Standing(rung=BRONZE, since=at("2025-01-01T00:00:00Z"))
    assert LIFETIME.climbed(held, ever(499 + 1), now) == Standing(rung=SILVER, since=now, until=None)


def test_climbs_over_several_tiers_at_once() -> None:
    now = at("2026-01-15T12:00:00Z")
    assert LIFETIME.climbed(Standing(), ever(5000), now) == Standing(rung=PLATINUM, since=now)


def test_keeps_the_day_that_a_tier_was_reached_on_when_more_is_earned() -> None:
    held = Standing(rung=SILVER, since=at("2025-01-01T00:00:00Z"))
    assert LIFETIME.climbed(held, ever(500 + 999), at("2026-01-15T12:00:00Z")) == held


def test_falls_with_the_points_that_are_taken_back() -> None:
    now = at("2026-01-15T12:00:00Z")
    held = Standing(rung=GOLD, since=at("2025-01-01T00:00:00Z"))
    assert LIFETIME.lowered(held, ever(1500), ever(1500 - 1), now) == Standing(rung=SILVER, since=now)
    assert LIFETIME.lowered(held, ever(1501), ever(1501 - 1), now) == held


def test_never_falls_by_the_clock_by_points_ever_earned() -> None:
    held = Standing(rung=PLATINUM, since=at("2000-01-01T00:00:00Z"))
    assert LIFETIME.reviewed(held, ever(5000), at("2050-01-01T00:00:00Z")) == []


def test_follows_a_threshold_that_staff_moved_by_points_ever_earned() -> None:
    now = at("2050-01-01T00:00:00Z")
    held = Standing(rung=PLATINUM, since=at("2000-01-01T00:00:00Z"))
    assert LIFETIME.reviewed(held, ever(1500), now) == [Standing(rung=GOLD, since=now)]


def test_loses_its_end_once_all_points_ever_earned_count() -> None:
    held = Standing(rung=GOLD, since=at("2000-01-01T00:00:00Z"), until=at("2060-01-01T00:00:00Z"))
    without_end = Standing(rung=GOLD, since=at("2000-01-01T00:00:00Z"))
    assert LIFETIME.reviewed(held, ever(1500), at("2050-01-01T00:00:00Z")) == [without_end]


def test_gets_an_end_once_a_window_counts() -> None:
    held = Standing(rung=GOLD, since=at("2000-01-01T00:00:00Z"))
    now = at("2026-01-15T12:00:00Z")
    # 1,600 of December count in December, January and February.
    until = at("2026-03-01T00:00:00+02:00")
    assert ROLLING.reviewed(held, earned(m2025_12=1600), now) == [
        Standing(rung=GOLD, since=at("2000-01-01T00:00:00Z"), until=until)
    ]
    # What nothing holds ends with the month.
    [standing] = ROLLING.reviewed(held, Earned(), now)
    assert standing.until == at("2026-02-01T00:00:00+02:00")


def test_is_worked_out_from_the_points_when_nothing_was_written() -> None:
    now = at("2026-01-15T12:00:00Z")
    assert LIFETIME.current(Standing(), ever(1500), now) == Standing(rung=GOLD, since=now)
    assert ROLLING.current(Standing(), earned(m2025_12=900, m2026_01=600), now) == Standing(
        rung=GOLD,
        since=now,
        until=at("2026-03-01T00:00:00+02:00"),  # Then December is out: 600 < 1,500.
    )


# Months of the programme's calendar


@pytest.mark.parametrize(
    ("moment", "counted"),
    [
        # The year's end in Vilnius is two hours before UTC's.
        ("2025-12-31T21:59:59.999999Z", "2025-12"),
        ("2025-12-31T22:00:00Z", "2026-01"),
        # In summer the month's end is three hours before UTC's.
        ("2025-06-30T20:59:59.999999Z", "2025-06"),
        ("2025-06-30T21:00:00Z", "2025-07"),
        # March ends in summer time and began in winter time; October the other way round.
        ("2025-02-28T22:00:00Z", "2025-03"),
        ("2025-03-31T20:59:59Z", "2025-03"),
        ("2025-03-31T21:00:00Z", "2025-04"),
        ("2025-09-30T21:00:00Z", "2025-10"),
        ("2025-10-31T21:59:59Z", "2025-10"),
        ("2025-10-31T22:00:00Z", "2025-11"),
        # Whatever zone the moment is written in.
        ("2025-12-31T17:00:00-05:00", "2026-01"),
    ],
)
def test_counts_a_month_by_the_programmes_clock(moment: str, counted: str) -> None:
    assert CALENDAR.month(at(moment)) == month(counted)


@pytest.mark.parametrize(
    ("reached_at", "until"),
    [
        # Two whole months later the third review is the first that does not count the month of earning.
        ("2025-01-15T12:00:00Z", "2025-04-01T00:00:00+03:00"),
        ("2025-08-15T12:00:00Z", "2025-11-01T00:00:00+02:00"),
        ("2025-11-15T12:00:00Z", "2026-02-01T00:00:00+02:00"),
        # The last instant of October and the first of November, in Vilnius.
        ("2025-10-31T21:59:59Z", "2026-01-01T00:00:00+02:00"),
        ("2025-10-31T22:00:00Z", "2026-02-01T00:00:00+02:00"),
    ],
)
def test_holds_a_tier_to_the_start_of_a_local_month(reached_at: str, until: str) -> None:
    now = at(reached_at)
    points = Earned(by_month={ROLLING.month(now): Decimal(500)})
    assert ROLLING.climbed(Standing(rung=BRONZE), points, now) == Standing(rung=SILVER, since=now, until=at(until))


def test_answers_the_end_of_a_tier_in_utc() -> None:
    until = ROLLING.started(earned(m2025_01=500), at("2025-01-15T12:00:00Z")).until
    assert until is not None
    assert until.tzinfo is UTC


def test_starts_a_month_when_the_clock_jumps_over_its_midnight() -> None:
    # In Asunción 1 October 1988 began at 1:00, which is 4:00 in UTC.
    ladder = Ladder(rungs=DEFAULTS, basis=Basis.ROLLING, window_months=1, zone=ZoneInfo("America/Asuncion"))
    standing = ladder.started(earned(m1988_08=500), at("1988-08-15T12:00:00Z"))
    assert standing.until == at("1988-10-01T04:00:00Z")
    assert ladder.month(standing.until) == month("1988-10")
    assert ladder.month(standing.until - timedelta(microseconds=1)) == month("1988-09")


# A rolling window


def test_counts_the_whole_months_of_the_window_and_the_current_one() -> None:
    points = earned(m2025_12=1, m2026_01=20, m2026_02=300, m2026_03=4000, m2026_04=50000)
    assert ROLLING.points(points, month("2026-03")) == 20 + 300 + 4000


def test_counts_a_window_over_the_years_end() -> None:
    assert ROLLING.points(earned(m2025_11=300, m2025_12=100, m2026_01=100), month("2026-01")) == 300 + 100 + 100


def test_keeps_a_tier_until_its_window_has_passed() -> None:
    points = earned(m2025_01=500)
    held = ROLLING.climbed(Standing(rung=BRONZE), points, at("2025-01-15T12:00:00Z"))
    last_moment = at("2025-03-31T23:59:59.999999+03:00")
    assert ROLLING.current(held, points, last_moment) == held
    assert ROLLING.current(held, points, at("2025-04-01T00:00:00+03:00")) == Standing(
        rung=BRONZE, since=at("2025-04-01T00:00:00+03:00"), until=None
    )


def test_keeps_a_tier_longer_when_more_is_earned() -> None:
    held = Standing(rung=SILVER, since=at("2025-01-15T12:00:00Z"), until=at("2025-04-01T00:00:00+03:00"))
    points = earned(m2025_01=500, m2025_03=500)
    assert ROLLING.climbed(held, points, at("2025-03-10T12:00:00Z")) == Standing(
        rung=SILVER, since=held.since, until=at("2025-06-01T00:00:00+03:00")
    )


def test_keeps_a_higher_tier_to_its_end_when_the_points_of_the_window_reach_a_lower_one() -> None:
    # The grace period: January's 1,500 count no more, February's 500 are for Silver.
    ladder = Ladder(rungs=DEFAULTS, basis=Basis.ROLLING, window_months=2, grace_days=30, zone=VILNIUS)
    held = Standing(rung=GOLD, since=at("2025-01-15T12:00:00Z"), until=at("2025-05-01T00:00:00+03:00"))
    points = earned(m2025_01=1500, m2025_04=500)
    assert ladder.climbed(held, points, at("2025-04-10T12:00:00Z")) == held
    assert codes(ladder.reviewed(held, points, at("2025-05-01T00:00:00+03:00"))) == ["silver"]


def test_climbs_when_the_window_reaches_more_than_is_held() -> None:
    held = Standing(rung=SILVER, since=at("2025-01-15T12:00:00Z"), until=at("2025-04-01T00:00:00+03:00"))
    now = at("2025-03-10T12:00:00Z")
    # In April January's 500 are out: 1,000 < 1,500.
    assert ROLLING.climbed(held, earned(m2025_01=500, m2025_03=1000), now) == Standing(
        rung=GOLD, since=now, until=at("2025-04-01T00:00:00+03:00")
    )


# A calendar year


def test_counts_the_calendar_year_up_to_the_month() -> None:
    points = earned(m2024_12=1, m2025_01=20, m2025_06=300, m2025_07=4000)
    assert CALENDAR.points(points, month("2025-06")) == 20 + 300
    assert CALENDAR.points(points, month("2026-01")) == 0


def test_holds_a_years_tier_through_the_next_year() -> None:
    now = at("2025-03-15T12:00:00Z")
    held = CALENDAR.climbed(Standing(rung=BRONZE), earned(m2025_03=1500), now)
    assert held == Standing(rung=GOLD, since=now, until=at("2027-01-01T00:00:00+02:00"))


def test_gives_december_and_january_a_year_each_by_the_local_clock() -> None:
    december, january = at("2025-12-31T21:59:59Z"), at("2025-12-31T22:00:00Z")
    bronze = Standing(rung=BRONZE)
    assert CALENDAR.climbed(bronze, earned(m2025_12=500), december).until == at("2027-01-01T00:00:00+02:00")
    assert CALENDAR.climbed(bronze, earned(m2026_01=500), january).until == at("2028-01-01T00:00:00+02:00")


def test_keeps_a_years_tier_when_the_next_year_reaches_it_too() -> None:
    held = Standing(rung=SILVER, since=at("2025-03-15T12:00:00Z"), until=at("2027-01-01T00:00:00+02:00"))
    short, enough = earned(m2025_03=500, m2026_08=499), earned(m2025_03=500, m2026_08=499 + 1)
    now = at("2026-08-15T12:00:00Z")
    assert CALENDAR.climbed(held, short, now) == held
    assert CALENDAR.climbed(held, enough, now) == Standing(
        rung=SILVER, since=held.since, until=at("2028-01-01T00:00:00+02:00")
    )


def test_does_not_add_two_years_up() -> None:
    held = Standing(rung=SILVER, since=at("2025-03-15T12:00:00Z"), until=at("2027-01-01T00:00:00+02:00"))
    points = earned(m2025_03=750, m2026_01=750)
    assert CALENDAR.climbed(held, points, at("2026-01-15T12:00:00Z")).rung == SILVER


def test_falls_to_what_the_last_year_reached() -> None:
    held = Standing(rung=PLATINUM, since=at("2025-03-15T12:00:00Z"), until=at("2027-01-01T00:00:00+02:00"))
    falls = CALENDAR.reviewed(held, earned(m2025_03=5000, m2026_12=500), at("2027-01-01T00:00:00+02:00"))
    assert falls == [
        Standing(rung=SILVER, since=at("2027-01-01T00:00:00+02:00"), until=at("2028-01-01T00:00:00+02:00"))
    ]


# Grace


@pytest.mark.parametrize(
    ("grace_days", "until"),
    [
        (0, "2025-03-01T00:00:00+02:00"),
        (14, "2025-03-15T00:00:00+02:00"),
        # Over the night of 30 March, which has an hour less: still local midnight.
        (31, "2025-04-01T00:00:00+03:00"),
        (366, "2026-03-02T00:00:00+02:00"),
    ],
)
def test_outlasts_its_window_by_the_grace_period(grace_days: int, until: str) -> None:
    ladder = Ladder(rungs=DEFAULTS, basis=Basis.ROLLING, window_months=1, grace_days=grace_days, zone=VILNIUS)
    points = earned(m2025_01=500)
    held = ladder.climbed(Standing(rung=BRONZE), points, at("2025-01-15T12:00:00Z"))
    assert held.until == at(until)
    assert codes(ladder.reviewed(held, points, at(until) - timedelta(microseconds=1))) == []
    assert codes(ladder.reviewed(held, points, at(until))) == ["bronze"]


def test_ends_the_grace_period_at_local_midnight_when_the_night_of_the_change_is_longer() -> None:
    ladder = Ladder(rungs=DEFAULTS, basis=Basis.ROLLING, window_months=1, grace_days=31, zone=VILNIUS)
    until = ladder.started(earned(m2025_08=500), at("2025-08-15T12:00:00Z")).until
    # 1 October and 31 days; one hour earlier would be October yet.
    assert until == at("2025-11-01T00:00:00+02:00")


def test_is_kept_by_what_is_earned_within_the_grace_period() -> None:
    ladder = Ladder(rungs=DEFAULTS, basis=Basis.ROLLING, window_months=1, grace_days=14, zone=VILNIUS)
    held = Standing(rung=SILVER, since=at("2025-01-15T12:00:00Z"), until=at("2025-03-15T00:00:00+02:00"))
    assert ladder.climbed(held, earned(m2025_01=500, m2025_03=500), at("2025-03-14T12:00:00Z")) == Standing(
        rung=SILVER, since=held.since, until=at("2025-05-15T00:00:00+03:00")
    )


# Falls


def test_falls_at_once_to_what_is_reached() -> None:
    held = Standing(rung=PLATINUM, since=at("2025-01-15T12:00:00Z"), until=at("2025-04-01T00:00:00+03:00"))
    falls = ROLLING.reviewed(held, earned(m2025_01=4500, m2025_03=500), at("2025-04-01T00:00:00+03:00"))
    assert falls == [
        Standing(rung=SILVER, since=at("2025-04-01T00:00:00+03:00"), until=at("2025-06-01T00:00:00+03:00"))
    ]


def test_falls_one_tier_at_each_review_where_the_programme_says_so() -> None:
    ladder = Ladder(rungs=DEFAULTS, basis=Basis.ROLLING, window_months=2, fall=Fall.STEP, zone=VILNIUS)
    points = earned(m2025_01=5000)
    held = ladder.climbed(Standing(), points, at("2025-01-15T12:00:00Z"))
    assert ladder.reviewed(held, points, at("2026-01-01T00:00:00Z")) == [
        Standing(rung=GOLD, since=at("2025-04-01T00:00:00+03:00"), until=at("2025-05-01T00:00:00+03:00")),
        Standing(rung=SILVER, since=at("2025-05-01T00:00:00+03:00"), until=at("2025-06-01T00:00:00+03:00")),
        Standing(rung=BRONZE, since=at("2025-06-01T00:00:00+03:00"), until=None),
    ]


def test_does_not_step_below_what_is_reached() -> None:
    ladder = Ladder(rungs=DEFAULTS, basis=Basis.ROLLING, window_months=2, fall=Fall.STEP, zone=VILNIUS)
    held = Standing(rung=PLATINUM, since=at("2025-01-15T12:00:00Z"), until=at("2025-04-01T00:00:00+03:00"))
    points = earned(m2025_01=3500, m2025_03=1500)
    # March's 1,500 hold Gold until June; then it is one step again.
    assert codes(ladder.reviewed(held, points, at("2025-05-31T00:00:00Z"))) == ["gold"]
    assert codes(ladder.reviewed(held, points, at("2025-06-01T00:00:00Z"))) == ["gold", "silver"]


def test_works_out_several_missed_reviews_in_order_of_time() -> None:
    # 4,500 in January and 500 in March: Silver is left in April, and nothing from June on.
    points = earned(m2025_01=4500, m2025_03=500)
    held = Standing(rung=PLATINUM, since=at("2025-03-15T12:00:00Z"), until=at("2025-04-01T00:00:00+03:00"))
    assert ROLLING.reviewed(held, points, at("2030-01-01T00:00:00Z")) == [
        Standing(rung=SILVER, since=at("2025-04-01T00:00:00+03:00"), until=at("2025-06-01T00:00:00+03:00")),
        Standing(rung=BRONZE, since=at("2025-06-01T00:00:00+03:00"), until=None),
    ]


def test_adds_the_grace_period_to_every_step() -> None:
    ladder = Ladder(
        rungs=DEFAULTS, basis=Basis.CALENDAR, fall=Fall.STEP, grace_days=31, zone=VILNIUS
    )  # Until 1 February.
    points = earned(m2025_03=5000)
    held = ladder.climbed(Standing(), points, at("2025-03-15T12:00:00Z"))
    falls = ladder.reviewed(held, points, at("2040-01-01T00:00:00Z"))
    assert codes(falls) == ["gold", "silver", "bronze"]
    assert [fall.since for fall in falls] == [
        at("2027-02-01T00:00:00+02:00"),
        at("2028-02-01T00:00:00+02:00"),
        at("2029-02-01T00:00:00+02:00"),
    ]


def test_does_not_count_what_was_earned_after_the_missed_review() -> None:
    held = Standing(rung=GOLD, since=at("2025-01-15T12:00:00Z"), until=at("2025-04-01T00:00:00+03:00"))
    points = earned(m2025_01=1500, m2025_05=5000)
    falls = ROLLING.reviewed(held, points, at("2025-05-15T12:00:00Z"))
    assert falls == [Standing(rung=BRONZE, since=at("2025-04-01T00:00:00+03:00"), until=None)]


def test_falls_out_of_the_tiers_where_the_lowest_asks_for_points() -> None:
    ladder = Ladder(rungs=(SILVER, GOLD), basis=Basis.ROLLING, window_months=2, zone=VILNIUS)
    points = earned(m2025_01=500)
    held = ladder.started(points, at("2025-01-15T12:00:00Z"))
    fallen = ladder.current(held, points, at("2025-04-01T00:00:00+03:00"))
    assert fallen == Standing(rung=None, since=at("2025-04-01T00:00:00+03:00"), until=None)
    # And stays there since then, however often it is asked for.
    assert ladder.current(fallen, points, at("2026-04-01T00:00:00+03:00")) == fallen


def test_counts_a_tier_that_was_taken_out_by_what_it_asked_for() -> None:
    ladder = Ladder(rungs=(BRONZE, SILVER, PLATINUM), basis=Basis.ROLLING, window_months=2, zone=VILNIUS)
    held = Standing(rung=GOLD, since=at("2025-01-15T12:00:00Z"), until=at("2025-04-01T00:00:00+03:00"))
    assert ladder.progress(held, earned(m2025_01=1500), at("2025-01-15T12:00:00Z")).following == PLATINUM
    assert ladder.climbed(held, earned(m2025_01=1500), at("2025-01-16T12:00:00Z")).rung == GOLD
    assert codes(ladder.reviewed(held, earned(m2025_01=1500), at("2025-04-01T00:00:00+03:00"))) == ["bronze"]


# Points taken back


def test_falls_at_once_when_the_points_that_reached_the_tier_are_taken_back() -> None:
    held = Standing(rung=GOLD, since=at("2025-01-15T12:00:00Z"), until=at("2025-04-01T00:00:00+03:00"))
    now = at("2025-02-10T12:00:00Z")
    fallen = ROLLING.lowered(held, earned(m2025_01=1500), earned(m2025_01=1500 - 600), now)
    assert fallen == Standing(rung=SILVER, since=now, until=at("2025-04-01T00:00:00+03:00"))


def test_keeps_the_tier_for_less_long_when_it_is_still_reached() -> None:
    held = Standing(rung=SILVER, since=at("2025-01-15T12:00:00Z"), until=at("2025-06-01T00:00:00+03:00"))
    before, after = earned(m2025_01=500, m2025_03=500), earned(m2025_01=500, m2025_03=500 - 1)
    assert ROLLING.lowered(held, before, after, at("2025-03-15T12:00:00Z")) == Standing(
        rung=SILVER, since=held.since, until=at("2025-04-01T00:00:00+03:00")
    )


def test_keeps_the_tier_when_points_outside_its_window_are_taken_back() -> None:
    held = Standing(rung=SILVER, since=at("2025-03-15T12:00:00Z"), until=at("2025-06-01T00:00:00+03:00"))
    before, after = earned(m2024_01=700, m2025_03=500), earned(m2025_03=500)
    assert ROLLING.lowered(held, before, after, at("2025-03-20T12:00:00Z")) == held


def test_keeps_the_tier_in_its_grace_period_when_other_points_are_taken_back() -> None:
    ladder = Ladder(rungs=DEFAULTS, basis=Basis.ROLLING, window_months=2, grace_days=30, zone=VILNIUS)
    held = Standing(rung=GOLD, since=at("2025-01-15T12:00:00Z"), until=at("2025-05-01T00:00:00+03:00"))
    before, after = earned(m2025_01=1500, m2025_04=500), earned(m2025_01=1500)
    assert ladder.lowered(held, before, after, at("2025-04-10T12:00:00Z")) == held


def test_is_held_by_the_last_years_points_when_this_years_are_taken_back() -> None:
    held = Standing(rung=SILVER, since=at("2025-03-15T12:00:00Z"), until=at("2028-01-01T00:00:00+02:00"))
    before, after = earned(m2025_03=500, m2026_02=500), earned(m2025_03=500)
    assert CALENDAR.lowered(held, before, after, at("2026-02-20T12:00:00Z")) == Standing(
        rung=SILVER, since=held.since, until=at("2027-01-01T00:00:00+02:00")
    )


def test_falls_to_what_is_left_when_last_years_points_are_taken_back() -> None:
    held = Standing(rung=GOLD, since=at("2025-03-15T12:00:00Z"), until=at("2027-01-01T00:00:00+02:00"))
    now = at("2026-02-20T12:00:00Z")
    before, after = earned(m2025_03=1500, m2026_02=500), earned(m2025_03=1500 - 1100, m2026_02=500)
    # The year before has 400 left, this one 500.
    assert CALENDAR.lowered(held, before, after, now) == Standing(
        rung=SILVER, since=now, until=at("2028-01-01T00:00:00+02:00")
    )


# How far it is


def test_tells_how_far_the_next_tier_is() -> None:
    progress = LIFETIME.progress(Standing(rung=GOLD), ever(1500 + 350), at("2026-01-15T12:00:00Z"))
    assert (progress.rung, progress.following, progress.level) == (GOLD, PLATINUM, 3)
    assert progress.points_to_next == 5000 - 1850
    assert progress.percentage == 100 * 350 // 3500 == 10
    assert (progress.points_to_keep, progress.projected) == (0, GOLD)


def test_never_says_a_hundred_percent_before_the_next_tier_is_reached() -> None:
    progress = LIFETIME.progress(Standing(rung=BRONZE), Earned(lifetime=Decimal("499.99")), at("2026-01-15T12:00:00Z"))
    assert progress.points_to_next == Decimal("500.00") - Decimal("499.99")
    assert progress.percentage == 99
    # Nor while the tier that was reached is not yet held.
    progress = LIFETIME.progress(Standing(rung=BRONZE), ever(500), at("2026-01-15T12:00:00Z"))
    assert (progress.points_to_next, progress.percentage) == (0, 99)


def test_tells_no_next_tier_at_the_top() -> None:
    progress = LIFETIME.progress(Standing(rung=PLATINUM), ever(9000), at("2026-01-15T12:00:00Z"))
    assert (progress.following, progress.points_to_next, progress.percentage) == (None, None, 100)


def test_tells_the_way_to_the_first_tier() -> None:
    progress = Ladder(rungs=(SILVER, GOLD)).progress(Standing(), ever(125), at("2026-01-15T12:00:00Z"))
    assert (progress.rung, progress.following, progress.level) == (None, SILVER, 0)
    assert (progress.points_to_next, progress.percentage) == (500 - 125, 100 * 125 // 500)


def test_tells_what_the_next_review_of_a_rolling_window_still_asks_for() -> None:
    held = Standing(rung=GOLD, since=at("2025-01-15T12:00:00Z"), until=at("2025-04-01T00:00:00+03:00"))
    progress = ROLLING.progress(held, earned(m2025_01=1000, m2025_02=400, m2025_03=200), at("2025-03-10T12:00:00Z"))
    assert progress.points == 1000 + 400 + 200
    assert progress.points_to_next == 5000 - 1600
    # On 1 April January is out.
    assert progress.points_to_keep == 1500 - (400 + 200)
    assert progress.projected == SILVER


def test_tells_what_the_year_still_asks_for() -> None:
    held = Standing(rung=GOLD, since=at("2025-03-15T12:00:00Z"), until=at("2027-01-01T00:00:00+02:00"))
    points = earned(m2025_03=1500, m2026_02=600)
    in_its_year = CALENDAR.progress(held, points, at("2025-12-31T21:59:59Z"))
    assert (in_its_year.points, in_its_year.points_to_keep, in_its_year.projected) == (1500, 0, GOLD)
    a_year_later = CALENDAR.progress(held, points, at("2026-02-10T12:00:00Z"))
    assert (a_year_later.points, a_year_later.points_to_keep) == (600, 1500 - 600)
    assert a_year_later.projected == SILVER
    # It begins again at nothing: no less than 0 percent of the way, though 600 are fewer than Gold asks for.
    assert (a_year_later.points_to_next, a_year_later.percentage) == (5000 - 600, 0)
