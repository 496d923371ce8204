"""Arithmetic of local time: each expectation is written out in UTC, beside the local time that it stands for."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from points import expiry
from points.expiry import ExpiryPolicy, Policy

VILNIUS = ZoneInfo("Europe/Vilnius")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
BEIRUT = ZoneInfo("Asia/Beirut")
HAVANA = ZoneInfo("America/Havana")
ST_JOHNS = ZoneInfo("America/St_Johns")
APIA = ZoneInfo("Pacific/Apia")
UTC_ZONE = ZoneInfo("UTC")
ZONES = [VILNIUS, NEW_YORK, LORD_HOWE, KATHMANDU, SAO_PAULO, UTC_ZONE]


def at(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return moment


def end(policy: Policy, starts_at: str, zone: ZoneInfo) -> datetime:
    ends_at = expiry.end(policy=policy, starts_at=at(starts_at), zone=zone)
    assert ends_at is not None
    assert ends_at.tzinfo is UTC
    return ends_at


def months(count: int) -> Policy:
    return Policy(kind=ExpiryPolicy.MONTHS, count=count)


def days(count: int) -> Policy:
    return Policy(kind=ExpiryPolicy.DAYS, count=count)


def day_of_year(month: int, day: int) -> Policy:
    return Policy(kind=ExpiryPolicy.DAY_OF_YEAR, month=month, day=day)


def end_of_month(count: int) -> Policy:
    return Policy(kind=ExpiryPolicy.END_OF_MONTH, count=count)


def end_of_quarter(count: int) -> Policy:
    return Policy(kind=ExpiryPolicy.END_OF_QUARTER, count=count)


def end_of_year(count: int) -> Policy:
    return Policy(kind=ExpiryPolicy.END_OF_YEAR, count=count)


@pytest.mark.parametrize(
    ("policy", "zone", "starts_at", "ends_at"),
    [
        # The contract's own example.
        (months(12), UTC_ZONE, "2026-01-02T15:45:00Z", "2027-01-02T15:45:00Z"),
        # Winter to summer: 10:00+02:00 becomes 10:00+03:00; microseconds stay.
        (months(6), VILNIUS, "2025-01-15T10:00:00.000001+02:00", "2025-07-15T10:00:00.000001+03:00"),
        # Late in the evening of New York it is tomorrow in UTC: the local day decides.
        (months(1), NEW_YORK, "2025-01-31T23:30:00-05:00", "2025-02-28T23:30:00-05:00"),
        (months(1), NEW_YORK, "2025-02-01T04:30:00Z", "2025-03-01T04:30:00Z"),
        # Clamped to the month's last day, once: + 2 months is not + 1 and + 1.
        (months(1), VILNIUS, "2024-01-31T12:00:00+02:00", "2024-02-29T12:00:00+02:00"),
        (months(2), VILNIUS, "2024-01-31T12:00:00+02:00", "2024-03-31T12:00:00+03:00"),
        (months(1), VILNIUS, "2025-05-31T12:00:00+03:00", "2025-06-30T12:00:00+03:00"),
        # 29 February becomes 28, and stays 29 four years on; 2100 is a common year.
        (months(12), VILNIUS, "2024-02-29T12:00:00+02:00", "2025-02-28T12:00:00+02:00"),
        (months(48), VILNIUS, "2024-02-29T12:00:00+02:00", "2028-02-29T12:00:00+02:00"),
        (months(48), UTC_ZONE, "2096-02-29T12:00:00Z", "2100-02-28T12:00:00Z"),
        # 28 February does not become 29.
        (months(12), VILNIUS, "2023-02-28T12:00:00+02:00", "2024-02-28T12:00:00+02:00"),
        # Over the end of a year.
        (months(1), VILNIUS, "2025-12-31T23:59:59.999999+02:00", "2026-01-31T23:59:59.999999+02:00"),
        # 03:30 does not exist in Vilnius on 30 March 2025 (03:00 → 04:00): 04:30+03:00.
        (months(1), VILNIUS, "2025-02-28T03:30:00+02:00", "2025-03-28T03:30:00+02:00"),
        (months(2), VILNIUS, "2025-01-30T03:30:00+02:00", "2025-03-30T04:30:00+03:00"),
        # 03:30 exists twice in Vilnius on 26 October 2025 (04:00 → 03:00): the first, in summer time.
        (months(1), VILNIUS, "2025-09-26T03:30:00+03:00", "2025-10-26T03:30:00+03:00"),
        # The second 03:30 of that day, a month later: there is only one.
        (months(1), VILNIUS, "2025-10-26T03:30:00+02:00", "2025-11-26T03:30:00+02:00"),
        # The second 03:30 of 25 October 2015, to a day that has two again: the first.
        (months(60), VILNIUS, "2015-10-25T03:30:00+02:00", "2020-10-25T03:30:00+03:00"),
        # Lord Howe's gap is half an hour: 02:15 does not exist on 5 October 2025 (02:00 → 02:30).
        (months(1), LORD_HOWE, "2025-09-05T02:15:00+10:30", "2025-10-05T02:45:00+11:00"),
        # And 01:45 exists twice on 6 April 2025 (02:00 → 01:30): the first.
        (months(1), LORD_HOWE, "2025-03-06T01:45:00+11:00", "2025-04-06T01:45:00+11:00"),
        # No daylight saving, a quarter of an hour.
        (months(3), KATHMANDU, "2025-01-15T00:00:00+05:45", "2025-04-15T00:00:00+05:45"),
        # The day itself may be missing: Apia had no 30 December 2011.
        (months(1), APIA, "2011-11-30T09:00:00-10:00", "2011-12-31T09:00:00+14:00"),
        # 30 days keep the wall time too: not 720 hours across the change.
        (days(30), VILNIUS, "2025-03-15T10:00:00+02:00", "2025-04-14T10:00:00+03:00"),
        (days(1), VILNIUS, "2025-03-29T03:30:00+02:00", "2025-03-30T04:30:00+03:00"),
        (days(1), VILNIUS, "2025-10-25T03:30:00+03:00", "2025-10-26T03:30:00+03:00"),
        (days(1), UTC_ZONE, "2024-02-28T12:00:00Z", "2024-02-29T12:00:00Z"),
        (days(366), UTC_ZONE, "2023-12-31T12:00:00Z", "2024-12-31T12:00:00Z"),
    ],
)
def test_months_and_days_keep_the_local_wall_time(policy: Policy, zone: ZoneInfo, starts_at: str, ends_at: str) -> None:
    assert end(policy, starts_at, zone) == at(ends_at)


@pytest.mark.parametrize(
    ("policy", "zone", "starts_at", "ends_at"),
    [
        # Usable through the last day of the period: the end is the next day's first instant.
        (end_of_month(0), VILNIUS, "2025-01-15T10:00:00+02:00", "2025-02-01T00:00:00+02:00"),
        (end_of_month(0), VILNIUS, "2025-01-31T23:59:59.999999+02:00", "2025-02-01T00:00:00+02:00"),
        (end_of_month(0), VILNIUS, "2025-02-01T00:00:00+02:00", "2025-03-01T00:00:00+02:00"),
        # 23:30 UTC on 31 January is 1 February in Vilnius.
        (end_of_month(0), VILNIUS, "2025-01-31T23:30:00Z", "2025-03-01T00:00:00+02:00"),
        (end_of_month(12), VILNIUS, "2024-02-29T12:00:00+02:00", "2025-03-01T00:00:00+02:00"),
        (end_of_month(1), VILNIUS, "2024-01-31T12:00:00+02:00", "2024-03-01T00:00:00+02:00"),
        # 31 March 2024 was the day of the change: midnight after it is already +03:00.
        (end_of_month(0), VILNIUS, "2024-03-15T10:00:00+02:00", "2024-04-01T00:00:00+03:00"),
        (end_of_quarter(0), VILNIUS, "2025-01-01T00:00:00+02:00", "2025-04-01T00:00:00+03:00"),
        (end_of_quarter(0), VILNIUS, "2025-03-31T23:59:00+03:00", "2025-04-01T00:00:00+03:00"),
        (end_of_quarter(1), VILNIUS, "2025-03-31T23:59:00+03:00", "2025-07-01T00:00:00+03:00"),
        (end_of_quarter(12), VILNIUS, "2025-08-20T10:00:00+03:00", "2026-10-01T00:00:00+03:00"),
        (end_of_quarter(3), VILNIUS, "2025-09-30T10:00:00+03:00", "2026-01-01T00:00:00+02:00"),
        (end_of_year(0), VILNIUS, "2025-12-31T23:59:59+02:00", "2026-01-01T00:00:00+02:00"),
        (end_of_year(1), VILNIUS, "2025-12-31T23:59:59+02:00", "2027-01-01T00:00:00+02:00"),
        (end_of_year(12), NEW_YORK, "2026-01-01T04:30:00Z", "2027-01-01T00:00:00-05:00"),
        (end_of_year(24), KATHMANDU, "2025-06-30T10:00:00+05:45", "2028-01-01T00:00:00+05:45"),
        # Newfoundland's clock went back over midnight on 1 November 2009 (00:01 → 23:01): the day's second last hour.
        (end_of_month(0), ST_JOHNS, "2009-10-31T23:30:00-03:30", "2009-11-01T00:00:00-03:30"),
    ],
)
def test_the_end_of_a_period_is_the_first_instant_after_its_last_local_day(
    policy: Policy, zone: ZoneInfo, starts_at: str, ends_at: str
) -> None:
    assert end(policy, starts_at, zone) == at(ends_at)


@pytest.mark.parametrize(
    ("policy", "zone", "starts_at", "ends_at"),
    [
        # Usable through 30 June.
        (day_of_year(6, 30), VILNIUS, "2025-06-29T23:59:59+03:00", "2025-07-01T00:00:00+03:00"),
        # Awarded on the very day: next year's.
        (day_of_year(6, 30), VILNIUS, "2025-06-30T00:00:00+03:00", "2026-07-01T00:00:00+03:00"),
        (day_of_year(6, 30), VILNIUS, "2025-07-01T00:00:00+03:00", "2026-07-01T00:00:00+03:00"),
        # 22:00 UTC on 29 June is 30 June in Vilnius.
        (day_of_year(6, 30), VILNIUS, "2025-06-29T22:00:00Z", "2026-07-01T00:00:00+03:00"),
        (day_of_year(12, 31), VILNIUS, "2025-12-30T12:00:00+02:00", "2026-01-01T00:00:00+02:00"),
        (day_of_year(12, 31), VILNIUS, "2025-12-31T12:00:00+02:00", "2027-01-01T00:00:00+02:00"),
        (day_of_year(1, 1), VILNIUS, "2025-12-31T12:00:00+02:00", "2026-01-02T00:00:00+02:00"),
        # 29 February is 28 in common years, and then that is the very day.
        (day_of_year(2, 29), UTC_ZONE, "2024-02-28T12:00:00Z", "2024-03-01T00:00:00Z"),
        (day_of_year(2, 29), UTC_ZONE, "2024-02-29T12:00:00Z", "2025-03-01T00:00:00Z"),
        (day_of_year(2, 29), UTC_ZONE, "2025-02-27T12:00:00Z", "2025-03-01T00:00:00Z"),
        (day_of_year(2, 29), UTC_ZONE, "2025-02-28T12:00:00Z", "2026-03-01T00:00:00Z"),
        (day_of_year(2, 29), UTC_ZONE, "2027-02-28T12:00:00Z", "2028-03-01T00:00:00Z"),
        # Usable through 28 February of a leap year: the 29th is the day after.
        (day_of_year(2, 28), UTC_ZONE, "2024-02-01T12:00:00Z", "2024-02-29T00:00:00Z"),
    ],
)
def test_a_day_of_the_year_is_the_next_one_and_usable_through_it(
    policy: Policy, zone: ZoneInfo, starts_at: str, ends_at: str
) -> None:
    assert end(policy, starts_at, zone) == at(ends_at)


@pytest.mark.parametrize("policy", [Policy(kind="none"), Policy(kind="inactivity", count=6)])
def test_none_and_inactivity_have_no_fixed_end(policy: Policy) -> None:
    assert expiry.end(policy=policy, starts_at=at("2025-01-15T10:00:00Z"), zone=VILNIUS) is None


@pytest.mark.parametrize(
    ("last_activity_at", "starts_at", "ends_at"),
    [
        # Activity on 31 August + 6 months: 28 February.
        ("2025-08-31T10:00:00+03:00", "2025-01-15T10:00:00+02:00", "2026-02-28T10:00:00+02:00"),
        # A lot that starts later than the last activity counts from its start; so does one without any.
        ("2025-01-15T10:00:00+02:00", "2025-08-31T10:00:00+03:00", "2026-02-28T10:00:00+02:00"),
        (None, "2025-08-31T10:00:00+03:00", "2026-02-28T10:00:00+02:00"),
    ],
)
def test_inactivity_counts_from_the_later_of_activity_and_start(
    last_activity_at: str | None, starts_at: str, ends_at: str
) -> None:
    answer = expiry.inactivity_end(
        last_activity_at=None if last_activity_at is None else at(last_activity_at),
        starts_at=at(starts_at),
        months=6,
        zone=VILNIUS,
    )
    assert answer == at(ends_at)


@pytest.mark.parametrize(
    ("zone", "day", "starts_at", "ends_at"),
    [
        (UTC_ZONE, "2025-01-15", "2025-01-15T00:00:00Z", "2025-01-16T00:00:00Z"),
        # 23 and 25 hours.
        (VILNIUS, "2025-03-30", "2025-03-29T22:00:00Z", "2025-03-30T21:00:00Z"),
        (VILNIUS, "2025-10-26", "2025-10-25T21:00:00Z", "2025-10-26T22:00:00Z"),
        # No midnight: 00:00 → 01:00 on 4 November 2018 in São Paulo, 31 March 2024 in Beirut.
        (SAO_PAULO, "2018-11-03", "2018-11-03T00:00:00-03:00", "2018-11-04T01:00:00-02:00"),
        (SAO_PAULO, "2018-11-04", "2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"),
        (BEIRUT, "2024-03-31", "2024-03-31T01:00:00+03:00", "2024-04-01T00:00:00+03:00"),
        # 23:00 to midnight twice: 18 February 2018, 00:00 → 23:00 in São Paulo.
        (SAO_PAULO, "2018-02-17", "2018-02-17T00:00:00-02:00", "2018-02-18T00:00:00-03:00"),
        # Midnight twice: 01:00 → 00:00 on 3 November 2024 in Havana. The day begins at the first.
        (HAVANA, "2024-11-02", "2024-11-02T00:00:00-04:00", "2024-11-03T00:00:00-04:00"),
        (HAVANA, "2024-11-03", "2024-11-03T00:00:00-04:00", "2024-11-04T00:00:00-05:00"),
        # A day that never was is empty.
        (APIA, "2011-12-30", "2011-12-31T00:00:00+14:00", "2011-12-31T00:00:00+14:00"),
    ],
)
def test_a_day_is_from_its_first_instant_to_the_next_ones(
    zone: ZoneInfo, day: str, starts_at: str, ends_at: str
) -> None:
    assert expiry.start_of_day(day=date.fromisoformat(day), zone=zone) == at(starts_at)
    assert expiry.end_of_day(day=date.fromisoformat(day), zone=zone) == at(ends_at)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "weeks", "count": 1}, "kind"),
        ({"kind": "months"}, "count"),
        ({"kind": "months", "count": 1201}, "count"),
        ({"kind": "days", "count": 0}, "count"),
        ({"kind": "inactivity", "count": 0}, "count"),
        ({"kind": "end_of_month", "count": -1}, "count"),
        ({"kind": "end_of_year", "count": 1201}, "count"),
        ({"kind": "day_of_year", "day": 1}, "month"),
        ({"kind": "day_of_year", "month": 13, "day": 1}, "month"),
        ({"kind": "day_of_year", "month": 2, "day": 30}, "day"),
        ({"kind": "day_of_year", "month": 4, "day": 0}, "day"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_on_its_field(fields: dict[str, int | str], wrong: str) -> None:
    with pytest.raises(expiry.InvalidPolicy) as refused:
        Policy(**fields)  # type: ignore[arg-type]
    assert refused.value.field == wrong


def test_a_policy_takes_its_limits_and_ignores_what_its_kind_does_not_use() -> None:
    Policy(kind="months", count=1)
    Policy(kind="months", count=1200)
    Policy(kind="end_of_month", count=0)
    Policy(kind="day_of_year", month=2, day=29, count=9999)
    Policy(kind="none", count=-1, month=99)


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize(
    "policy", [months(1200), days(1200), day_of_year(1, 1), end_of_month(1200), end_of_year(1200)], ids=str
)
@pytest.mark.parametrize("starts_at", ["9999-12-31T23:59:59.999999Z", "9998-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_years_out_of_range_are_refused(policy: Policy, zone: ZoneInfo, starts_at: str) -> None:
    with pytest.raises(expiry.OutOfRange):
        expiry.end(policy=policy, starts_at=at(starts_at), zone=zone)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_days_out_of_range_are_refused_and_the_outermost_ones_answered(zone: ZoneInfo) -> None:
    for day in (date.min, date.max):
        with pytest.raises(expiry.OutOfRange):
            expiry.start_of_day(day=day, zone=zone)
        with pytest.raises(expiry.OutOfRange):
            expiry.end_of_day(day=day, zone=zone)
    assert expiry.start_of_day(day=date(2, 1, 1), zone=zone) < expiry.end_of_day(day=date(9998, 12, 31), zone=zone)


@pytest.mark.parametrize("count", [0, -1, 1201])
def test_months_out_of_range_are_refused(count: int) -> None:
    with pytest.raises(expiry.OutOfRange):
        expiry.add_months(moment=at("2025-01-15T10:00:00Z"), months=count, zone=VILNIUS)


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        expiry.add_months(moment=datetime.fromisoformat("2025-01-15"), months=1, zone=VILNIUS)
