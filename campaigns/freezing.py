"""Writing down whom a campaign is for: what happens to a segment later changes nothing of it.

The customers are selected once, without a transaction that writes: lists over a programme never show a row while one
runs that could still write an earlier row. They wait on the server and are written down a page at a time.
"""

import contextlib
import datetime
import uuid
from collections.abc import Callable, Iterator

from django.db import connection, transaction

from campaigns import segments
from campaigns.conditions import Conditions
from campaigns.models import AwardCampaign
from loyalty.postgres import arrays

PAGE = 5_000
SELECT_MINUTES = 15
_CURSOR = "campaign_customers"

# The rows come in the order of the array.
_WRITE = """
INSERT INTO campaigns_campaigncustomer (campaign_id, customer_id, position, state, shortfall, refusal)
SELECT %(campaign)s, n.customer_id, %(before)s + n.place, 'waiting', 0, ''
FROM unnest(%(customers)s::uuid[]) WITH ORDINALITY AS n (customer_id, place) ORDER BY n.place
ON CONFLICT DO NOTHING
"""


def freeze(campaign: AwardCampaign, *, is_wanted: Callable[[], bool], at: datetime.datetime) -> None:
    """This will write down the customers of a running campaign, from where it stopped; not while another does."""
    with _alone(campaign.pk) as is_alone:
        if not is_alone:
            return
        campaign.refresh_from_db()
        if campaign.frozen_at is not None:
            return
        with _selected(campaign, at):
            while is_wanted():
                customers = _next_page()
                if not _write(campaign, customers, at) or not customers:
                    return


@contextlib.contextmanager
def _alone(campaign_id: uuid.UUID) -> Iterator[bool]:
    # It spares work and holds nothing together: two at once would find each other's rows.
    name = f"freeze:{campaign_id}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        is_alone = cursor.fetchone()[0]
        try:
            yield is_alone
        finally:
            # Where the connection was lost, so was the lock.
            if is_alone and connection.is_usable():
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


@contextlib.contextmanager
def _selected(campaign: AwardCampaign, at: datetime.datetime) -> Iterator[None]:
    """This will have the ids of the customers that are still to be written down wait on the server."""
    sql, known = segments.select(program=campaign.program, conditions=Conditions.read(campaign.conditions), at=at)
    if campaign.frozen_to_id is not None:
        sql, known = f"{sql} AND c.id > %(after)s", known | {"after": campaign.frozen_to_id}
    with transaction.atomic(), connection.cursor() as cursor:
        # They are selected as this ends.
        cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", [f"{SELECT_MINUTES}min"])
        cursor.execute(f"DECLARE {_CURSOR} NO SCROLL CURSOR WITH HOLD FOR {sql} ORDER BY c.id", known)
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute(f"CLOSE {_CURSOR}")


def _next_page() -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(f"FETCH FORWARD {PAGE} FROM {_CURSOR}")
        return [customer_id for (customer_id,) in cursor.fetchall()]


def _write(campaign: AwardCampaign, customers: list[uuid.UUID], at: datetime.datetime) -> bool:
    """This will write down a page of customers, or that there are no more, and answer whether the campaign still
    runs."""
    with transaction.atomic():
        row = AwardCampaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if row.state != AwardCampaign.State.RUNNING or row.frozen_to_id != campaign.frozen_to_id:
            return False
        if not customers:
            row.frozen_at = at
            row.save(update_fields=["frozen_at"])
            return True
        with connection.cursor() as cursor:
            cursor.execute(
                _WRITE, {"campaign": row.pk, "before": row.customers, "customers": arrays.literal(customers)}
            )
        row.customers += len(customers)
        row.frozen_to_id = customers[-1]
        row.save(update_fields=["customers", "frozen_to_id"])
    campaign.frozen_to_id = row.frozen_to_id
    return True
