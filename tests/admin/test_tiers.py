"""Tiers in the admin: each change is a version of the rules, and none is lost that customers hold."""

from typing import Any

import pytest
from django.db import connection, transaction

from loyalty.models import Program
from points.models import PointAccount
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.admin.rules import newest, published, tier
from tests.points.threads import Waiting
from tests.points.till import Till
from tiers.models import Tier, TierScheme


def test_publishes_a_new_tier_once(manager: Browser, program: Program) -> None:
    page = manager.post(pages.adding(Tier), tier(program, benefits="Free coffee, daily\n\n Parking "), follow=True)

    assert "Version 2 of the rules holds from now on." in pages.text(page)
    assert (newest(program).version, newest(program).published_by) == (2, manager.user.username)
    ruby = published(program, "tiers")["ruby"]
    assert (ruby["threshold"], ruby["multiplier"], ruby["color"]) == ("2500.00", "1.750", "#cc0033")
    assert ruby["benefits"] == ["Free coffee, daily", "Parking"]


def test_publishes_a_changed_tier_but_neither_code_nor_programme(manager: Browser, program: Program) -> None:
    gold = program.tiers.get(code="gold")
    other = Program.objects.create(slug=f"other-{program.slug}", name="Other")

    manager.post(pages.of(gold), tier(other, name="Golden", code="mine", threshold="2000"))

    assert newest(program).version == 2
    assert published(program, "tiers")["gold"]["name"] == "Golden"
    assert published(program, "tiers")["gold"]["threshold"] == "2000.00"
    changed = Tier.objects.get(pk=gold.pk)
    assert (changed.code, changed.program) == ("gold", program)
    assert Program.objects.get(pk=other.pk).rules_version == 0


def test_publishes_nothing_where_nothing_changed(manager: Browser, program: Program) -> None:
    gold = program.tiers.get(code="gold")
    same = {"name": "Gold", "color": gold.color, "threshold": "1500.00", "multiplier": "1.500"}

    page = manager.post(pages.of(gold), same | {"benefits": "50% more points"}, follow=True)

    assert "holds from now on" not in pages.text(page)
    assert newest(program).version == 1


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"code": "gold"}, "Gold has it already."),
        ({"threshold": "500"}, "Silver has it already."),
        ({"threshold": "-1"}, "greater than or equal to 0"),
        ({"multiplier": "0"}, "greater than or equal to 0.001"),
        ({"code": "Has Spaces"}, "Small letters, digits"),
        ({"color": "red"}, "As in #c0c0c0."),
        ({"benefits": "x" * 201}, "at most 200 characters"),
        ({"benefits": "\n".join(map(str, range(101)))}, "No more than 100 lines."),
        ({"benefits": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_refuses_what_makes_no_sense(manager: Browser, program: Program, said: dict[str, str], complaint: str) -> None:
    answer = manager.post(pages.adding(Tier), tier(program, **said))

    assert complaint in pages.text(answer)
    assert newest(program).version == 1
    assert program.tiers.count() == 4


def test_warns_of_customers_below_the_lowest_tier(manager: Browser, program: Program) -> None:
    bronze = program.tiers.get(code="bronze")

    page = manager.post(pages.of(bronze), tier(program, name="Bronze", threshold="100"), follow=True)

    assert "The lowest tier, Bronze, begins at 100 points: customers with fewer have no tier." in pages.text(page)


def test_deletes_a_tier_that_nobody_held(manager: Browser, program: Program) -> None:
    platinum = program.tiers.get(code="platinum")
    assert "Delete Platinum?" in pages.text(manager.get(pages.of(platinum, "remove")))
    assert newest(program).version == 1

    page = manager.post(pages.of(platinum, "remove"), follow=True)

    assert "Platinum is deleted." in pages.text(page)
    assert "Version 2 of the rules holds from now on." in pages.text(page)
    assert set(published(program, "tiers")) == {"bronze", "silver", "gold"}


def kept(browser: Browser, tier: Tier, reason: str) -> None:
    """This will see that a tier stays, whoever asks, and hear why."""
    for answer in (browser.get, browser.post):
        assert reason in pages.text(answer(pages.of(tier, "remove"), follow=True))
    assert Tier.objects.filter(pk=tier.pk).exists()
    assert newest(tier.program).version == 1


def test_keeps_a_tier_that_customers_hold(manager: Browser, program: Program, till: Till) -> None:
    till.award(600)

    kept(manager, program.tiers.get(code="silver"), "Customers hold Silver, so it cannot be deleted.")


def test_keeps_a_tier_that_a_history_names(manager: Browser, program: Program, till: Till) -> None:
    first = till.award(600)
    till.reverse(first)
    silver = program.tiers.get(code="silver")
    assert not PointAccount.objects.filter(tier=silver).exists()

    kept(manager, silver, "Nobody holds Silver now, but customers once did")


def test_keeps_a_tier_that_a_campaign_names(manager: Browser, program: Program) -> None:
    program.campaigns.create(code="double", name="Double days", factor=2, tiers=["gold"])

    kept(manager, program.tiers.get(code="gold"), "Gold is named by a campaign: Double days.")


def test_lists_tiers_with_what_staff_need(viewer: Browser, program: Program) -> None:
    page = viewer.get(pages.listing(Tier), {"program__id__exact": program.pk})

    assert "Bronze bronze 0 points 1 × Points on every purchase" in pages.text(page)  # noqa: RUF001
    assert "Gold gold 1,500 points 1.5 × 50% more points" in pages.text(page)  # noqa: RUF001
    assert "background: #c9a227" in page.content.decode()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"basis": "rolling", "window_months": "6", "fall": "step", "grace_days": "30"}, "the last 6 months"),
        ({"basis": "calendar", "window_months": "12", "fall": "reached", "grace_days": "0"}, "a calendar year"),
    ],
)
def test_publishes_how_tiers_are_measured(manager: Browser, program: Program, said: dict[str, Any], words: str) -> None:
    manager.post(pages.of(TierScheme.objects.get(program=program)), said)

    rulebook = newest(program)
    assert rulebook.version == 2
    assert {name: str(value) for name, value in rulebook.content["scheme"].items()} == said
    assert f"Tiers, by the points of {words}" in pages.text(manager.get(pages.of(rulebook)))


@pytest.mark.parametrize("months", ["0", "25", "many"])
def test_refuses_a_window_that_no_account_remembers(manager: Browser, program: Program, months: str) -> None:
    said = {"basis": "rolling", "window_months": months, "fall": "step", "grace_days": "0"}

    assert manager.post(pages.of(TierScheme.objects.get(program=program)), said).status_code == 200
    assert newest(program).version == 1


def test_takes_back_a_deletion_that_a_customer_overtakes(manager: Browser, program: Program, till: Till) -> None:
    silver = program.tiers.get(code="silver")
    with transaction.atomic():
        till.award(600)
        with connection.cursor() as cursor:
            # As at the end of the transaction, which the deletion then waits for.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        deletion = Waiting(lambda: manager.post(pages.of(silver, "remove")))

    page = manager.get(deletion.result()["Location"])
    assert "Silver was used a moment ago, so it is still there." in pages.text(page)
    assert "holds from now on" not in pages.text(page)
    assert till.row().tier == silver
    assert newest(program).version == 1
