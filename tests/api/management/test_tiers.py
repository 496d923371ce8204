"""Where the management face tells a customer's tier: by its code, and by the clock.

Bronze from 0 points, Silver from 500, Gold from 1,500, Platinum from 5,000.
"""

import datetime
import secrets
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from loyalty.models import Program
from points import rules
from points.models import PointDefinition, TierChange
from tests.api.management.till import Till, data
from tests.factories import CardFactory, CustomerFactory, make_definition
from tiers.models import Tier, TierScheme

MARCH = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
KEEPING = ("points_to_keep_tier", "projected_tier", "tier_until")
UNKNOWN = {"current_tier": None, "points_to_next_tier": None, "next_tier": None}


def tier_info(till: Till, **query: str) -> dict[str, Any]:
    """The tier and the way to the next."""
    told = data(till.get(f"points/balance/{till.card_id}", **query), 200)["tier_info"]
    return {name: fact for name, fact in told.items() if name not in KEEPING}


def tier(till: Till) -> str | None:
    return data(till.get(f"loyalty-cards/{till.card_id}"), 200)["tier"]


def change_tiers(program: Program, **scheme: Any) -> None:
    TierScheme.objects.filter(program=program).update(**scheme)
    rules.publish(program=program, by="test")


def another(till: Till, name: str) -> Till:
    return Till(till.program, CardFactory(customer=CustomerFactory(program=till.program, name=name)))


class TestBalance:
    def test_tells_what_keeps_the_tier_and_what_becomes_of_it(self, program: Program, till: Till) -> None:
        def keeping() -> tuple[Any, ...]:
            told = data(till.get(f"points/balance/{till.card_id}"), 200)["tier_info"]
            return tuple(told[name] for name in KEEPING)

        change_tiers(program, basis="rolling", window_months=1, fall="step")
        with time_machine.travel(MARCH, tick=False) as clock:
            till.award(1600)
            # March counts in April, too.
            assert keeping() == (0, "gold", "2026-05-01T00:00:00Z")
            clock.move_to(datetime.datetime(2026, 4, 10, 12, tzinfo=datetime.UTC))
            till.award(100)
            assert keeping() == (1500 - 100, "silver", "2026-05-01T00:00:00Z")

    @pytest.mark.parametrize(
        ("points", "current", "missing", "following"),
        [
            (1, "bronze", 500 - 1, "silver"),
            (499, "bronze", 500 - 499, "silver"),
            (500, "silver", 1500 - 500, "gold"),
            (4999, "gold", 5000 - 4999, "platinum"),
            (5000, "platinum", None, None),
        ],
    )
    def test_tells_the_tier_and_what_is_missing_to_the_next(
        self, till: Till, points: int, current: str, missing: int | None, following: str | None
    ) -> None:
        till.award(points)
        told = {"current_tier": current, "points_to_next_tier": missing, "next_tier": following}
        assert tier_info(till) == told
        till.redeem(1)
        assert tier_info(till) == told

    def test_tells_the_tier_as_of_a_moment(self, till: Till) -> None:
        with time_machine.travel(MARCH, tick=False) as clock:
            till.award(100)
            clock.shift(datetime.timedelta(days=5))
            till.award(500)
            silver = {"current_tier": "silver", "points_to_next_tier": 1500 - 600, "next_tier": "gold"}
            assert tier_info(till) == silver
            assert tier_info(till, as_of="2026-03-14") == {
                "current_tier": "bronze",
                "points_to_next_tier": 500 - 100,
                "next_tier": "silver",
            }
            assert tier_info(till, as_of="2026-03-15T12:00:00Z") == silver

    def test_works_a_fall_out_and_writes_nothing(self, till: Till) -> None:
        change_tiers(till.program, basis="rolling", window_months=2)
        with time_machine.travel(MARCH, tick=False) as clock:
            till.award(600)
            assert tier_info(till)["current_tier"] == "silver"
            clock.move_to(datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC))
            assert (tier_info(till)["current_tier"], tier(till)) == ("bronze", "bronze")
            assert TierChange.objects.filter(program=till.program).count() == 1

    def test_tells_nulls_where_the_programme_has_no_tiers(self, till: Till) -> None:
        Tier.objects.filter(program=till.program).delete()
        rules.publish(program=till.program, by="test")
        till.award(600)
        assert (tier_info(till), tier(till)) == (UNKNOWN, None)

    def test_tells_the_customers_tier_whichever_points_are_asked_for(self, till: Till) -> None:
        make_definition(till.program, code="stamps")
        till.award(600)
        assert tier_info(till, definition="stamps") == tier_info(till)
        assert tier_info(till, definition="stamps", as_of="2020-01-01")["current_tier"] == "bronze"


class TestCard:
    def test_tells_the_tier(self, till: Till) -> None:
        assert tier(till) == "bronze"
        till.award(1500)
        assert tier(till) == "gold"

    def test_tells_the_tier_also_where_other_points_than_the_cards_count(self, till: Till) -> None:
        PointDefinition.objects.filter(program=till.program).update(counts_for_tiers=False)
        make_definition(till.program, code="status", counts_for_tiers=True)
        till.award(500)
        assert tier(till) == "bronze"
        till.award(500, definition="status")
        assert tier(till) == "silver"
        assert names(till, "silver") == ["Alice"]

    def test_tells_none_where_no_points_count(self, till: Till) -> None:
        PointDefinition.objects.filter(program=till.program).update(counts_for_tiers=False)
        till.award(500)
        assert (tier(till), names(till, "bronze"), names(till, "silver")) == (None, [], [])


def names(till: Till, code: str, **query: Any) -> list[str]:
    told = data(till.get("loyalty-cards", tier=code, **query), 200)
    assert told["pagination"]["total"] == len(told["cards"])
    return sorted(card["customer_name"] for card in told["cards"])


@pytest.mark.parametrize("basis", ["lifetime", "rolling", "calendar"])
class TestList:
    @pytest.fixture
    def bob(self, till: Till, basis: str) -> Till:
        """Alice has earned 500 points and spent them; Bob 1,500; Carol nothing."""
        change_tiers(till.program, basis=basis, window_months=2)
        bob = another(till, "Bob")
        another(till, "Carol")
        with time_machine.travel(MARCH, tick=False):
            till.award(500)
            till.redeem(500)
            bob.award(1500)
        return bob

    def test_selects_by_tier(self, till: Till, bob: Till) -> None:
        with time_machine.travel(MARCH, tick=False):
            assert names(till, "bronze") == ["Carol"]
            assert names(till, "silver") == ["Alice"]
            assert names(till, "gold") == ["Bob"]
            assert names(till, "platinum") == names(till, "nonsense") == []
            assert names(till, "silver", sort="points_balance:desc", status="active") == ["Alice"]
            assert names(till, "bronze", sort="last_activity:desc") == ["Carol"]

    def test_knows_points_that_have_started_since(self, till: Till, bob: Till) -> None:
        with time_machine.travel(MARCH, tick=False) as clock:
            till.award(1000, valid_from="2026-03-12", expires_at="2026-03-13")
            assert names(till, "silver") == ["Alice"]
            clock.move_to(datetime.datetime(2026, 3, 12, tzinfo=datetime.UTC))
            assert names(till, "gold") == ["Alice", "Bob"]
            # What ended was earned all the same.
            clock.move_to(datetime.datetime(2026, 3, 14, tzinfo=datetime.UTC))
            assert names(till, "gold") == ["Alice", "Bob"]
            assert names(till, "silver") == []

    def test_knows_a_customer_to_whom_only_points_in_advance_were_given(self, till: Till, bob: Till) -> None:
        dave = another(till, "Dave")
        with time_machine.travel(MARCH, tick=False) as clock:
            dave.award(500, valid_from="2026-03-12")
            assert names(till, "bronze") == ["Carol", "Dave"]
            clock.move_to(datetime.datetime(2026, 3, 12, tzinfo=datetime.UTC))
            assert (names(till, "bronze"), names(till, "silver")) == (["Carol"], ["Alice", "Dave"])

    def test_leaves_out_who_never_earned_where_the_lowest_tier_has_a_threshold(self, till: Till, bob: Till) -> None:
        Tier.objects.filter(program=till.program, code="bronze").update(threshold=1)
        rules.publish(program=till.program, by="test")
        with time_machine.travel(MARCH, tick=False):
            assert names(till, "bronze") == []
            assert names(till, "silver") == ["Alice"]

    def test_leaves_out_cards_of_other_programmes(self, till: Till, bob: Till, stranger: Till) -> None:
        with time_machine.travel(MARCH, tick=False):
            stranger.award(500)
            assert names(till, "silver") == ["Alice"]


def test_lists_by_thresholds_that_staff_moved(till: Till) -> None:
    bob = another(till, "Bob")
    till.award(500)
    bob.award(400)
    Tier.objects.filter(program=till.program, code="silver").update(threshold=450)
    Tier.objects.filter(program=till.program, code="bronze").update(threshold=401)
    rules.publish(program=till.program, by="test")
    assert (names(till, "silver"), names(till, "bronze")) == (["Alice"], [])
    Tier.objects.filter(program=till.program, code="silver").update(threshold=501)
    rules.publish(program=till.program, by="test")
    assert (names(till, "silver"), names(till, "bronze")) == ([], ["Alice"])


def test_lists_by_falls_that_nobody_has_written(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("points.tier_lists._BATCH", 2)
    change_tiers(till.program, basis="rolling", window_months=2, fall="step")
    others = [another(till, name) for name in ("Bob", "Carol", "Dave", "Erin")]
    with time_machine.travel(MARCH, tick=False) as clock:
        till.award(5000)
        for other in others:
            other.award(1500)
        clock.move_to(datetime.datetime(2026, 5, 20, tzinfo=datetime.UTC))
        others[0].award(1500)
        clock.move_to(datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC))
        assert names(till, "gold") == ["Alice", "Bob"]
        assert names(till, "silver") == ["Carol", "Dave", "Erin"]
        assert (names(till, "platinum"), names(till, "bronze")) == ([], [])
        assert TierChange.objects.filter(program=till.program, entry=None).count() == 0
        told = {name: names(till, name) for name in ("platinum", "gold", "silver", "bronze")}
        call_command("review_tiers")
        assert TierChange.objects.filter(program=till.program, entry=None).count() == 1 + 3
        assert {name: names(till, name) for name in told} == told


def test_lists_who_earned_before_there_were_tiers() -> None:
    program = Program.objects.create(slug=f"shop-{secrets.token_hex(6)}", name="Corner Shop")
    make_definition(program)
    till = Till(program, CardFactory(customer=CustomerFactory(program=program)))
    with time_machine.travel(MARCH, tick=False):
        till.award(500)
        assert (names(till, "silver"), names(till, "bronze")) == ([], [])
        rules.give_defaults(program=program, by="test")
        for basis in ("lifetime", "rolling", "calendar"):
            change_tiers(program, basis=basis)
            assert (names(till, "silver"), names(till, "bronze")) == (["Alice"], [])
