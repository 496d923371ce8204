"""Sending the points of campaigns, and taking them back: a batch in each transaction, in which the customers' rows say
what became of them. So a worker that is killed has done a batch or not, and another one goes on.

A batch claims rows of customers that no other worker has, then the ledger locks their accounts. The entry of a customer
has an id that is worked out from both, so that no accident could post it twice. Who was merged into another by then is
that one: of two who are one person by then, one gets the points. Who was erased gets none.
"""

import dataclasses
import datetime
import functools
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal

import orjson
from django.db import connection, transaction
from django.utils import timezone

from campaigns import campaigns, freezing
from campaigns.models import AwardCampaign, CampaignCustomer, CampaignShare
from loyalty import garbage, ids, pace, retry
from loyalty.postgres import arrays
from notices import facts, queueing
from notices.kinds import Kind
from points import ledger
from points.lots import ZERO
from points.models import AccountRef, EntryType

Campaign = AwardCampaign.State
Customer = CampaignCustomer.State

# Longer than a sweep: of a million accounts a batch locks some hundreds, so hardly any till meets one of them, and one
# that does waits for one worker.
BATCH_SECONDS = 0.2
# On a machine that is busy, too: below that, most of the time goes into what a batch costs however small it is.
LEAST, LEAST_TO_UNDO = 100, 10
# How often a worker looks again whether another one has left anything.
POLL_SECONDS = 0.2
_LONGEST_REFUSAL = 200


@dataclasses.dataclass(slots=True)
class Tally:
    """What a worker did."""

    awarded: int = 0
    refused: int = 0
    undone: int = 0
    not_undone: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A customer of a campaign whose turn it is, and whom that customer was merged into."""

    customer_id: uuid.UUID
    position: int
    entry_id: uuid.UUID | None
    heir_id: uuid.UUID | None
    is_erased: bool

    @property
    def owner_id(self) -> uuid.UUID:
        """Who has the points now."""
        return self.heir_id or self.customer_id


@dataclasses.dataclass(frozen=True, slots=True)
class Fate:
    """What became of a customer of a campaign."""

    customer_id: uuid.UUID
    state: Customer
    entry_id: uuid.UUID | None = None
    undo_entry_id: uuid.UUID | None = None
    points: Decimal = ZERO
    shortfall: Decimal = ZERO
    refusal: str = ""


class _Merged(Exception):
    """Unwinds a batch in which a customer was merged into another while it waited."""


def is_there_work() -> bool:
    """This will tell whether a campaign has customers whose turn it is."""
    return AwardCampaign.objects.filter(state__in=[Campaign.RUNNING, Campaign.UNDOING]).exists()


def work(*, seconds: float, stop: threading.Event) -> Tally:
    """This will send or take back the points of all campaigns that are to, the one first that was started first, until
    there is nothing more to do, the time is over or it is told to stop. Several may do it at once.

    Raises:
        errors.Unavailable: the database did not answer in time. What was done stays done.
    """
    tally, end = Tally(), time.monotonic() + seconds

    def has_time() -> bool:
        return time.monotonic() < end and not stop.is_set()

    while has_time():
        rows = AwardCampaign.objects.filter(state__in=[Campaign.RUNNING, Campaign.UNDOING])
        campaign = rows.select_related("program").order_by("started_at", "id").first()
        if campaign is None:
            break
        _work_on(campaign, tally, has_time)
    return tally


def _work_on(campaign: AwardCampaign, tally: Tally, has_time: Callable[[], bool]) -> None:
    share = _take_share(campaign.pk, campaign.state)
    if share is None:
        return
    if campaign.state == Campaign.RUNNING:
        freezing.freeze(campaign, is_wanted=has_time, at=timezone.now())
    worker = _Worker(campaign.pk, Campaign(campaign.state), share, tally)
    while has_time():
        if not worker.go_through(has_time):
            return
        if retry.run(lambda: campaigns.finish(campaign_id=campaign.pk, at=timezone.now())):
            return
        # Another is at the last ones, or still writes down whom it is for.
        time.sleep(POLL_SECONDS)


def _take_share(campaign_id: uuid.UUID, state: str) -> CampaignShare | None:
    """This will make this run's share of a campaign, if it is still in that state: under the campaign's lock, so that
    whoever changes its state knows of all shares."""
    with transaction.atomic():
        campaign = AwardCampaign.objects.select_for_update(no_key=True).get(pk=campaign_id)
        return CampaignShare.objects.create(campaign=campaign) if campaign.state == state else None


class _Worker:
    """One run's work on one campaign, in one state of it."""

    def __init__(self, campaign_id: uuid.UUID, state: Campaign, share: CampaignShare, tally: Tally) -> None:
        self.campaign_id, self.state, self.share, self.tally = campaign_id, state, share, tally
        self.waiting = Customer.WAITING if state == Campaign.RUNNING else Customer.AWARDED
        # A reversal reads what it undoes, one by one.
        least = LEAST if state == Campaign.RUNNING else LEAST_TO_UNDO
        self.pace = pace.Pace(first=least, least=least, seconds=BATCH_SECONDS)

    def go_through(self, has_time: Callable[[], bool]) -> bool:
        """This will do one batch after another, and answer False where the campaign is in another state by now."""
        # Onwards: rows that are done would be looked at again and again by whoever begins anew each time.
        after = 0
        while has_time():
            started = time.monotonic()
            try:
                with garbage.left_alone():
                    members = retry.run(functools.partial(self._batch, after))
            except _Merged:
                continue
            if members is None:
                return False
            if not members:
                return True
            after = members[-1].position
            self.pace.note(rows=len(members), seconds=time.monotonic() - started)
        return True

    def _batch(self, after: int) -> list[Member] | None:
        """This will do the next batch, and answer whose turn it was; None: the campaign is in another state.

        Raises:
            _Merged: a customer was merged into another meanwhile; nothing is done.
        """
        with transaction.atomic():
            # Whoever pauses the campaign waits for this, and this for whoever pauses it.
            share = CampaignShare.objects.select_for_update(no_key=True).get(pk=self.share.pk)
            campaign = AwardCampaign.objects.select_related("program", "definition").get(pk=self.campaign_id)
            if campaign.state != self.state:
                return None
            members = _claim(campaign, self.waiting, after=after, most=self.pace.size)
            if not members:
                return []
            do = _award if self.state == Campaign.RUNNING else _undo
            fates = do(campaign, members, at=timezone.now())
            _mark(campaign, fates)
            _count(share, fates)
        self._tell(fates)
        return members

    def _tell(self, fates: Sequence[Fate]) -> None:
        self.tally.awarded += _how_many(fates, Customer.AWARDED)
        self.tally.refused += _how_many(fates, Customer.REFUSED)
        self.tally.undone += _how_many(fates, Customer.UNDONE)
        self.tally.not_undone += _how_many(fates, Customer.KEPT)


_CLAIM = """
SELECT r.customer_id, r.position, r.entry_id, c.merged_into_id, c.erased_at IS NOT NULL
FROM campaigns_campaigncustomer r JOIN cards_customer c ON c.id = r.customer_id
WHERE r.campaign_id = %s AND r.state = %s AND r.position > %s
ORDER BY r.position LIMIT %s FOR NO KEY UPDATE OF r SKIP LOCKED
"""


def _claim(campaign: AwardCampaign, state: Customer, *, after: int, most: int) -> list[Member]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [campaign.pk, state.value, after, most])
        return [Member(*row) for row in cursor.fetchall()]


def entry_id(campaign_id: uuid.UUID, customer_id: uuid.UUID) -> uuid.UUID:
    """This will answer the id of the entry by which a campaign awards its points to a customer."""
    return ids.named_id(campaign_id, str(customer_id))


def _award(campaign: AwardCampaign, members: Sequence[Member], *, at: datetime.datetime) -> list[Fate]:
    """This will post the points of a campaign to its customers.

    Raises:
        _Merged: one of them was merged into another while this waited.
    """
    note = ledger.Note(reason=campaign.reason, actor=campaign.actor, metadata={facts.CAMPAIGN: campaign.public_id})
    living = [member for member in members if not member.is_erased]
    outcomes = ledger.post_many(
        [
            ledger.Posting(
                type=EntryType.AWARD,
                account=_account(campaign, member),
                points=campaign.points,
                at=at,
                note=note,
                expires_at=campaign.expires_at,
                entry_id=entry_id(campaign.pk, member.owner_id),
                is_named=True,
            )
            for member in living
        ]
    )
    _check_owners(outcomes)
    if campaign.tells_customers:
        told = [_news(campaign, outcome) for outcome in outcomes if outcome.entry is not None]
        queueing.queue(program=campaign.program, kind=Kind.GIVEN, news=told, at=at)
    fates = [_refused(member, "The customer was erased.") for member in members if member.is_erased]
    return fates + [_awarded(member, outcome) for member, outcome in zip(living, outcomes, strict=True)]


def _news(campaign: AwardCampaign, outcome: ledger.Outcome) -> queueing.News:
    entry = outcome.entry
    assert entry is not None
    return queueing.News(
        customer_id=outcome.posting.account.customer_id,
        subject_id=entry.id,
        facts={
            "points": str(entry.points),
            "balance": str(entry.balance_after),
            "reason": campaign.reason,
            "date": entry.effective_at.isoformat(),
        },
    )


def _awarded(member: Member, outcome: ledger.Outcome) -> Fate:
    if outcome.entry is not None:
        return Fate(member.customer_id, Customer.AWARDED, outcome.entry.id, points=outcome.entry.points)
    if outcome.earlier is not None:
        return _refused(member, "Another customer of the campaign is the same person.")
    return _refused(member, str(outcome.refusal))


def _refused(member: Member, why: str) -> Fate:
    return Fate(member.customer_id, Customer.REFUSED, refusal=why[:_LONGEST_REFUSAL])


def _undo(campaign: AwardCampaign, members: Sequence[Member], *, at: datetime.datetime) -> list[Fate]:
    """This will reverse what a campaign awarded to its customers, as the clawback of each award says.

    Raises:
        _Merged: one of them was merged into another while this waited.
    """
    note = ledger.Note(
        reason=campaign.undo_reason, actor=campaign.undo_actor, metadata={facts.CAMPAIGN: campaign.public_id}
    )
    outcomes = ledger.post_many(
        [
            ledger.Posting(
                type=EntryType.REVERSE,
                account=_account(campaign, member),
                points=None,
                at=at,
                note=note,
                reverses_id=member.entry_id,
                entry_id=ids.named_id(campaign.pk, f"undo:{member.entry_id}"),
                is_named=True,
            )
            for member in members
        ]
    )
    _check_owners(outcomes)
    return [_taken(member, outcome) for member, outcome in zip(members, outcomes, strict=True)]


def _taken(member: Member, outcome: ledger.Outcome) -> Fate:
    entry = outcome.entry or outcome.earlier
    if entry is None:
        why = "The customer was erased." if member.is_erased else str(outcome.refusal)
        return Fate(member.customer_id, Customer.KEPT, member.entry_id, refusal=why[:_LONGEST_REFUSAL])
    return Fate(
        member.customer_id,
        Customer.UNDONE,
        member.entry_id,
        undo_entry_id=entry.id,
        points=-entry.points,
        shortfall=entry.shortfall,
    )


def _account(campaign: AwardCampaign, member: Member) -> AccountRef:
    return AccountRef(program=campaign.program, definition=campaign.definition, customer_id=member.owner_id)


def _check_owners(outcomes: Sequence[ledger.Outcome]) -> None:
    """This will see that nobody was merged after the claim: whoever it is now may have the points already.

    Raises:
        _Merged: somebody was.
    """
    if any(outcome.posting.came_from for outcome in outcomes):
        raise _Merged


# The campaign stands in each row, so that the planner looks each customer up by both: of a campaign that it has no
# statistics of, it takes all customers for a few.
_MARK = """
UPDATE campaigns_campaigncustomer r SET state = f.state, entry_id = f.entry_id, undo_entry_id = f.undo_entry_id,
    shortfall = f.shortfall, refusal = f.refusal
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::uuid[], %s::uuid[], %s::numeric[], %s::text[])
    AS f (campaign_id, customer_id, state, entry_id, undo_entry_id, shortfall, refusal)
WHERE r.campaign_id = f.campaign_id AND r.customer_id = f.customer_id
"""


def _mark(campaign: AwardCampaign, fates: Sequence[Fate]) -> None:
    rows = [
        (campaign.pk, f.customer_id, f.state.value, f.entry_id, f.undo_entry_id, f.shortfall, f.refusal) for f in fates
    ]
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [arrays.literal(column) for column in zip(*rows, strict=True)])


_COUNT = """
UPDATE campaigns_campaignshare SET awarded = awarded + %s, refused = refused + %s, undone = undone + %s,
    kept = kept + %s, points_awarded = points_awarded + %s, points_taken = points_taken + %s,
    points_short = points_short + %s, refusals = %s::jsonb
WHERE id = %s
"""


def _count(share: CampaignShare, fates: Sequence[Fate]) -> None:
    """This will add what was done to a share, whose row is locked."""
    refusals = share.refusals
    for fate in fates:
        if fate.refusal:
            refusals[fate.refusal] = refusals.get(fate.refusal, 0) + 1
    numbers = [
        _how_many(fates, state) for state in (Customer.AWARDED, Customer.REFUSED, Customer.UNDONE, Customer.KEPT)
    ]
    points = [_sum(fates, Customer.AWARDED), _sum(fates, Customer.UNDONE), sum((f.shortfall for f in fates), ZERO)]
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [*numbers, *points, orjson.dumps(refusals).decode(), share.pk])


def _how_many(fates: Sequence[Fate], state: Customer) -> int:
    return sum(fate.state == state for fate in fates)


def _sum(fates: Sequence[Fate], state: Customer) -> Decimal:
    return sum((fate.points for fate in fates if fate.state == state), ZERO)
