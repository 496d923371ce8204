"""A hold that lapses has its place among the reviews of a tier."""

from decimal import Decimal

import pytest

from loyalty.models import Program
from points import ledger
from tests.factories import make_account
from tests.points.test_tiers import Change, change_tiers, changes, give_tiers, on
from tests.points.till import Till, breaches


@pytest.fixture
def till(program: Program) -> Till:
    give_tiers(program, at=on("2026-01-01"), basis="rolling", window_months=2)
    return Till(make_account(program))


def test_tier_falls_by_the_ladder_of_its_time_before_a_hold_lapses(program: Program, till: Till) -> None:
    award = till.award(600, at=on("2026-03-10"))
    lasts = on("2026-06-10") - on("2026-03-10")
    till.post(ledger.hold, points=Decimal(10), lasts=lasts, at=on("2026-03-10"))
    change_tiers(program, at=on("2026-06-05"), basis="lifetime", window_months=0)
    till.settle(on("2026-06-15"))
    assert till.entries()[-1].effective_at == on("2026-06-10")
    assert changes(till) == [
        Change("bronze", "silver", award.version, on("2026-03-10")),
        Change("silver", "bronze", None, on("2026-06-01T00:00:00Z")),
        Change("bronze", "silver", None, on("2026-06-10")),
    ]
    assert breaches(program) == set()
