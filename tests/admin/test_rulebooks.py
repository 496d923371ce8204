"""The versions of the rules in the admin: read by everybody who may, changed by nobody."""

import pytest

from loyalty.models import Program
from points.models import Campaign, EarningScheme, Rulebook
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.admin.rules import campaign, newest, tier
from tiers.models import Tier


def test_shows_all_of_the_first_version(viewer: Browser, program: Program) -> None:
    page = pages.text(viewer.get(pages.of(newest(program))))

    assert "The first version There was none before it." in page
    assert "Tiers, by all points ever earned" in page
    assert "Gold gold 1,500 points 1.5 × 50% more points" in page  # noqa: RUF001
    assert "Purchases 2 points for each EUR 10,000 at once Always From 0.01 EUR" in page
    assert "Campaigns There are none." in page
    assert "Several campaigns at once The best one counts" in page


def test_shows_what_a_version_changed(manager: Browser, program: Program) -> None:
    gold = program.tiers.get(code="gold")

    manager.post(pages.of(gold), tier(program, name="Gold", threshold="2000", multiplier="1.5", color="#c9a227"))
    page = pages.text(manager.get(pages.of(newest(program))))
    assert "What is different from version 1" in page
    assert "Tier Gold Threshold 1,500 2,000" in page
    assert "Tier Gold Benefits 50% more points –" in page  # noqa: RUF001
    assert "Tier Silver" not in page

    manager.post(pages.adding(Campaign), campaign(program))
    assert "Campaign double – – New" in pages.text(manager.get(pages.of(newest(program))))  # noqa: RUF001

    said = {"starts_at_0": "2026-04-01", "starts_at_1": "10:00"}
    manager.post(pages.of(program.campaigns.get()), campaign(program, **said))
    page = pages.text(manager.get(pages.of(newest(program))))
    assert "Campaign double From – 1 Apr 2026, 10:00 EEST" in page  # noqa: RUF001

    manager.post(pages.of(program.campaigns.get(), "remove"))
    assert "Campaign double – There Gone" in pages.text(manager.get(pages.of(newest(program))))  # noqa: RUF001

    said = {"combination": "sum", "spend_basis": "before", "excluded_categories": ""}
    manager.post(pages.of(EarningScheme.objects.get(program=program)), said)
    page = pages.text(manager.get(pages.of(newest(program))))
    assert "Earning Campaigns together The best one counts They add up" in page


def test_still_shows_an_older_version(manager: Browser, program: Program) -> None:
    first = newest(program)
    manager.post(pages.of(program.tiers.get(code="platinum"), "remove"))

    assert "Platinum" in pages.text(manager.get(pages.of(first)))
    assert not Tier.objects.filter(program=program, code="platinum").exists()


def test_lists_versions_with_who_published_them(manager: Browser, program: Program) -> None:
    manager.post(pages.adding(Tier), tier(program))

    page = pages.text(manager.get(pages.listing(Rulebook), {"program__id__exact": program.pk}))

    assert manager.user.username in page
    assert page.index("2 Corner Shop") < page.index("1 Corner Shop")


@pytest.mark.parametrize("action", ["", "delete"])
def test_nobody_changes_a_version(superuser: Browser, program: Program, action: str) -> None:
    rulebook = newest(program)

    assert superuser.post(pages.of(rulebook, action), {"version": "9", "post": "yes"}).status_code == 403
    assert superuser.get(pages.adding(Rulebook)).status_code == 403
    assert newest(program).version == 1
