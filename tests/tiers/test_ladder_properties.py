"""What holds for every ladder and whatever was earned."""

import dataclasses
import itertools
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tiers.ladder import Basis, Earned, Fall, Ladder, Rung, Standing

ZONES = [ZoneInfo("Europe/Vilnius"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")]
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=6 * 365)).map(datetime(2020, 1, 1, tzinfo=UTC).__add__)
POINTS = st.decimals(0, 6000, places=2)
LATER = st.timedeltas(timedelta(0), timedelta(days=5 * 365))


@st.composite
def ladders(draw: st.DrawFn, bases: tuple[Basis, ...] = tuple(Basis)) -> Ladder:
    """Up to five tiers, where the lowest is often at nothing."""
    thresholds = draw(st.lists(st.integers(0, 5000) | st.just(0), min_size=1, max_size=5, unique=True))
    return Ladder(
        rungs=tuple(
            Rung(
                id=uuid.UUID(int=number),
                code=f"tier-{number}",
                name=f"Tier {number}",
                threshold=Decimal(threshold),
                multiplier=Decimal(1),
            )
            for number, threshold in enumerate(sorted(thresholds))
        ),
        basis=draw(st.sampled_from(bases)),
        window_months=draw(st.integers(1, 24)),
        grace_days=draw(st.sampled_from([0, 1, 30, 31, 366]) | st.integers(0, 366)),
        fall=draw(st.sampled_from(Fall)),
        zone=draw(st.sampled_from(ZONES)),
    )


WINDOWED = ladders(bases=(Basis.ROLLING, Basis.CALENDAR))


@st.composite
def awards(draw: st.DrawFn, last_at: datetime) -> list[tuple[datetime, Decimal]]:
    """Moments up to the last one, in order of time, and what was earned at each."""
    moments = draw(st.lists(MOMENTS.filter(lambda moment: moment <= last_at), max_size=6))
    return [(moment, draw(POINTS)) for moment in sorted([*moments, last_at])]


def plus(earned: Earned, month: int, points: Decimal) -> Earned:
    by_month = {**earned.by_month, month: earned.by_month.get(month, Decimal(0)) + points}
    return Earned(lifetime=earned.lifetime + points, by_month=by_month)


def lived(ladder: Ladder, history: list[tuple[datetime, Decimal]]) -> tuple[Standing, Earned]:
    """The standing of a customer who earned this, each time after the falls that were due."""
    standing, earned = Standing(), Earned()
    for moment, points in history:
        standing = ladder.current(standing, earned, moment)
        earned = plus(earned, ladder.month(moment), points)
        standing = ladder.climbed(standing, earned, moment)
    return standing, earned


def rank(standing: Standing) -> Decimal:
    return standing.rung.threshold if standing.rung else Decimal(-1)


@st.composite
def customers(draw: st.DrawFn, of: st.SearchStrategy[Ladder]) -> tuple[Ladder, Standing, Earned, datetime]:
    """A ladder and somebody who climbed and fell on it until that moment."""
    ladder = draw(of)
    last_at = draw(MOMENTS)
    standing, earned = lived(ladder, draw(awards(last_at)))
    return ladder, standing, earned, last_at


@given(customers(ladders()), st.lists(LATER, min_size=1, max_size=5))
def test_comes_to_the_same_in_one_jump_as_review_by_review(
    customer: tuple[Ladder, Standing, Earned, datetime], waits: list[timedelta]
) -> None:
    ladder, standing, earned, now = customer
    stepwise = standing
    for wait in sorted(waits):
        stepwise = ladder.current(stepwise, earned, now + wait)
    assert ladder.current(standing, earned, now + max(waits)) == stepwise


@given(customers(WINDOWED), LATER)
def test_reviews_the_same_falls_whether_asked_for_all_at_once_or_one_at_a_time(
    customer: tuple[Ladder, Standing, Earned, datetime], wait: timedelta
) -> None:
    ladder, standing, earned, now = customer
    one_at_a_time: list[Standing] = []
    while standing.until is not None and standing.until <= now + wait:
        fallen = ladder.reviewed(standing, earned, standing.until)
        assert len(fallen) == 1
        one_at_a_time += fallen
        standing = fallen[0]
    _, first, _, _ = customer
    assert ladder.reviewed(first, earned, now + wait) == one_at_a_time


@given(customers(ladders()))
def test_ends_a_tier_in_the_future_and_never_one_that_asks_for_nothing(
    customer: tuple[Ladder, Standing, Earned, datetime],
) -> None:
    ladder, standing, earned, now = customer
    for held in [standing, *ladder.reviewed(standing, earned, now + timedelta(days=3650))]:
        start = now if held is standing else held.since
        assert start is not None
        assert held.until is None or held.until > start
        if ladder.basis == Basis.LIFETIME or held.rung is None or held.rung.threshold == 0:
            assert held.until is None
        else:
            assert held.until is not None


@given(customers(WINDOWED))
def test_falls_at_the_end_of_a_tier_and_not_a_moment_before(
    customer: tuple[Ladder, Standing, Earned, datetime],
) -> None:
    ladder, standing, earned, _ = customer
    for _ in range(len(ladder.rungs)):
        if standing.until is None:
            break
        assert ladder.reviewed(standing, earned, standing.until - timedelta(microseconds=1)) == []
        (fallen,) = ladder.reviewed(standing, earned, standing.until)
        assert rank(fallen) < rank(standing)
        assert fallen.since == standing.until
        standing = fallen
    # Whoever earns nothing more ends at what costs nothing.
    assert rank(standing) <= 0


@given(customers(WINDOWED))
def test_steps_down_one_tier_at_a_time_where_the_programme_says_so(
    customer: tuple[Ladder, Standing, Earned, datetime],
) -> None:
    ladder, standing, earned, now = customer
    ladder = dataclasses.replace(ladder, fall=Fall.STEP)
    falls = ladder.reviewed(standing, earned, now + timedelta(days=20 * 366))
    ranks = [ladder.rungs.index(held.rung) if held.rung else -1 for held in [standing, *falls]]
    assert all(before - after == 1 for before, after in itertools.pairwise(ranks))


@given(customers(ladders()), POINTS, POINTS)
def test_climbs_no_lower_for_more_points(
    customer: tuple[Ladder, Standing, Earned, datetime], points: Decimal, more: Decimal
) -> None:
    ladder, standing, earned, now = customer
    month = ladder.month(now)
    few = ladder.climbed(standing, plus(earned, month, points), now)
    many = ladder.climbed(standing, plus(earned, month, points + more), now)
    assert rank(standing) <= rank(few) <= rank(many)
    if few.rung == many.rung and few.until is not None:
        assert many.until is not None
        assert few.until <= many.until


@given(customers(ladders()), st.data())
def test_holds_no_more_after_points_were_taken_back_and_falls_for_nothing_else(
    customer: tuple[Ladder, Standing, Earned, datetime], data: st.DataObject
) -> None:
    ladder, standing, earned, now = customer
    month = data.draw(st.sampled_from(sorted(earned.by_month)))
    taken = data.draw(st.decimals(0, earned.by_month[month], places=2))
    after = plus(earned, month, -taken)
    lowered = ladder.lowered(standing, earned, after, now)
    assert rank(lowered) <= rank(standing)
    assert lowered.until is None or lowered.until > now
    if not taken:
        assert lowered == standing
    if ladder.basis == Basis.LIFETIME:
        assert lowered.rung == ladder.reached(after.lifetime)


@given(customers(ladders()))
def test_tells_a_way_that_leads_to_the_next_tier(customer: tuple[Ladder, Standing, Earned, datetime]) -> None:
    ladder, standing, earned, now = customer
    progress = ladder.progress(standing, earned, now)
    assert progress.points >= 0
    assert progress.points_to_keep >= 0
    assert 0 <= progress.percentage <= 100
    if progress.following is None:
        assert standing.rung == ladder.rungs[-1]
        return
    assert progress.percentage < 100
    assert progress.points_to_next is not None
    there = ladder.climbed(standing, plus(earned, ladder.month(now), progress.points_to_next), now)
    assert there.rung == progress.following


@given(customers(WINDOWED))
def test_keeps_the_tier_over_the_next_review_with_the_points_to_keep(
    customer: tuple[Ladder, Standing, Earned, datetime],
) -> None:
    ladder, standing, earned, now = customer
    ladder = dataclasses.replace(ladder, grace_days=0)
    standing = ladder.climbed(standing, earned, now)
    enough = plus(earned, ladder.month(now), ladder.progress(standing, earned, now).points_to_keep)
    # The next month, or the next year. They may have lifted the customer to a tier that falls at once; to this one.
    local = now.astimezone(ladder.zone)
    if ladder.basis == Basis.CALENDAR:
        review = datetime(local.year + 1, 1, 1, tzinfo=ladder.zone)
    else:
        review = datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=ladder.zone)
    kept = ladder.current(ladder.climbed(standing, enough, now), enough, review)
    assert rank(kept) >= rank(standing)
    assert kept.until is None or kept.until > review
