"""What holds for every moment and every policy, and that Postgres adds months as Python does."""

import calendar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from points import expiry
from points.expiry import ExpiryPolicy, Policy

VILNIUS = ZoneInfo("Europe/Vilnius")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
ZONES = [VILNIUS, NEW_YORK, LORD_HOWE, SAO_PAULO, ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")]


def changes_of_the_clock(zone: ZoneInfo) -> list[datetime]:
    """The moments, to the half hour, at which this zone's offset changed from 2000 to 2035."""
    found = []
    for number in range(36 * 365):
        day = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=number)
        if day.astimezone(zone).utcoffset() != (day + timedelta(days=1)).astimezone(zone).utcoffset():
            halves = [day + timedelta(minutes=30 * half) for half in range(49)]
            offsets = [half.astimezone(zone).utcoffset() for half in halves]
            found += [halves[n] for n in range(1, 49) if offsets[n] != offsets[n - 1]]
    return found


CHANGES = {zone: changes_of_the_clock(zone) for zone in ZONES}
ANY_MOMENT = st.timedeltas(timedelta(0), timedelta(days=36 * 365)).map(datetime(2000, 1, 1, tzinfo=UTC).__add__)
# Two hours to both sides reach over every gap and every repeated hour.
AROUND_A_CHANGE = st.timedeltas(timedelta(hours=-2), timedelta(hours=2))
LATER = st.timedeltas(timedelta(0), timedelta(days=400))


@st.composite
def moments(draw: st.DrawFn, zone: ZoneInfo) -> datetime:
    """Any moment from 2000 to 2035, every other one near a change of the zone's clock."""
    near_a_change: bool = draw(st.booleans())
    if near_a_change and CHANGES[zone]:
        change: datetime = draw(st.sampled_from(CHANGES[zone]))
        around: timedelta = draw(AROUND_A_CHANGE)
        return change + around
    moment: datetime = draw(ANY_MOMENT)
    return moment


@st.composite
def months_that_land(draw: st.DrawFn) -> tuple[datetime, int, ZoneInfo]:
    """A moment, months and a zone, where the moment or the one that many months later is often near a change."""
    zone = draw(st.sampled_from(ZONES))
    count = draw(st.integers(1, 60))
    moment = draw(moments(zone))
    if draw(st.booleans()):
        landing = moment.astimezone(zone)
        year, month_before = divmod(landing.year * 12 + landing.month - 1 - count, 12)
        day = min(landing.day, calendar.monthrange(year, month_before + 1)[1])
        moment = landing.replace(year=year, month=month_before + 1, day=day).astimezone(UTC)
    return moment, count, zone


WALL_TIME_POLICIES = st.builds(
    Policy, kind=st.sampled_from([ExpiryPolicy.MONTHS, ExpiryPolicy.DAYS]), count=st.integers(1, expiry.MAX_COUNT)
)
END_OF_PERIOD_POLICIES = st.builds(
    Policy,
    kind=st.sampled_from([ExpiryPolicy.END_OF_MONTH, ExpiryPolicy.END_OF_QUARTER, ExpiryPolicy.END_OF_YEAR]),
    count=st.integers(0, expiry.MAX_COUNT),
)
DAY_OF_YEAR_POLICIES = st.dates(date(2000, 1, 1), date(2000, 12, 31)).map(
    lambda day: Policy(kind=ExpiryPolicy.DAY_OF_YEAR, month=day.month, day=day.day)
)
WHOLE_DAY_POLICIES = END_OF_PERIOD_POLICIES | DAY_OF_YEAR_POLICIES


@given(st.data(), st.sampled_from(ZONES), WALL_TIME_POLICIES | WHOLE_DAY_POLICIES)
def test_an_end_is_always_after_its_start(data: st.DataObject, zone: ZoneInfo, policy: Policy) -> None:
    starts_at = data.draw(moments(zone))
    ends_at = expiry.end(policy=policy, starts_at=starts_at, zone=zone)
    assert ends_at is not None
    assert ends_at > starts_at


@given(st.data(), st.sampled_from(ZONES), WALL_TIME_POLICIES | WHOLE_DAY_POLICIES, LATER)
def test_a_later_start_never_ends_on_an_earlier_local_day(
    data: st.DataObject, zone: ZoneInfo, policy: Policy, later: timedelta
) -> None:
    # Of the day, not of the moment: 29 January 23:00 and 30 January 01:00 both become 28 February, 23:00 and 01:00.
    starts_at = data.draw(moments(zone))
    ends_at = expiry.end(policy=policy, starts_at=starts_at, zone=zone)
    ends_at_later = expiry.end(policy=policy, starts_at=starts_at + later, zone=zone)
    assert ends_at is not None
    assert ends_at_later is not None
    assert ends_at.astimezone(zone).date() <= ends_at_later.astimezone(zone).date()


@given(st.data(), st.sampled_from(ZONES), WHOLE_DAY_POLICIES)
def test_a_whole_day_ends_where_the_next_one_begins(data: st.DataObject, zone: ZoneInfo, policy: Policy) -> None:
    ends_at = expiry.end(policy=policy, starts_at=data.draw(moments(zone)), zone=zone)
    assert ends_at is not None
    assert ends_at == expiry.start_of_day(day=ends_at.astimezone(zone).date(), zone=zone)


@given(months_that_land())
def test_one_month_more_always_ends_later(case: tuple[datetime, int, ZoneInfo]) -> None:
    moment, count, zone = case
    ends_at = expiry.add_months(moment=moment, months=count, zone=zone)
    assert ends_at < expiry.add_months(moment=moment, months=count + 1, zone=zone)


@given(months_that_land())
def test_the_wall_time_is_kept_or_does_not_exist(case: tuple[datetime, int, ZoneInfo]) -> None:
    moment, count, zone = case
    ends_at = expiry.add_months(moment=moment, months=count, zone=zone)
    wall, wall_at_end = (when.astimezone(zone).time().replace(fold=0) for when in (moment, ends_at))
    if wall != wall_at_end:
        # Forward by the gap: read as local time, the wanted time still means this moment.
        assert wall < wall_at_end
        assert datetime.combine(ends_at.astimezone(zone).date(), wall, zone).astimezone(UTC) == ends_at


def months_after_in_postgres(moment: datetime | None, count: int, zone: ZoneInfo) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT points_months_after(%s, %s, %s)", [moment, count, zone.key])
        row: tuple[datetime | None] = cursor.fetchone()
    return row[0]


@settings(max_examples=500, deadline=None)
@given(months_that_land())
# Vilnius: into the gap, into the repeated hour, out of its second half into another. Lord Howe: both, by half an hour.
@example((datetime.fromisoformat("2025-01-30T03:30:00+02:00"), 2, VILNIUS))
@example((datetime.fromisoformat("2025-09-26T03:30:00+03:00"), 1, VILNIUS))
@example((datetime.fromisoformat("2015-10-25T03:30:00+02:00"), 60, VILNIUS))
@example((datetime.fromisoformat("2025-09-05T02:15:00+10:30"), 1, LORD_HOWE))
@example((datetime.fromisoformat("2025-03-06T01:45:00+11:00"), 1, LORD_HOWE))
# São Paulo: 23:30 twice on 17 February 2018, no midnight on 4 November 2018.
@example((datetime.fromisoformat("2018-01-17T23:30:00-02:00"), 1, SAO_PAULO))
@example((datetime.fromisoformat("2018-10-04T00:00:00-03:00"), 1, SAO_PAULO))
@example((datetime.fromisoformat("2024-01-31T12:00:00.000001+02:00"), 1, VILNIUS))
@example((datetime.fromisoformat("2024-02-29T12:00:00-05:00"), 12, NEW_YORK))
def test_postgres_adds_months_alike(case: tuple[datetime, int, ZoneInfo]) -> None:
    moment, count, zone = case
    assert months_after_in_postgres(moment, count, zone) == expiry.add_months(moment=moment, months=count, zone=zone)


def test_postgres_answers_null_for_null() -> None:
    assert months_after_in_postgres(None, 1, VILNIUS) is None
