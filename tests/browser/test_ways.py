"""What staff do most, as they do it: in a browser, with the keyboard where that is said."""

import threading
import time

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Route

from campaigns import awarding
from campaigns.models import AwardCampaign, Segment
from cards.models import Card
from exchange import running
from exchange.models import Import
from loyalty import console
from loyalty.models import Program
from points import ledger
from points.models import PointAccount
from reports import counting
from staff.models import AdjustmentRequest
from tests.admin import pages
from tests.browser.desk import SCHEMES, Desk
from tests.points.till import Till
from tests.reports.recounted import counted

# Those of the axes and of the legends of all charts.
COLOURS_OF_WORDS = """() => [...new Set(Object.values(Chart.instances).flatMap((chart) => [
    chart.legend.options.labels.color, ...Object.values(chart.scales).map((axis) => axis.options.ticks.color)
]))]"""


def test_refuses_a_wrong_password(browser: Browser, address: str) -> None:
    with Desk.opened(browser, address) as desk:
        desk.go(reverse("admin:login"))
        desk.look("login")
        desk.page.get_by_label("Username").fill("nobody")
        desk.page.get_by_label("Password").fill("wrong")
        desk.press("Log in")
        assert desk.page.get_by_text("Please enter the correct username").is_visible()
        desk.look("login-refused")


def test_puts_the_cursor_in_the_search_field_however_late_the_scripts_are(desk: Desk) -> None:
    def come_late(route: Route) -> None:
        time.sleep(1)
        route.continue_()

    desk.page.route("**/alpine/*", come_late)
    desk.go(reverse("admin:index"))
    desk.page.wait_for_function("document.activeElement.name === 'q'", timeout=5000)


def test_finds_a_customer_by_the_keyboard_alone(desk: Desk, card: Card, till: Till) -> None:
    till.award(100)
    desk.page.wait_for_function("document.activeElement.name === 'q'")
    desk.page.keyboard.type(card.customer.email or "")
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url("**/customer/?q=*")
    desk.look("customers")
    desk.tab_to("Alice Adams")
    desk.page.wait_for_url(f"**{console.address(card.customer)}*")
    desk.says("Points that end", "100")
    desk.look("customer")


def test_has_the_cursor_where_one_types_however_fast_the_page_comes(desk: Desk, card: Card, till: Till) -> None:
    till.award(100)
    for _ in range(8):
        desk.go(pages.of(card.customer, "adjust"))
        desk.page.wait_for_function("document.activeElement.name === 'points'", timeout=10_000)


def test_blocks_and_replaces_a_card(desk: Desk, card: Card) -> None:
    desk.go(console.address(card))
    desk.look("card")
    desk.page.get_by_role("link", name="Block").click()
    desk.look("block")
    desk.page.get_by_label("Reason").fill("Lost")
    desk.press("Block")
    card.refresh_from_db()
    assert card.status == Card.Status.BLOCKED
    desk.page.get_by_role("link", name="Replace").click()
    desk.page.get_by_label("Reason").fill("Lost")
    desk.press("Replace")
    assert Card.objects.get(replaces=card).status == Card.Status.ACTIVE


def test_helps_a_customer_without_leaving_the_page_for_good(desk: Desk, card: Card, till: Till) -> None:
    till.award(100)
    till.redeem(30, note=ledger.Note(reason="Order", actor="till", reference=255 * "7"))
    record = console.address(card.customer)
    desk.go(record)
    desk.page.get_by_role("link", name=f"Block, {card.number}").click()
    desk.page.get_by_label("Reason").fill("Lost")
    desk.press("Block")
    desk.page.wait_for_url(f"**{record}")
    desk.page.get_by_text(f"Card {card.number} is blocked.").wait_for()
    # There and back by the button that cancels.
    desk.page.get_by_role("link", name=f"Replace, {card.number}").click()
    desk.page.get_by_role("link", name="Cancel").click()
    desk.page.wait_for_url(f"**{record}")
    # However long what somebody wrote is, it does not push the link out of what is seen of the table.
    link = desk.page.get_by_role("link", name="Reverse, #2")
    edge = "link => link.closest('table').parentElement.getBoundingClientRect().right"
    assert link.evaluate("link => link.getBoundingClientRect().right") < link.evaluate(edge)
    link.click()
    desk.page.get_by_label("Reason").fill("By mistake")
    desk.press("Reverse")
    desk.page.wait_for_url(f"**{record}")
    desk.page.get_by_text("Reversed: +30 points.").wait_for()
    desk.page.get_by_role("link", name="Redeem, Points").click()
    # The cursor is in the form that the link named.
    desk.page.wait_for_function("document.activeElement.name === 'redeem-points'")
    desk.page.keyboard.type("20")
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url(f"**{record}#page")
    assert till.history() == [("award", 100), ("redeem", -30), ("reverse", 30), ("redeem", -20)]
    desk.look("record")
    # On a telephone a row is a list, in which all of it is seen.
    desk.page.set_viewport_size({"width": 390, "height": 1000})
    cut = "cells => cells.filter(cell => cell.scrollHeight > cell.clientHeight + 1).map(cell => cell.innerText)"
    assert desk.page.locator("[data-label]").evaluate_all(cut) == []


def test_adjusts_with_the_approval_of_a_second_person(support: Desk, desk: Desk, card: Card, till: Till) -> None:
    till.award(100)
    support.go(console.address(card.customer))
    support.page.get_by_role("link", name="Adjust points").click()
    support.look("adjust")
    support.page.get_by_label("Change").fill("70")
    support.page.get_by_label("Reason").fill("Complaint")
    with support.page.expect_navigation():
        support.page.keyboard.press("Enter")
    asked = AdjustmentRequest.objects.get(customer=card.customer)
    assert till.balance == 100
    desk.go(console.address(asked))
    desk.says("70", "Complaint")
    desk.look("request")
    desk.page.get_by_role("link", name="Approve").click()
    desk.press("Approve")
    assert till.balance == 100 + 70


def test_runs_a_campaign(desk: Desk, program: Program, till: Till) -> None:
    till.award(100)
    segment = Segment.objects.create(
        program=program,
        name="All",
        definition=till.account.definition,
        changed_by="test",
        changed_at=till.row().created_at,
    )
    desk.go(reverse("admin:campaigns_awardcampaign_add"))
    desk.look("new-campaign")
    desk.page.get_by_label("Programme").select_option(str(program.pk))
    desk.page.get_by_label("Name").fill("Spring")
    desk.page.get_by_label("Reason").fill("A gift for spring")
    desk.page.get_by_label("For the segment").select_option(str(segment.pk))
    desk.page.get_by_label("Definition").select_option(str(till.account.definition.pk))
    desk.page.get_by_label("Points", exact=False).first.fill("5")
    desk.press("Save")
    campaign = AwardCampaign.objects.get(program=program)
    desk.go(pages.of(campaign, "start"))
    desk.says("Alice Adams")
    desk.look("start-campaign")
    desk.press("Start")
    awarding.work(seconds=60, stop=threading.Event())
    assert till.balance == 100 + 5
    desk.go(console.address(campaign))
    desk.says("Done", "Spring")
    desk.look("campaign")


def test_imports_a_file(desk: Desk, program: Program) -> None:
    desk.go(reverse("admin:exchange_import_add"))
    desk.look("new-import")
    desk.page.get_by_label("Programme").select_option(str(program.pk))
    content = b"external_id,email,name\nbob,bob@example.com,Bob\n,nobody,\n"
    desk.page.locator("#id_file").set_input_files({"name": "bob.csv", "mimeType": "text/csv", "buffer": content})
    desk.press("Upload and check")
    running.work(stop=threading.Event())
    upload = Import.objects.get(program=program)
    desk.go(console.address(upload))
    desk.says("Checked", "bob.csv")
    desk.look("import")
    desk.page.get_by_role("link", name="Import the rows").click()
    desk.press("Import the rows")
    running.work(stop=threading.Event())
    assert program.customers.get().name == "Bob"


def test_reads_the_dashboard(desk: Desk, program: Program, till: Till) -> None:
    till.award(100)
    till.redeem(30)
    counted(program)
    counting.count_tiers(at=till.row().created_at)
    desk.go(f"{reverse('dashboard')}?points={till.account.definition.pk}&days=365")
    desk.says("Outstanding", "70")
    assert desk.page.locator("canvas.chart").count() >= 3
    for scheme in SCHEMES:
        desk.wear(scheme)
        assert desk.page.evaluate(COLOURS_OF_WORDS) == [desk.page.evaluate("getComputedStyle(document.body).color")]
    desk.look("dashboard")


@pytest.mark.parametrize(
    "name", ["index", "ledger entries", "account", "rewards", "jobs", "till", "customer at the till"]
)
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
        "customer at the till": reverse("till_customer", args=[program.slug, account.customer_id]),
    }
    desk.go(addresses[name])
    desk.look(name.replace(" ", "-"))
