"""Where a customer stands, on the customer's page and the account's: the tier, the way to the next, the history."""

import datetime

import pytest
import time_machine

from cards.models import Customer
from loyalty.models import Program
from points import definitions, rules
from points.models import AccountRef
from tests.admin import pages
from tests.admin.conftest import Browser, staff
from tests.points.till import NOON, Till
from tiers.models import TierScheme


@pytest.fixture
def places(customer: Customer, till: Till) -> list[str]:
    """The two pages that show the standing, once something was posted."""
    till.award(600)
    till.award(150)
    return [pages.of(customer), pages.of(till.row())]


def test_shows_the_tier_and_the_way_to_the_next(viewer: Browser, places: list[str]) -> None:
    for place in places:
        page = viewer.get(place)

        # 750 of the 1,000 points from 500 to 1,500 are 25 hundredths.
        assert "Tier Silver Points that count 750 Since 2 Mar 2026, 14:00 EET Until No end" in pages.text(page)
        assert "To reach Gold 750 more points, 25% of the way" in pages.text(page)
        assert 'aria-valuenow="25"' in page.content.decode()
        assert "background: #8d9aa5" in page.content.decode()


def test_shows_how_it_came_about(viewer: Browser, places: list[str], till: Till) -> None:
    first = till.entries()[0]
    for place in places:
        page = viewer.get(place)

        assert "2 Mar 2026, 14:00 EET Bronze Silver 600 #1" in pages.text(page)
        assert pages.of(first) in page.content.decode()


def test_shows_the_newest_change_first(viewer: Browser, places: list[str], till: Till) -> None:
    till.award(750)

    page = pages.text(viewer.get(places[0]))

    # 600 + 150 + 750, by the third entry.
    assert page.index("Silver Gold 1,500 #3") < page.index("Bronze Silver 600 #1")


def test_shows_what_keeps_a_tier_and_what_time_took(
    viewer: Browser, program: Program, customer: Customer, till: Till
) -> None:
    TierScheme.objects.filter(program=program).update(basis="rolling", window_months=1, fall="step")
    rules.publish(program=program, by="test")
    Till(AccountRef(program=program, definition=till.account.definition, customer_id=customer.pk)).award(1600)

    page = pages.text(viewer.get(pages.of(customer)))
    assert "Tier Gold" in page
    # March counts in April too, and is over in May, of Vilnius.
    assert "Until 1 May 2026, 00:00 EEST, if nothing more is earned" in page

    with time_machine.travel(NOON + datetime.timedelta(days=45), tick=False):
        viewer.force_login(viewer.user)
        page = pages.text(viewer.get(pages.of(customer)))
        assert "To keep Gold 1,500 more points before it ends, or else Silver" in page

    with time_machine.travel(datetime.datetime(2026, 5, 2, tzinfo=datetime.UTC), tick=False):
        viewer.force_login(viewer.user)
        assert "Tier Silver" in pages.text(viewer.get(pages.of(customer)))
        till.award(1, at=datetime.datetime(2026, 5, 2, tzinfo=datetime.UTC))
        assert "1 May 2026, 00:00 EEST Gold Silver 0 Time passed" in pages.text(viewer.get(pages.of(customer)))


def test_shows_where_somebody_begins(viewer: Browser, customer: Customer) -> None:
    assert "Tier Bronze Points that count 0" in pages.text(viewer.get(pages.of(customer)))


def test_says_that_somebody_has_no_tier_yet(viewer: Browser, program: Program, customer: Customer) -> None:
    program.tiers.filter(code="bronze").delete()
    rules.publish(program=program, by="test")

    page = pages.text(viewer.get(pages.of(customer)))

    assert "No tier yet" in page
    assert "To reach Silver 500 more points" in page


def test_shows_no_tier_of_points_that_do_not_count(viewer: Browser, program: Program, customer: Customer) -> None:
    miles = definitions.create_definition(program=program, code="miles", name="Miles")
    account = Till(AccountRef(program=program, definition=miles, customer_id=customer.pk))
    account.award(600)

    assert "Points that count" not in pages.text(viewer.get(pages.of(account.row())))


def test_shows_no_tier_to_somebody_who_may_not_see_accounts(places: list[str]) -> None:
    page = pages.text(staff("Saul", ["view_customer"]).get(places[0]))

    assert "Silver" not in page
