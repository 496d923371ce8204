"""What would a purchase earn? The published rules answer, in steps, and nothing is posted."""

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from loyalty.models import Program
from points import rules
from points.models import CampaignBudget, PointTransaction
from tests.admin import pages
from tests.admin.conftest import Browser, staff

PREVIEW = reverse("admin:points_earningrule_preview")


def told(browser: Browser, program: Program, /, **said: Any) -> str:
    """This will answer what the page says of a purchase."""
    return pages.text(browser.get(PREVIEW, {"program": program.pk, "amount": "25.99"} | said))


def publish(program: Program, **facts: Any) -> None:
    values = {"code": "double", "name": "Double days", "factor": 2}
    program.campaigns.create(**values | facts)
    rules.publish(program=program, by="test")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "This purchase earns 51 points"),
        ({"tier": "bronze"}, "This purchase earns 51 points"),
        # 77.97, which is 25.99 * 2 * 1.5, floored
        ({"tier": "gold"}, "This purchase earns 77 points"),
        ({"amount": "0.50"}, "This purchase earns 1 point "),
        ({"amount": "1000000"}, "This purchase earns 10,000 points"),
    ],
)
def test_answers_what_the_rules_give(viewer: Browser, program: Program, said: dict[str, str], words: str) -> None:
    assert words in told(viewer, program, **said)
    assert not PointTransaction.objects.filter(program=program).exists()


def test_shows_each_step(viewer: Browser, program: Program) -> None:
    publish(program)

    page = told(viewer, program, tier="gold")

    # 25.99 * 2 = 51.98; * 1.5 = 77.97, and as much again by the campaign: 155.94.
    assert "By the rule “Purchases” 51.98 Gold: times 1.5 77.97 By the campaign double +78" in page
    assert "Earned, rounded down 155" in page
    assert "By version 2 of the rules" in page


def test_says_that_a_limit_lowered_it(viewer: Browser, program: Program) -> None:
    assert "Lowered to the limit 10,000" in told(viewer, program, amount="5001")


@pytest.mark.parametrize(
    ("facts", "said", "points"),
    [
        ({"first_purchase_only": True}, {}, 51),
        ({"first_purchase_only": True}, {"is_first": "on"}, 103),
        ({"shops": ["7"]}, {"shop": "8"}, 51),
        ({"shops": ["7"]}, {"shop": "7"}, 103),
        # 10 of the 25.99 are shoes: 51.98 + 20.
        ({"categories": ["shoes"]}, {"lines": "shoes 10\nred bags 15.99"}, 71),
        ({"tiers": ["silver"]}, {"tier": "bronze"}, 51),
        # By the clocks of Vilnius.
        ({"starts_at": "2026-03-05T10:00:00Z"}, {"moment": "2026-03-05T11:59"}, 51),
        ({"starts_at": "2026-03-05T10:00:00Z"}, {"moment": "2026-03-05T12:00"}, 103),
    ],
)
def test_asks_what_campaigns_ask(
    viewer: Browser, program: Program, facts: dict[str, Any], said: dict[str, str], points: int
) -> None:
    publish(program, **facts)

    assert f"This purchase earns {points} points" in told(viewer, program, **said)


def test_knows_what_is_left_of_a_campaign(viewer: Browser, program: Program) -> None:
    publish(program, most_in_all=100)
    CampaignBudget.objects.filter(campaign__program=program).update(given=Decimal(90))

    assert "This purchase earns 61 points" in told(viewer, program)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"amount": "0.49"}, "Nothing This earns no points."),
        ({"moment": "2020-01-01T00:00"}, "Nothing No rule says how many points this earns."),
        ({"amount": "0"}, "greater than or equal to 0.01"),
        ({"amount": "much"}, "Enter a number."),
        ({"tier": "diamond"}, "Select a valid choice."),
        ({"lines": "shoes"}, "“shoes” is not a category and an amount"),
        ({"lines": "shoes ten"}, "Enter a number."),
        ({"lines": "a 1\n" * 101}, "No more than 100 lines."),
        ({"shop": "a\0b"}, "Null characters are not allowed."),
        ({"program": "nonsense"}, "“nonsense” is not a valid UUID."),
    ],
)
def test_says_in_words_why_not(viewer: Browser, program: Program, said: dict[str, str], words: str) -> None:
    program.earning_rules.filter(kind="purchase").update(starts_at="2026-01-01T00:00:00Z")
    rules.publish(program=program, by="test")

    assert words in told(viewer, program, **said)


def test_asks_first(viewer: Browser, program: Program) -> None:
    page = pages.text(viewer.get(PREVIEW, {"program": program.pk, "amount": ""}))

    assert "Nothing is posted." in page
    assert "This field is required" not in page
    assert "This purchase earns" not in page


def test_follows_the_published_rules_and_not_the_rows(viewer: Browser, program: Program) -> None:
    program.earning_rules.filter(kind="purchase").update(rate=10)

    assert "This purchase earns 51 points" in told(viewer, program)


def test_is_offered_beside_rules_and_campaigns(viewer: Browser) -> None:
    for page in ("/admin/points/earningrule/", "/admin/points/campaign/"):
        assert "What would a purchase earn?" in pages.text(viewer.get(page))
        assert viewer.get(f"{page}preview/").status_code == 200


def test_is_for_those_who_may_see_rules() -> None:
    assert staff("Nora", []).get(PREVIEW).status_code == 403
