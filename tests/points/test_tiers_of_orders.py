"""A purchase and its refunds leave the tier where it was, also one that nothing in its window backs any more."""

import datetime
from decimal import Decimal

import pytest

from points import statements
from points.models import AccountRef
from tests.points.test_orders import place, refund
from tests.points.test_tiers import give_tiers, on
from tests.points.till import Till


def tier_of(till: Till, at: datetime.datetime) -> tuple[str, datetime.datetime | None]:
    tier = statements.balance(account=till.account, at=at).tier
    assert tier is not None
    assert tier.rung is not None
    return tier.rung.code, tier.until


@pytest.mark.parametrize("total", ["200", "400"])
def test_leaves_a_tier_in_its_grace_period_where_it_was(account: AccountRef, total: str) -> None:
    give_tiers(account.program, basis="rolling", window_months=2, grace_days=30)
    till = Till(account)
    till.award(500, at=on("2026-03-10"))
    before = tier_of(till, on("2026-06-10"))
    assert before == ("silver", on("2026-07-01T00:00:00Z"))
    place(account, "77", total, at=on("2026-06-10"))
    for number in (1, 2):
        refund(account, "77", str(Decimal(total) / 2), at=on("2026-06-11"))
        if number == 2:
            assert tier_of(till, on("2026-06-11")) == before
    assert tier_of(till, on("2026-07-01T00:00:00Z"))[0] == "bronze"


def test_leaves_a_tier_that_fell_one_step_where_it_was(account: AccountRef) -> None:
    give_tiers(account.program, basis="rolling", window_months=2, fall="step")
    till = Till(account)
    till.award(5000, at=on("2026-03-10"))
    before = tier_of(till, on("2026-06-10"))
    assert before == ("gold", on("2026-07-01T00:00:00Z"))
    place(account, "77", "1000", at=on("2026-06-10"))
    refund(account, "77", "500", at=on("2026-06-11"))
    refund(account, "77", None, at=on("2026-06-12"))
    assert tier_of(till, on("2026-06-12")) == before


def test_leaves_a_tier_where_it_was_that_other_points_held_when_the_order_came(account: AccountRef) -> None:
    give_tiers(account.program, basis="rolling", window_months=2, grace_days=30)
    till = Till(account)
    till.award(500, at=on("2026-03-10"))
    before = tier_of(till, on("2026-05-10"))
    place(account, "77", "300", at=on("2026-05-10"))
    # In June, March counts no more; without the order the tier would be in its grace period.
    refund(account, "77", None, at=on("2026-06-12"))
    assert tier_of(till, on("2026-06-12")) == before
