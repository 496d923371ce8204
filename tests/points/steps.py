"""What the state machine may ask of the ledger: strategies for Hypothesis."""

import dataclasses
import datetime
from typing import Any

from hypothesis import strategies as st

MOMENT = datetime.timedelta(microseconds=1)
SECOND = datetime.timedelta(seconds=1)
DAY = datetime.timedelta(days=1)

POLICIES = [
    {"expiry_policy": "none"},
    {"expiry_policy": "months", "expiry_count": 1},
    {"expiry_policy": "days", "expiry_count": 30},
    {"expiry_policy": "day_of_year", "expiry_month": 2, "expiry_day": 29},
    {"expiry_policy": "end_of_month", "expiry_count": 0},
    {"expiry_policy": "end_of_quarter", "expiry_count": 1},
    {"expiry_policy": "end_of_year", "expiry_count": 0},
    {"expiry_policy": "inactivity", "expiry_count": 1},
    {"expiry_policy": "inactivity", "expiry_count": 12},
]
# What tiers are measured by, and from how many points on there is one.
SCHEMES = [
    {"basis": "lifetime"},
    {"basis": "rolling", "window_months": 1},
    {"basis": "rolling", "window_months": 1, "fall": "step"},
    {"basis": "rolling", "window_months": 3},
    {"basis": "calendar"},
]
schemes = st.sampled_from(SCHEMES)
thresholds = st.sampled_from([(0, 15, 30, 60, 120), (5, 25, 50, 100)])
policies = st.sampled_from(POLICIES)
clawbacks = st.sampled_from(["refuse", "to_zero", "negative"])
customers = st.sampled_from([0, 0, 0, 1])
# Points in units of the definition's last decimal; or that part of the balance, or a unit more than all of it.
amounts = st.integers(1, 9) | st.sampled_from(["some", "some", "half", "all", "more", "too fine"])
# How far the clock of the machine that posts is behind: nothing in most cases.
lags = st.sampled_from([0 * DAY, 0 * DAY, 0 * DAY, 0 * DAY, SECOND, 3 * DAY])
starts = st.sampled_from([None, None, None, None, -DAY, 0 * DAY, MOMENT, DAY, 3 * DAY, 29 * DAY])
ends = st.sampled_from(
    [None, None, None, 0 * DAY, MOMENT, DAY, 2 * DAY, 5 * DAY, 9 * DAY, 29 * DAY, 45 * DAY, 400 * DAY]
)
parts = st.sampled_from([None, None, 1, 3, 8, 20])
keys = st.sampled_from([None] * 9 + ["k1", "k2", "k3"])


@dataclasses.dataclass(frozen=True)
class Step:
    """One posting, as asked of both."""

    kind: str
    points: Any
    lag: datetime.timedelta = 0 * DAY
    valid_from: datetime.timedelta | None = None
    expires_at: datetime.timedelta | None = None
    target: int | None = None
    lasts: datetime.timedelta | None = None
    key: str | None = None


awards = st.builds(
    Step, kind=st.just("award"), points=st.integers(1, 60), lag=lags, valid_from=starts, expires_at=ends, key=keys
)
redemptions = st.builds(Step, kind=st.just("redeem"), points=amounts, lag=lags, key=keys)
adjustments = st.builds(
    Step, kind=st.just("adjust"), points=st.integers(1, 30) | st.integers(-9, -1) | st.just("owe"), lag=lags, key=keys
)
# As long as points start and end after they were made, so that both fall on one moment; and a little more or less.
lengths = st.sampled_from([SECOND, DAY / 24, DAY - MOMENT, DAY, DAY, 2 * DAY, 5 * DAY, 9 * DAY, 29 * DAY, 45 * DAY])
holds = st.builds(Step, kind=st.just("hold"), points=amounts, lasts=lengths, lag=lags, key=keys)
transfers = st.builds(Step, kind=st.just("transfer"), points=amounts, lag=lags, key=keys)
batches = st.lists(st.tuples(customers, awards | redemptions | adjustments | holds), min_size=1, max_size=6)
