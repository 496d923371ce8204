"""Segments and award campaigns in the admin: made, counted, started, watched, ended; by those who may."""

import csv
import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.urls import reverse

from campaigns import awarding, campaigns
from campaigns.models import AwardCampaign, CampaignCustomer, CampaignDeed, CampaignShare, CustomerList, Segment
from cards.models import Customer
from jobs.models import JobRun
from loyalty.models import Program
from points import definitions
from points.models import AccountRef, PointDefinition
from staff.audit_models import AuditEntry
from tests.admin import pages
from tests.admin.conftest import Browser, staff
from tests.factories import CustomerFactory
from tests.points.threads import Waiting
from tests.points.till import NOON, Till

LOOKS = ["view_segment", "view_awardcampaign", "view_customer", "view_pointtransaction"]
MAKES = [*LOOKS, "add_segment", "change_segment", "add_awardcampaign", "change_awardcampaign"]


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """What a test left running, or has asked a worker for, is none of the next one's."""
    yield
    AwardCampaign.objects.filter(state__in=["running", "paused"]).update(state="cancelled", ended_at=NOON)
    JobRun.objects.filter(task_path__startswith="campaigns.").delete()


@pytest.fixture
def looker() -> Browser:
    return staff("Lena", LOOKS)


@pytest.fixture
def maker() -> Browser:
    return staff("Max", MAKES)


@pytest.fixture
def starter() -> Browser:
    return staff("Stella", [*LOOKS, "start_awardcampaign", "undo_awardcampaign"])


def segment_values(program: Program, **values: Any) -> dict[str, Any]:
    return {"program": program.pk, "name": "Regulars"} | values


def campaign_values(segment: Segment, definition: PointDefinition, **values: Any) -> dict[str, Any]:
    told = {"program": segment.program_id, "name": "Spring", "reason": "A gift for spring"}
    points = {"segment": segment.pk, "definition": definition.pk, "points": "50", "expiry": "policy"}
    return told | points | values


@pytest.fixture
def segment(program: Program) -> Segment:
    return Segment.objects.create(program=program, name="Everybody", changed_by="staff:max", changed_at=NOON)


@pytest.fixture
def campaign(segment: Segment, definition: PointDefinition) -> AwardCampaign:
    return AwardCampaign.objects.create(
        program=segment.program, name="Spring", reason="A gift", segment=segment, definition=definition, points=50
    )


def work() -> None:
    awarding.work(seconds=60, stop=threading.Event())


def start(starter: Browser, campaign: AwardCampaign, version: int | None = None) -> Any:
    return starter.post(
        pages.of(campaign, "start"), {"segment_version": version or campaign.segment.version}, follow=True
    )


def state(campaign: AwardCampaign) -> str:
    return AwardCampaign.objects.get(pk=campaign.pk).state


# Segments


def test_makes_a_segment_and_counts_it(maker: Browser, program: Program, till: Till, customer: Customer) -> None:
    till.award(100)
    CustomerFactory(program=program, name="Bob")
    answer = maker.post(pages.adding(Segment), segment_values(program, balance_least="100", cards=["none"]))
    assert answer.status_code == 302, pages.text(answer)
    made = Segment.objects.get(program=program)
    assert (made.balance_least, made.cards, made.version) == (100, ["none"], 1)
    page = pages.text(maker.get(pages.of(made, "count")))
    assert "How many 1 customer" in page
    assert "Alice Adams" in page
    assert "Bob" not in page
    assert "Balance 100 or more; No card" in page


def test_says_so_where_another_makes_the_same_at_once(maker: Browser, program: Program) -> None:
    with transaction.atomic():
        Segment.objects.create(program=program, name="Regulars", changed_by="staff:max", changed_at=NOON)
        second = Waiting(lambda: maker.post(pages.adding(Segment), segment_values(program), follow=True))

    assert "The programme has a segment of this name already." in pages.text(second.result())
    assert Segment.objects.filter(program=program, name="Regulars").count() == 1


def test_reads_a_list_again_where_another_makes_the_same_at_once(
    maker: Browser, program: Program, customer: Customer
) -> None:
    file = SimpleUploadedFile("vips.csv", f"email\n{customer.email}\n".encode())
    with transaction.atomic():
        Segment.objects.create(program=program, name="Regulars", changed_by="staff:max", changed_at=NOON)
        second = Waiting(lambda: maker.post(pages.adding(Segment), segment_values(program, file=file), follow=True))

    page = pages.text(second.result())
    assert "The programme has a segment of this name already." in page
    assert "names nobody" not in page


def test_counts_each_change_of_a_segment(maker: Browser, segment: Segment) -> None:
    answer = maker.post(pages.of(segment), segment_values(segment.program, name="Everybody", balance_least="5"))
    assert answer.status_code == 302, pages.text(answer)
    segment.refresh_from_db()
    assert (segment.version, segment.balance_least) == (2, 5)
    assert segment.changed_by == f"staff:{maker.user.username}"


def test_takes_an_uploaded_list_and_tells_who_is_missing(maker: Browser, segment: Segment, customer: Customer) -> None:
    file = SimpleUploadedFile("vips.csv", f"email\n{customer.email}\nnobody@example.com\n=1+1\n".encode())
    answer = maker.post(pages.of(segment), segment_values(segment.program, name="Everybody", file=file))
    assert answer.status_code == 302, pages.text(answer)
    page = pages.text(maker.get(pages.of(segment)))
    assert "vips.csv: 1 customer; 2 of its lines name nobody" in page
    assert "nobody@example.com" in page
    assert "How many 1 customer" in pages.text(maker.get(pages.of(segment, "count")))

    maker.post(pages.of(segment), segment_values(segment.program, name="Everybody", without_list="on"))
    segment.refresh_from_db()
    assert segment.listing is None


def test_refuses_a_list_that_is_none(maker: Browser, segment: Segment) -> None:
    file = SimpleUploadedFile("picture.png", b"\x89PNG\r\n\x1a\n\x00\x00")
    page = pages.text(maker.post(pages.of(segment), segment_values(segment.program, name="Everybody", file=file)))
    assert "The file is no text in UTF-8." in page
    segment.refresh_from_db()
    assert (segment.listing, segment.version) == (None, 1)
    assert not CustomerList.objects.filter(program=segment.program).exists()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"balance_least": "2", "balance_most": "1"}, "It is less than the least."),
        ({"joined_from_on": "2026-01-02", "joined_until_on": "2026-01-02"}, "No day is before this one"),
        ({"spent_from_on": "2026-01-02"}, "Say how much was spent"),
        ({"name": "Everybody"}, "has a segment of this name already"),
        ({"tiers": ["platinum-plus"]}, "platinum-plus"),
        ({"balance_least": "much"}, "Enter a number"),
    ],
)
def test_refuses_a_segment_in_which_nobody_can_be(
    maker: Browser, segment: Segment, values: dict[str, Any], says: str
) -> None:
    page = pages.text(maker.post(pages.adding(Segment), segment_values(segment.program, **values)))
    assert says in page
    assert Segment.objects.filter(program=segment.program).count() == 1


# Campaigns


def test_makes_a_draft_shows_what_it_costs_and_starts_it(
    *, maker: Browser, starter: Browser, segment: Segment, definition: PointDefinition, customer: Customer, till: Till
) -> None:
    CustomerFactory(program=segment.program, name="Bob")
    answer = maker.post(pages.adding(AwardCampaign), campaign_values(segment, definition))
    assert answer.status_code == 302, pages.text(answer)
    campaign = AwardCampaign.objects.get(program=segment.program)
    assert "Points in all 100 They" in pages.text(maker.get(pages.of(campaign, "preview")))
    PointDefinition.objects.filter(pk=definition.pk).update(point_value="0.01")
    page = pages.text(maker.get(pages.of(campaign, "preview")))
    assert "How many 2 customers" in page
    # 2 customers, 50 points each, a cent a point.
    assert "Points in all 100 (worth 1.00 EUR)" in page
    assert "Alice Adams" in page
    assert maker.get(pages.of(campaign, "start")).status_code == 403

    page = pages.text(starter.get(pages.of(campaign, "start")))
    assert "Points in all 100" in page
    page = pages.text(start(starter, campaign))
    assert "It runs." in page
    assert f"Started staff:{starter.user.username}" in page
    assert JobRun.objects.filter(task_path="campaigns.tasks.award_campaigns").count() == 1
    assert till.rows() == []
    work()
    assert till.balance == 50
    page = pages.text(starter.get(pages.of(campaign)))
    assert "Awarded 2 (100 points)" in page
    assert "Points now 100 (worth 1.00 EUR)" in page
    assert f"Made staff:{maker.user.username}" in page


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"points": "0"}, "greater than or equal to 0.01"),
        ({"points": "1.5"}, "Points have no decimals."),
        ({"expiry": "date"}, "Say when."),
        ({"expiry": "days", "expires_after_days": "0"}, "greater than or equal to 1"),
        ({"reason": ""}, "This field is required."),
    ],
)
def test_refuses_a_campaign_that_cannot_be_awarded(
    maker: Browser, segment: Segment, definition: PointDefinition, values: dict[str, Any], says: str
) -> None:
    page = pages.text(maker.post(pages.adding(AwardCampaign), campaign_values(segment, definition, **values)))
    assert says in page
    assert not AwardCampaign.objects.filter(program=segment.program).exists()


def test_refuses_what_is_another_programmes(maker: Browser, segment: Segment, definition: PointDefinition) -> None:
    other = Program.objects.create(slug=f"other-{segment.pk.hex[-12:]}", name="Other Shop")
    values = campaign_values(segment, definition, program=other.pk)
    assert "another programme" in pages.text(maker.post(pages.adding(AwardCampaign), values))
    assert not AwardCampaign.objects.filter(program=other).exists()


def test_tells_the_points_of_programmes_apart_until_one_is_chosen(
    maker: Browser, segment: Segment, definition: PointDefinition, campaign: AwardCampaign
) -> None:
    other = definitions.create_program(slug=f"other-{segment.pk.hex[-12:]}", name="Other Shop")
    for model in (Segment, AwardCampaign):
        page = pages.text(maker.get(pages.adding(model)))
        assert f"{definition} · {definition.program}" in page
        assert f"{definition} · {other}" in page
    assert f"{segment} · {segment.program}" in page
    assert str(other) not in pages.text(maker.get(pages.of(campaign)))


def test_starts_nothing_else_than_what_was_looked_at(starter: Browser, campaign: AwardCampaign) -> None:
    page = pages.text(start(starter, campaign, version=7))
    assert "The segment was changed since you looked at it." in page
    assert state(campaign) == "draft"


def test_offers_no_start_where_nobody_would_get_points(starter: Browser, campaign: AwardCampaign) -> None:
    page = starter.get(pages.of(campaign, "start"))
    assert "How many 0 customers" in pages.text(page)
    assert 'name="segment_version"' not in page.content.decode()


def test_is_not_edited_once_it_was_started(
    maker: Browser, starter: Browser, campaign: AwardCampaign, customer: Customer
) -> None:
    start(starter, campaign)
    page = maker.get(pages.of(campaign))
    assert 'name="_save"' not in page.content.decode()
    values = campaign_values(campaign.segment, campaign.definition, points="5000")
    assert maker.post(pages.of(campaign), values).status_code == 403
    work()
    assert AwardCampaign.objects.get(pk=campaign.pk).points == 50


def test_says_so_where_it_is_started_while_it_is_edited(
    maker: Browser, campaign: AwardCampaign, customer: Customer
) -> None:
    values = campaign_values(campaign.segment, campaign.definition, points="5000")
    version = campaign.segment.version
    with transaction.atomic():
        campaigns.start(campaign_id=campaign.pk, segment_version=version, actor="staff:stella", at=NOON)
        edit = Waiting(lambda: maker.post(pages.of(campaign), values, follow=True))

    assert "This cannot be done with the campaign as it is now." in pages.text(edit.result())
    campaign.refresh_from_db()
    assert (campaign.state, campaign.points) == ("running", 50)


def test_pauses_resumes_and_cancels_and_says_who_did(
    starter: Browser, campaign: AwardCampaign, customer: Customer, till: Till
) -> None:
    start(starter, campaign)
    for deed, after in (("pause", "paused"), ("resume", "running"), ("pause", "paused"), ("cancel", "cancelled")):
        assert starter.get(pages.of(campaign, deed)).status_code == 200
        starter.post(pages.of(campaign, deed))
        assert state(campaign) == after
    work()
    assert till.rows() == []
    deeds = CampaignDeed.objects.filter(campaign=campaign).order_by("id").values_list("deed", "actor")
    by = f"staff:{starter.user.username}"
    assert [*deeds] == [(deed, by) for deed in ("Started", "Paused", "Resumed", "Paused", "Cancelled")]
    page = pages.text(starter.post(pages.of(campaign, "resume")))
    assert "This cannot be done with the campaign as it is now." in page
    assert state(campaign) == "cancelled"


def test_undoes_what_was_awarded(starter: Browser, campaign: AwardCampaign, customer: Customer, till: Till) -> None:
    start(starter, campaign)
    work()
    assert "It can be undone until" in pages.text(starter.get(pages.of(campaign)))
    assert "This field is required." in pages.text(starter.post(pages.of(campaign, "undo")))
    assert state(campaign) == "done"
    starter.post(pages.of(campaign, "undo"), {"reason": "Sent by mistake"})
    work()
    assert state(campaign) == "undone"
    assert till.history() == [("award", 50), ("reverse", -50)]
    page = pages.text(starter.get(pages.of(campaign)))
    assert "Undone 1 (50 points)" in page
    assert "Points now 0" in page


def test_tells_how_far_it_is_as_a_part_of_the_page(
    looker: Browser, starter: Browser, campaign: AwardCampaign, customer: Customer
) -> None:
    start(starter, campaign)
    address = reverse("admin:campaigns_awardcampaign_progress", args=[campaign.pk])
    page = looker.get(pages.of(campaign)).content.decode()
    assert f'data-address="{address}"' in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    assert 'data-state="running"' in looker.get(address).content.decode()
    work()
    told = looker.get(address)
    assert 'data-state="done"' in told.content.decode()
    assert "Awarded 1 (50 points)" in pages.text(told)
    assert "noscript" not in looker.get(pages.of(campaign)).content.decode().split("campaign-progress")[1][:3000]


def test_lists_what_became_of_each_customer_page_by_page(
    looker: Browser, starter: Browser, campaign: AwardCampaign, program: Program, definition: PointDefinition
) -> None:
    rich = CustomerFactory(program=program, name="Rich")
    Till(AccountRef(program=program, definition=definition, customer_id=rich.pk)).award(10**15 - 1)
    for n in range(60):
        CustomerFactory(program=program, name=f"Customer {n:02}")
    start(starter, campaign)
    work()
    listing = pages.of(campaign, "customers")
    page = pages.text(looker.get(listing))
    assert "Rich" in page
    assert "Customer 48" in page
    assert "Customer 49" not in page
    after = CampaignCustomer.objects.get(campaign=campaign, position=50)
    page = pages.text(looker.get(listing, {"after": str(after.customer_id)}))
    assert "Customer 49" in page
    assert "Customer 48" not in page
    page = pages.text(looker.get(listing, {"state": "refused"}))
    assert "Rich" in page
    assert "The account would need more than 15 digits." in page
    assert "Customer 00" not in page
    page = pages.text(looker.get(listing, {"state": "awarded", "after": "51"}))
    assert "Customer 50" in page
    assert "Customer 49" not in page
    assert looker.get(listing, {"state": "\0", "after": "'; DROP"}).status_code == 200


def test_is_downloaded_as_a_table_in_which_nothing_is_a_formula(
    looker: Browser, starter: Browser, campaign: AwardCampaign, program: Program
) -> None:
    CustomerFactory(program=program, name="=HYPERLINK(1)", email="a@example.com", external_id="+1+1")
    CustomerFactory(program=program, name="Bob, the second", email=None)
    start(starter, campaign)
    work()
    address = reverse("admin:campaigns_awardcampaign_download", args=[campaign.pk])
    answer = looker.get(address)
    assert answer.streaming
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert [(row["name"], row["external_id"], row["state"], row["points"]) for row in rows] == [
        ("'=HYPERLINK(1)", "'+1+1", "awarded", "50"),
        ("Bob, the second", "", "awarded", "50"),
    ]
    audited = AuditEntry.objects.get(user_id=looker.user.pk, program=program)
    assert (audited.action, audited.facts["rows"]) == ("exported", "campaign customers")
    assert len(list(csv.reader(io.StringIO(b"".join(looker.get(address, {"state": "refused"})).decode())))) == 1
    assert staff("Nils", ["view_awardcampaign"]).get(address).status_code == 403


# Who may


@pytest.mark.parametrize("deed", ["start", "pause", "resume", "cancel", "undo"])
def test_only_those_start_and_end_it_who_may(
    looker: Browser, maker: Browser, campaign: AwardCampaign, deed: str
) -> None:
    for somebody in (looker, maker):
        assert somebody.get(pages.of(campaign, deed)).status_code == 403
        assert somebody.post(pages.of(campaign, deed), {"segment_version": 1, "reason": "x"}).status_code == 403
    assert state(campaign) == "draft"


def test_who_may_see_nothing_sees_nothing(campaign: AwardCampaign, segment: Segment) -> None:
    nobody = staff("Nora", [])
    for address in (
        pages.listing(AwardCampaign),
        pages.listing(Segment),
        pages.of(campaign),
        pages.of(segment),
        pages.of(campaign, "preview"),
        pages.of(campaign, "customers"),
        pages.of(segment, "count"),
        reverse("admin:campaigns_awardcampaign_progress", args=[campaign.pk]),
        reverse("admin:campaigns_awardcampaign_download", args=[campaign.pk]),
    ):
        assert nobody.get(address).status_code == 403


def test_a_viewer_who_may_not_see_customers_sees_no_names(
    starter: Browser, campaign: AwardCampaign, customer: Customer
) -> None:
    start(starter, campaign)
    work()
    somebody = staff("Saul", ["view_awardcampaign", "view_segment"])
    for address in (pages.of(campaign, "customers"), pages.of(campaign, "preview")):
        assert "Alice" not in pages.text(somebody.get(address))


def test_a_viewer_sees_lists_and_pages(looker: Browser, campaign: AwardCampaign, segment: Segment) -> None:
    assert "Spring" in pages.text(looker.get(pages.listing(AwardCampaign)))
    assert "All customers" in pages.text(looker.get(pages.listing(Segment)))
    for row in (campaign, segment):
        page = looker.get(pages.of(row))
        assert page.status_code == 200
        assert 'name="_save"' not in page.content.decode()


def test_asks_again_where_a_batch_takes_too_long(
    as_served: None, starter: Browser, campaign: AwardCampaign, customer: Customer
) -> None:
    start(starter, campaign)

    def hold() -> None:
        share = CampaignShare.objects.create(campaign=campaign)
        with transaction.atomic():
            CampaignShare.objects.select_for_update().get(pk=share.pk)
            locked.set()
            over.wait(60)
        connection.close()

    locked, over = threading.Event(), threading.Event()
    worker = threading.Thread(target=hold)
    worker.start()
    try:
        assert locked.wait(60)
        page = pages.text(starter.post(pages.of(campaign, "pause")))
    finally:
        over.set()
        worker.join(60)
    assert "Pause?" in page
    assert state(campaign) == "running"
    starter.post(pages.of(campaign, "pause"))
    assert state(campaign) == "paused"
