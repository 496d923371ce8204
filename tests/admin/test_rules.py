"""Earning rules and campaigns in the admin: nothing is published that makes no sense, and each save is a version."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from loyalty.models import Program
from points import rules
from points.models import Campaign, CampaignBudget, EarningRule, EarningScheme
from points.terms import Kind
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.admin.rules import campaign, newest, published, rule
from tests.points.till import NOON


def test_publishes_a_new_rule_that_can_be_read(manager: Browser, program: Program) -> None:
    page = manager.post(pages.adding(EarningRule), rule(program), follow=True)

    assert "Version 2 of the rules holds from now on." in pages.text(page)
    book = rules.of(Program.objects.get(pk=program.pk))
    [made] = [known for known in book.earning.rules if known.name == "Newsletter"]
    assert (made.kind, made.activity, made.points, made.rate) == (Kind.ACTIVITY, "newsletter", Decimal(15), None)


def test_drops_what_a_kind_has_no_use_for(manager: Browser, program: Program) -> None:
    [purchases] = program.earning_rules.filter(kind="purchase")
    # The form sends the rate and the smallest purchase too: they are there, and hidden.
    said = rule(program, rate="2", smallest_purchase="0.01", categories="shoes", most_per_day="50")

    manager.post(pages.of(purchases), said)

    changed = EarningRule.objects.get(pk=purchases.pk)
    assert (changed.kind, changed.activity, changed.points) == ("activity", "newsletter", Decimal(15))
    assert (changed.rate, changed.smallest_purchase, changed.categories) == (None, None, [])
    assert published(program, "rules")["Newsletter"]["rate"] is None


def test_switches_a_rule_off(manager: Browser, program: Program) -> None:
    review = program.earning_rules.get(activity="review")

    manager.post(pages.of(review), rule(program, name="Review", activity="review", points="10", is_active=""))

    assert not EarningRule.objects.get(pk=review.pk).is_active
    assert "Review" not in published(program, "rules")


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"kind": "purchase"}, "A purchase earns by a rate."),
        ({"kind": "purchase", "rate": "-2"}, "greater than or equal to 0"),
        ({"activity": ""}, "Name the activity."),
        ({"activity": "Two Words"}, "Small letters, digits"),
        ({"points": ""}, "An activity earns fixed points."),
        ({"kind": "nonsense"}, "Select a valid choice."),
        (
            {"starts_at_0": "2026-03-02", "starts_at_1": "12:00", "ends_at_0": "2026-03-02", "ends_at_1": "12:00"},
            "It must end after it starts.",
        ),
        ({"shops": "x" * 101}, "at most 100 characters"),
    ],
)
def test_refuses_a_rule_that_makes_no_sense(
    manager: Browser, program: Program, said: dict[str, str], complaint: str
) -> None:
    answer = manager.post(pages.adding(EarningRule), rule(program, **said))

    assert complaint in pages.text(answer)
    assert "Constraint" not in pages.text(answer)
    assert newest(program).version == 1
    assert not program.earning_rules.filter(name="Newsletter").exists()


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"factor": ""}, "Say by what the points are multiplied."),
        ({"factor": "0.5"}, "greater than or equal to 1"),
        ({"effect": "add"}, "Say how many points are added."),
        ({"effect": "add", "points": "0"}, "Say how many points are added."),
        ({"tiers": ["gold", "diamond"]}, "Select a valid choice."),
        (
            {"starts_at_0": "2026-03-02", "starts_at_1": "12:00", "ends_at_0": "2026-03-01", "ends_at_1": "12:00"},
            "It must end after it starts.",
        ),
    ],
)
def test_refuses_a_campaign_that_makes_no_sense(
    manager: Browser, program: Program, said: dict[str, Any], complaint: str
) -> None:
    answer = manager.post(pages.adding(Campaign), campaign(program, **said))

    assert complaint in pages.text(answer)
    assert newest(program).version == 1
    assert not program.campaigns.exists()


def test_refuses_a_tier_of_another_programme(manager: Browser, program: Program) -> None:
    other = Program.objects.create(slug=f"other-{program.slug}", name="Other")

    answer = manager.post(pages.adding(Campaign), campaign(other, tiers=["gold"]))

    assert "The programme has no tier gold." in pages.text(answer)
    assert not other.campaigns.exists()


def test_refuses_a_code_that_a_campaign_has_already(manager: Browser, program: Program) -> None:
    manager.post(pages.adding(Campaign), campaign(program))

    answer = manager.post(pages.adding(Campaign), campaign(program, name="Twice"))

    assert "Double days has it already." in pages.text(answer)
    assert newest(program).version == 2


def test_takes_times_by_the_clocks_of_the_programme(manager: Browser, program: Program) -> None:
    said = {"starts_at_0": "2026-03-20", "starts_at_1": "00:00", "ends_at_0": "2026-04-01", "ends_at_1": "00:00"}

    manager.post(pages.adding(Campaign), campaign(program, tiers=["gold"], shops="1\n2", **said))

    made = program.campaigns.get()
    # Vilnius is two hours ahead, and three when the clocks have gone forward on 29 March.
    assert made.starts_at == datetime.datetime(2026, 3, 19, 22, tzinfo=datetime.UTC)
    assert made.ends_at == datetime.datetime(2026, 3, 31, 21, tzinfo=datetime.UTC)
    page = manager.get(pages.of(made)).content.decode()
    assert 'value="2026-04-01"' in page
    assert 'value="00:00:00"' in page
    listed = pages.text(manager.get(pages.listing(Campaign), {"program__id__exact": program.pk}))
    assert "Double days double Planned 2 × the points of purchases 20 Mar 2026, 00:00 EET to 1 Apr 2026" in listed  # noqa: RUF001
    assert "Shops: 1, 2; tiers: gold" in listed


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "Running"),
        ({"is_active": False}, "Off"),
        ({"starts_at": NOON + datetime.timedelta(seconds=1)}, "Planned"),
        ({"starts_at": NOON}, "Running"),
        ({"ends_at": NOON}, "Over"),
        ({"most_in_all": 0}, "Used up"),
    ],
)
def test_says_what_state_a_campaign_is_in(viewer: Browser, program: Program, facts: dict[str, Any], state: str) -> None:
    program.campaigns.create(code="double", name="Double days", factor=2, **facts)

    page = pages.text(viewer.get(pages.listing(Campaign), {"program__id__exact": program.pk}))

    assert f"Double days double {state}" in page


def test_deletes_a_campaign_without_a_limit(manager: Browser, program: Program) -> None:
    manager.post(pages.adding(Campaign), campaign(program))

    page = manager.post(pages.of(program.campaigns.get(), "remove"), follow=True)

    assert "Version 3 of the rules holds from now on." in pages.text(page)
    assert published(program, "campaigns") == {}


def test_keeps_a_campaign_whose_points_are_counted(manager: Browser, program: Program) -> None:
    manager.post(pages.adding(Campaign), campaign(program, most_in_all="1000"))
    made = program.campaigns.get()
    assert CampaignBudget.objects.get(campaign=made).given == 0

    page = manager.post(pages.of(made, "remove"), follow=True)

    assert "Double days has a limit in all, and what it gave is counted." in pages.text(page)
    assert "0 of 1,000" in pages.text(manager.get(pages.listing(Campaign), {"program__id__exact": program.pk}))
    assert newest(program).version == 2


def test_deletes_a_rule(manager: Browser, program: Program) -> None:
    review = program.earning_rules.get(activity="review")

    manager.post(pages.of(review, "remove"))

    assert newest(program).version == 2
    assert "Review" not in published(program, "rules")


@pytest.mark.parametrize("model", [EarningRule, Campaign])
def test_deletes_nothing_in_bulk(superuser: Browser, program: Program, model: Any) -> None:
    program.campaigns.create(code="double", name="Double days", factor=2)
    row = model.objects.filter(program=program).first()

    superuser.post(pages.listing(model), {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"})
    assert superuser.post(pages.of(row, "delete"), {"post": "yes"}).status_code == 403

    assert model.objects.filter(pk=row.pk).exists()
    assert newest(program).version == 1


def test_publishes_what_holds_for_all_rules(manager: Browser, program: Program) -> None:
    said = {"combination": "sum", "spend_basis": "after", "excluded_categories": "gift cards\ndeposit"}

    manager.post(pages.of(EarningScheme.objects.get(program=program)), said)

    content = newest(program).content["earning"]
    assert newest(program).version == 2
    assert content == said | {"excluded_categories": ["gift cards", "deposit"]}


def test_lists_rules_in_words(viewer: Browser, program: Program) -> None:
    program.earning_rules.create(name="Cap", kind="bonus", most_per_day=100, most_per_month=500)

    page = pages.text(viewer.get(pages.listing(EarningRule), {"program__id__exact": program.pk}))

    assert "Purchases Purchase 2 points for each EUR 10,000 at once Always From 0.01 EUR" in page
    assert "Check in Activity 5 points for check_in - Always".replace("-", "–") in page  # noqa: RUF001
    assert "Cap Bonus The points that are sent 100 a day; 500 a month Always" in page
