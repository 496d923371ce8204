"""What the database refuses, whoever asks and however."""

import pytest
from django.db import DatabaseError, connections, transaction

from campaigns.models import AwardCampaign, CampaignCustomer
from cards.models import Customer
from loyalty.models import Program
from points.models import PointDefinition
from tests.campaigns.shop import start, state, undo, work
from tests.factories import CustomerFactory

INSERT = (
    "INSERT INTO campaigns_campaigncustomer (campaign_id, customer_id, position, state, shortfall, refusal)"
    " VALUES (%s, %s, 9, 'waiting', 0, '')"
)


def refused(sql: str, *values: object) -> None:
    """Neither the service's role nor the owner of the tables may."""
    for alias in ("default", "owner"):
        with pytest.raises(DatabaseError), transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute(sql, list(values))


def test_a_customer_comes_to_a_campaign_once(alice: Customer, campaign: AwardCampaign) -> None:
    start(campaign)
    with connections["owner"].cursor() as cursor:
        cursor.execute(INSERT, [campaign.pk, alice.pk])
    refused(INSERT, campaign.pk, alice.pk)


def test_no_customer_comes_to_a_campaign_of_another_programme_or_that_is_whole(
    program: Program, definition: PointDefinition, alice: Customer, campaign: AwardCampaign
) -> None:
    other = Program.objects.create(slug=f"other-{alice.pk.hex[-12:]}", name="Other Shop")
    stranger = CustomerFactory(program=other)
    refused(INSERT, campaign.pk, alice.pk)
    start(campaign)
    refused(INSERT, campaign.pk, stranger.pk)
    work()
    refused(INSERT, campaign.pk, CustomerFactory(program=program).pk)


@pytest.mark.parametrize(
    "change",
    [
        "state = 'draft'",
        "state = 'running'",
        "state = 'undone'",
        "points = 1000",
        "name = 'Another'",
        "conditions = '{}'",
        "customers = 0",
        "ended_at = now() + interval '1 year'",
        "actor = 'staff:nobody'",
    ],
)
def test_a_campaign_that_is_done_never_changes(alice: Customer, campaign: AwardCampaign, change: str) -> None:
    start(campaign)
    work()
    before = AwardCampaign.objects.filter(pk=campaign.pk).values().get()
    refused(f"UPDATE campaigns_awardcampaign SET {change} WHERE id = %s", campaign.pk)
    refused("DELETE FROM campaigns_awardcampaign WHERE id = %s", campaign.pk)
    assert AwardCampaign.objects.filter(pk=campaign.pk).values().get() == before


@pytest.mark.parametrize(
    "change", ["points = 1000", "reason = 'Another'", "segment_id = segment_id", "state = 'draft'"]
)
def test_a_campaign_that_runs_stays_what_it_was_started_as(
    alice: Customer, campaign: AwardCampaign, change: str
) -> None:
    start(campaign)
    refused(f"UPDATE campaigns_awardcampaign SET {change} WHERE id = %s", campaign.pk)


def test_what_became_of_a_customer_is_written_once(
    alice: Customer, definition: PointDefinition, campaign: AwardCampaign
) -> None:
    start(campaign)
    work()
    change = "UPDATE campaigns_campaigncustomer SET {} WHERE campaign_id = %s"
    refused(change.format("state = 'waiting', entry_id = NULL"), campaign.pk)
    refused(change.format("state = 'awarded'"), campaign.pk)
    refused(change.format("state = 'kept', refusal = 'x', entry_id = gen_random_uuid()"), campaign.pk)
    refused(change.format("position = 7"), campaign.pk)
    refused(change.format("customer_id = gen_random_uuid()"), campaign.pk)
    refused("DELETE FROM campaigns_campaigncustomer WHERE campaign_id = %s", campaign.pk)
    undo(campaign)
    work()
    refused(change.format("state = 'kept', refusal = 'x', undo_entry_id = NULL"), campaign.pk)
    assert state(campaign) == "undone"
    assert CampaignCustomer.objects.get(campaign=campaign).state == "undone"


def test_what_somebody_did_is_never_rewritten(alice: Customer, campaign: AwardCampaign) -> None:
    start(campaign)
    refused("UPDATE campaigns_campaigndeed SET actor = 'staff:nobody' WHERE campaign_id = %s", campaign.pk)
    refused("DELETE FROM campaigns_campaigndeed WHERE campaign_id = %s", campaign.pk)
