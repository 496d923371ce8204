"""A shop with customers, and campaigns for them, as staff and the worker do it."""

import threading
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from campaigns import awarding, campaigns
from campaigns.models import AwardCampaign, CampaignCustomer, Segment
from cards.models import Customer
from loyalty.models import Program
from points.models import AccountRef, PointDefinition, PointTransaction
from tests.factories import CustomerFactory
from tests.points.till import Till

MARY = "staff:mary"


def make_segment(program: Program, **conditions: Any) -> Segment:
    """Everybody, unless something is asked for."""
    named = {"program": program, "name": f"Segment {Segment.objects.count()}", "changed_by": MARY}
    return Segment.objects.create(**named | {"changed_at": timezone.now()} | conditions)


def make_campaign(segment: Segment, definition: PointDefinition, points: Any = 50, **options: Any) -> AwardCampaign:
    named = {"program": segment.program, "segment": segment, "definition": definition, "points": points}
    told = {"name": f"Campaign {AwardCampaign.objects.count()}", "reason": "Birthday of the shop"}
    return AwardCampaign.objects.create(**named | told | options)


def start(campaign: AwardCampaign) -> AwardCampaign:
    campaigns.start(campaign_id=campaign.pk, segment_version=campaign.segment.version, actor=MARY, at=timezone.now())
    campaign.refresh_from_db()
    return campaign


def work() -> awarding.Tally:
    """As the job does it, in this process."""
    return awarding.work(seconds=60, stop=threading.Event())


def undo(campaign: AwardCampaign) -> None:
    campaigns.undo(campaign_id=campaign.pk, reason="A mistake", actor=MARY, at=timezone.now())


def state(campaign: AwardCampaign) -> str:
    return AwardCampaign.objects.get(pk=campaign.pk).state


def fates(campaign: AwardCampaign) -> list[str]:
    rows = CampaignCustomer.objects.filter(campaign=campaign).order_by("position")
    return list(rows.values_list("state", flat=True))


def till_of(customer: Customer, definition: PointDefinition) -> Till:
    return Till(AccountRef(program=customer.program, definition=definition, customer_id=customer.pk))


def awards(program: Program) -> list[int]:
    """How many awards each customer's account has, of those that have any."""
    rows = PointTransaction.objects.filter(program=program, type="award")
    counts: dict[Any, int] = {}
    for account_id in rows.values_list("account_id", flat=True):
        counts[account_id] = counts.get(account_id, 0) + 1
    return sorted(counts.values())


def many(program: Program, count: int) -> Sequence[Customer]:
    """So many customers, in the order of their ids."""
    return Customer.objects.bulk_create(
        CustomerFactory.build_batch(count, program=program, email=None), batch_size=1_000
    )


def plan(sql: str, known: dict[str, Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", known)
        return "\n".join(line for (line,) in cursor.fetchall())
