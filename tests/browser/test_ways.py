"""What staff do most, as they do it: in a browser, with the keyboard where that is said."""

import pytest
from django.urls import reverse

from cards.models import Card
from loyalty import console
from loyalty.models import Program
from points.models import PointAccount
from reports import counting
from tests.admin import pages
from tests.browser.desk import Desk
from tests.points.till import Till
from tests.reports.recounted import counted


def test_finds_a_customer_by_the_keyboard_alone(desk: Desk, card: Card, till: Till) -> None:
    till.award(100)
    # The cursor is in the search field.
    desk.page.keyboard.type(card.customer.email or "")
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url("**/customer/?q=*")
    desk.look("customers")
    desk.tab_to("Alice Adams")
    desk.page.wait_for_url(f"**{console.address(card.customer)}")
    desk.says("Alice Adams", "100")
    desk.look("customer")


def test_blocks_and_replaces_a_card(desk: Desk, card: Card) -> None:
    desk.go(console.address(card))
    desk.look("card")
    desk.page.get_by_role("link", name="Block").click()
    desk.look("block")
    desk.page.get_by_label("Reason").fill("Lost")
    desk.page.get_by_role("button", name="Block").click()
    desk.page.wait_for_load_state()
    card.refresh_from_db()
    assert card.status == Card.Status.BLOCKED
    desk.page.get_by_role("link", name="Replace").click()
    desk.page.get_by_label("Reason").fill("Lost")
    desk.page.get_by_role("button", name="Replace").click()
    desk.page.wait_for_load_state()
    assert Card.objects.get(replaces=card).status == Card.Status.ACTIVE


def test_reads_the_dashboard(desk: Desk, program: Program, till: Till) -> None:
    till.award(100)
    till.redeem(30)
    counted(program)
    counting.count_tiers(at=till.row().created_at)
    desk.go(f"{reverse('dashboard')}?points={till.account.definition.pk}&days=365")
    desk.says("Outstanding", "70")
    assert desk.page.locator("canvas.chart").count() >= 3
    desk.look("dashboard")


@pytest.mark.parametrize("name", ["index", "ledger entries", "account", "rewards", "jobs", "till"])
def test_shows_pages_that_everybody_can_read(desk: Desk, program: Program, till: Till, name: str) -> None:
    till.award(100)
    account = PointAccount.objects.get(pk=till.account.id)
    addresses = {
        "index": reverse("admin:index"),
        "ledger entries": f"{reverse('admin:points_pointtransaction_changelist')}?program={program.pk}",
        "account": pages.of(account),
        "rewards": reverse("admin:rewards_reward_changelist"),
        "jobs": reverse("admin:jobs_jobrun_changelist"),
        "till": reverse("till_find", args=[program.slug]),
    }
    desk.go(addresses[name])
    desk.look(name.replace(" ", "-"))
