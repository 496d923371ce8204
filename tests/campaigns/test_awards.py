"""A campaign that runs: every customer who was there at its start gets the points once."""

import datetime
import threading
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from campaigns import awarding, campaigns, freezing, report, tasks
from campaigns.models import AwardCampaign, CampaignCustomer, CampaignDeed
from cards.models import Customer
from loyalty.models import Program
from points.models import PointDefinition, PointTransaction
from rewards import persons
from tests.campaigns.shop import (
    MARY,
    awards,
    fates,
    make_campaign,
    make_segment,
    many,
    start,
    state,
    till_of,
    undo,
    work,
)
from tests.factories import CustomerFactory, make_definition
from tests.points.till import NOON, breaches, days


def test_awards_every_customer_once(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer, campaign: AwardCampaign
) -> None:
    start(campaign)
    assert work() == awarding.Tally(awarded=2)

    assert [till_of(one, definition).balance for one in (alice, bob)] == [50, 50]
    [entry] = till_of(alice, definition).entries()
    assert (entry.type, entry.reason, entry.actor) == ("award", "Birthday of the shop", MARY)
    assert entry.metadata == {"award_campaign": campaign.public_id}
    assert state(campaign) == "done"
    assert fates(campaign) == ["awarded", "awarded"]
    told = report.of(AwardCampaign.objects.get(pk=campaign.pk))
    assert (told.customers, told.awarded, told.points_awarded, told.percent) == (2, 2, 50 + 50, 100)
    assert [deed.deed for deed in CampaignDeed.objects.filter(campaign=campaign).order_by("id")] == ["Started", "Done"]
    assert breaches(program) == set()


def test_awards_nobody_twice_when_the_job_runs_again(
    program: Program, alice: Customer, bob: Customer, campaign: AwardCampaign
) -> None:
    start(campaign)
    work()
    assert work() == awarding.Tally()
    assert awards(program) == [1, 1]


def test_awards_nothing_before_it_is_started(program: Program, alice: Customer, campaign: AwardCampaign) -> None:
    assert work() == awarding.Tally()
    assert state(campaign) == "draft"
    assert awards(program) == []


def test_is_for_those_who_were_there_at_its_start(program: Program, alice: Customer, campaign: AwardCampaign) -> None:
    start(campaign)
    work()
    CustomerFactory(program=program)
    work()
    assert awards(program) == [1]


def test_leaves_customers_of_other_programmes_alone(
    definition: PointDefinition, alice: Customer, campaign: AwardCampaign
) -> None:
    other = Program.objects.create(slug=f"other-{campaign.pk.hex[-12:]}", name="Other Shop")
    make_definition(other)
    stranger = CustomerFactory(program=other)
    start(campaign)
    work()
    assert awards(other) == []
    assert not CampaignCustomer.objects.filter(customer=stranger).exists()


def test_awards_nobody_who_was_erased_meanwhile(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer, campaign: AwardCampaign
) -> None:
    till_of(alice, definition).award(1)
    segment = make_segment(program)
    campaign = start(make_campaign(segment, definition))
    freeze(campaign)
    persons.erase(customer=alice, actor=MARY, at=timezone.now())
    assert work() == awarding.Tally(awarded=1, refused=1)
    told = report.of(AwardCampaign.objects.get(pk=campaign.pk))
    assert told.refusals == {"The customer was erased.": 1}
    assert till_of(alice, definition).balance == 0


def test_awards_two_customers_once_who_turn_out_to_be_one(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer, campaign: AwardCampaign
) -> None:
    start(campaign)
    freeze(campaign)
    persons.merge(customer=alice, into=bob, actor=MARY, at=timezone.now())
    assert work() == awarding.Tally(awarded=1, refused=1)
    assert till_of(bob, definition).balance == 50
    undo(campaign)
    assert work() == awarding.Tally(undone=1)
    assert till_of(bob, definition).balance == 50 - 50
    assert breaches(program) == set()


def test_refuses_points_beyond_what_an_account_can_hold(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer, campaign: AwardCampaign
) -> None:
    till_of(alice, definition).award(10**15 - 1)
    start(campaign)
    assert work() == awarding.Tally(awarded=1, refused=1)
    told = report.of(AwardCampaign.objects.get(pk=campaign.pk))
    assert told.refusals == {"The account would need more than 15 digits.": 1}
    assert (told.awarded, told.refused, told.waiting, told.percent) == (1, 1, 0, 100)


def test_adds_up_more_points_than_one_account_can_hold(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer
) -> None:
    most = 10**15 - 1
    campaign = start(make_campaign(make_segment(program), definition, points=most))
    assert work() == awarding.Tally(awarded=2)
    assert report.of(campaign).points_awarded == 2 * most
    undo(campaign)
    assert work() == awarding.Tally(undone=2)
    assert report.of(campaign).points_taken == 2 * most
    assert breaches(program) == set()


def test_points_end_as_the_definition_says_on_a_date_or_after_days(
    clock: time_machine.Traveller, program: Program, alice: Customer
) -> None:
    definition = make_definition(program, code="soon", expiry_policy="days", expiry_count=30)
    segment = make_segment(program)
    for options in (
        {},
        {"expiry": "date", "expires_on": datetime.date(2026, 3, 31)},
        {"expiry": "days", "expires_after_days": 10},
    ):
        start(make_campaign(segment, definition, **options))
    work()
    ends = [lot.expires_at for lot in till_of(alice, definition).lots()]
    # In Vilnius, where it is summer from 29 March on: 31 March ends at 21:00 UTC, and noon is an hour earlier.
    assert sorted(ends) == [
        days(10),
        datetime.datetime(2026, 3, 31, 21, tzinfo=datetime.UTC),
        days(30) - datetime.timedelta(hours=1),
    ]


def test_is_not_started_when_its_points_would_have_ended(
    clock: time_machine.Traveller, program: Program, definition: PointDefinition, alice: Customer
) -> None:
    campaign = make_campaign(make_segment(program), definition, expiry="date", expires_on=datetime.date(2026, 3, 1))
    with pytest.raises(campaigns.PointsHaveEnded):
        start(campaign)
    assert state(campaign) == "draft"


def test_is_not_started_for_a_segment_that_was_changed_since_it_was_looked_at(
    alice: Customer, campaign: AwardCampaign
) -> None:
    with pytest.raises(campaigns.SegmentChanged):
        campaigns.start(
            campaign_id=campaign.pk, segment_version=campaign.segment.version + 1, actor=MARY, at=timezone.now()
        )
    assert state(campaign) == "draft"


def test_stops_when_it_is_paused_and_goes_on_when_it_is_resumed(
    program: Program, definition: PointDefinition, campaign: AwardCampaign
) -> None:
    many(program, 300)
    start(campaign)
    freeze(campaign)
    worker = threading.Thread(target=in_a_thread)
    worker.start()
    while not PointTransaction.objects.filter(program=program).exists():
        pass
    campaigns.pause(campaign_id=campaign.pk, actor=MARY, at=timezone.now())
    paused_at = len(awards(program))
    worker.join(60)
    assert 0 < paused_at < 300
    assert len(awards(program)) == paused_at
    assert fates(campaign).count("awarded") == paused_at
    campaigns.resume(campaign_id=campaign.pk, actor=MARY, at=timezone.now())
    assert work().awarded == 300 - paused_at
    assert awards(program) == [1] * 300
    assert state(campaign) == "done"


def test_leaves_those_who_wait_when_it_is_cancelled(program: Program, campaign: AwardCampaign) -> None:
    many(program, 3)
    start(campaign)
    freeze(campaign)
    campaigns.cancel(campaign_id=campaign.pk, actor=MARY, at=timezone.now())
    assert work() == awarding.Tally()
    assert fates(campaign) == ["waiting"] * 3
    assert awards(program) == []
    for deed in (campaigns.pause, campaigns.resume, campaigns.cancel):
        with pytest.raises(campaigns.NotNow):
            deed(campaign_id=campaign.pk, actor=MARY, at=timezone.now())
    with pytest.raises(campaigns.NotNow):
        undo(campaign)


def test_runs_as_the_job_does(program: Program, alice: Customer, campaign: AwardCampaign) -> None:
    start(campaign)
    assert tasks.award_campaigns.call() == {"awarded": 1, "refused": 0, "undone": 0, "not_undone": 0}


class TestUndo:
    def test_takes_back_what_was_awarded(
        self, program: Program, definition: PointDefinition, alice: Customer, bob: Customer, campaign: AwardCampaign
    ) -> None:
        start(campaign)
        work()
        undo(campaign)
        assert state(campaign) == "undoing"
        assert work() == awarding.Tally(undone=2)
        assert state(campaign) == "undone"
        assert till_of(alice, definition).history() == [("award", 50), ("reverse", -50)]
        entry = till_of(alice, definition).entries()[-1]
        assert (entry.reason, entry.actor) == ("A mistake", MARY)
        assert report.of(AwardCampaign.objects.get(pk=campaign.pk)).cost == 2 * 50 - 2 * 50
        assert breaches(program) == set()

    @pytest.mark.parametrize(
        ("clawback", "fate", "balance", "shortfall"),
        [("refuse", "kept", 20, 0), ("to_zero", "undone", 0, 30), ("negative", "undone", -30, 0)],
    )
    def test_does_with_spent_points_as_the_clawback_says(
        self,
        *,
        program: Program,
        alice: Customer,
        clawback: str,
        fate: str,
        balance: int,
        shortfall: int,
    ) -> None:
        definition = make_definition(program, clawback=clawback, may_go_negative=clawback == "negative")
        campaign = start(make_campaign(make_segment(program), definition))
        work()
        till_of(alice, definition).redeem(30, at=timezone.now())
        undo(campaign)
        work()
        assert state(campaign) == "undone"
        [row] = CampaignCustomer.objects.filter(campaign=campaign)
        assert (row.state, row.shortfall) == (fate, shortfall)
        assert bool(row.refusal) == (fate == "kept")
        assert till_of(alice, definition).balance == Decimal(balance)
        told = report.of(AwardCampaign.objects.get(pk=campaign.pk))
        assert told.points_short == shortfall
        assert told.cost == 50 - {"refuse": 0, "to_zero": 20, "negative": 50}[clawback]
        assert breaches(program) == set()

    def test_is_refused_after_a_day(
        self, clock: time_machine.Traveller, definition: PointDefinition, alice: Customer, campaign: AwardCampaign
    ) -> None:
        start(campaign)
        work()
        clock.move_to(days(1) + datetime.timedelta(seconds=1))
        with pytest.raises(campaigns.TooLate):
            undo(campaign)
        assert till_of(alice, definition).balance == 50
        clock.move_to(days(1))
        undo(campaign)
        assert work().undone == 1

    def test_is_done_once(self, program: Program, alice: Customer, campaign: AwardCampaign) -> None:
        start(campaign)
        work()
        undo(campaign)
        work()
        with pytest.raises(campaigns.NotNow):
            undo(campaign)
        assert work() == awarding.Tally()


def freeze(campaign: AwardCampaign) -> None:
    """As a worker that is killed before it awards anything."""
    campaign = AwardCampaign.objects.select_related("program").get(pk=campaign.pk)
    freezing.freeze(campaign, is_wanted=lambda: True, at=NOON)


def in_a_thread() -> None:
    try:
        work()
    finally:
        connection.close()


def test_counts_a_programme_in_which_nobody_is(program: Program, campaign: AwardCampaign) -> None:
    start(campaign)
    assert work() == awarding.Tally()
    assert state(campaign) == "done"
