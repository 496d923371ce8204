"""The dashboard: how the points of one kind are doing, for staff who may view figures."""

import datetime
import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from loyalty.models import Program
from points.models import AccountRef, PointDefinition
from reports import counting
from tests.admin import pages
from tests.admin.conftest import Browser, staff
from tests.factories import CustomerFactory
from tests.points.till import NOON, Till
from tests.reports.recounted import counted


@pytest.fixture
def analyst() -> Browser:
    return staff("Anna", ["view_figure"])


@pytest.fixture
def bob(program: Program, definition: PointDefinition) -> Till:
    return Till(AccountRef(program=program, definition=definition, customer_id=CustomerFactory(program=program).pk))


def days(count: int) -> datetime.datetime:
    """So many days from NOON, a Monday."""
    return NOON + datetime.timedelta(days=count)


def dashboard(client: Browser, definition: PointDefinition, **choice: Any) -> Any:
    return client.get(reverse("dashboard"), {"points": str(definition.pk)} | choice)


def chart(response: Any, number: int) -> dict[str, Any]:
    """This will answer the data of a chart of the page, as its script reads it."""
    found = re.findall(r'data-value="([^"]+)"', response.content.decode())
    return json.loads(found[number].replace("&quot;", '"'))


def test_tells_points_and_money(
    analyst: Browser, definition: PointDefinition, program: Program, till: Till, bob: Till
) -> None:
    definition.point_value = "0.02"
    definition.save(update_fields=["point_value"])
    till.award(100, at=days(-20), expires_at=days(-2))
    till.award(300, at=days(-8), expires_at=days(10))
    bob.award(100, at=days(-100))
    till.redeem(150, at=days(-7))
    till.settle(days(0))
    counted(program)
    counting.count_tiers(at=NOON)
    told = pages.text(dashboard(analyst, definition, days=91))
    assert "Issued 400 points of all awards" in told
    assert "Redeemed 150 points" in told
    # Of the first award nothing was left: it was spent first.
    assert "Expired 0 points" in told
    assert "Outstanding 350 points today, and 0 pending" in told
    assert "Liability 7.00 EUR today" in told
    assert "Redemption rate 37.5 %" in told
    assert "Breakage rate 0.0 %" in told
    assert "Active customers 1 of 2 earned or redeemed" in told
    assert "250 points end in the next 91 days" in told
    assert "Counted up to 2 Mar 2026, 14:00 EET" in told


def test_draws_weeks_that_begin_on_mondays(
    analyst: Browser, definition: PointDefinition, program: Program, till: Till
) -> None:
    till.award(100, at=days(-8))
    till.award(10, at=days(-7))
    till.redeem(30, at=days(-1))
    counted(program)
    drawn = chart(dashboard(analyst, definition, days=30), 0)
    # 30 days that end on Monday 2 March begin on Sunday 1 February.
    assert drawn["labels"] == ["1 Feb 2026", "2 Feb 2026", "9 Feb 2026", "16 Feb 2026", "23 Feb 2026", "2 Mar 2026"]
    issued, redeemed = drawn["datasets"]
    assert (issued["label"], issued["data"]) == ("Issued", [0, 0, 0, 100, 10, 0])
    assert (redeemed["label"], redeemed["data"]) == ("Redeemed", [0, 0, 0, 0, 30, 0])
    outstanding = chart(dashboard(analyst, definition, days=30), 1)
    assert outstanding["datasets"][0]["data"] == [0, 0, 0, 100, 80, 80]


def test_tells_by_week_what_ends_soon(
    analyst: Browser, definition: PointDefinition, program: Program, till: Till
) -> None:
    till.award(5, expires_at=days(1))
    till.award(7, expires_at=days(8))
    till.award(11, expires_at=days(89))
    till.award(13, expires_at=days(92))
    counted(program)
    drawn = chart(dashboard(analyst, definition), 2)
    assert drawn["labels"][:2] == ["3 Mar", "10 Mar"]
    assert drawn["datasets"][0]["data"] == [5, 7, *[0] * 10, 11]


def test_takes_what_it_does_not_know_as_not_chosen(analyst: Browser, definition: PointDefinition) -> None:
    for choice in ({"days": "7"}, {"days": "x\x00"}, {"points": "nonsense"}, {"points": "x\x00"}):
        told = pages.text(dashboard(analyst, definition, **choice))
        assert "The last 13 weeks of" in told


@pytest.mark.usefixtures("definition")
def test_is_for_those_who_may_view_figures(manager: Browser) -> None:
    assert manager.get(reverse("dashboard")).status_code == 403
    answer = Client().get(reverse("dashboard"))
    assert (answer.status_code, "login" in answer.headers["Location"]) == (302, True)


def test_stands_in_the_sidebar_of_those_alone(analyst: Browser, manager: Browser) -> None:
    index = reverse("admin:index")
    assert reverse("dashboard") in analyst.get(index).content.decode()
    assert reverse("dashboard") not in manager.get(index).content.decode()
