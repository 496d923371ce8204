"""Award campaigns from draft to end: who may do what with them when. The points are sent by `awarding.py`.

A change of state locks the campaign and then all shares of it, each of which a worker holds while it is at a batch. So
once a campaign is paused or cancelled, nothing more is awarded.
"""

import datetime
import uuid
from collections.abc import Collection
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from campaigns.conditions import Conditions
from campaigns.models import LONGEST_ACTOR, AwardCampaign, CampaignCustomer, CampaignDeed, CampaignShare, Segment
from loyalty import errors, retry
from points import expiry

State = AwardCampaign.State

UNDO_WITHIN = datetime.timedelta(hours=24)
# Who ends what is done.
WORKER = "worker"


class NotNow(errors.Refusal):
    """The campaign is in a state in which this cannot be done with it."""

    code = "CAMPAIGN_STATE"
    status = 409
    message = "This cannot be done with the campaign as it is now."


class SegmentChanged(errors.Refusal):
    """The segment is not any more what was looked at."""

    code = "SEGMENT_CHANGED"
    status = 409
    message = "The segment was changed since you looked at it. Look at who would get points now."


class PointsHaveEnded(errors.Refusal):
    """The points would end before they are there."""

    code = "POINTS_HAVE_ENDED"
    status = 409
    message = "The points would have expired already. Choose another date."


class TooLate(errors.Refusal):
    """The campaign ended too long ago to be undone."""

    code = "TOO_LATE"
    status = 409
    message = "It ended more than 24 hours ago. What it awarded can be reversed one by one."


def start(*, campaign_id: uuid.UUID, segment_version: int, actor: str, at: datetime.datetime) -> AwardCampaign:
    """This will have a draft's points sent to all customers that its segment means from now on, as it was looked at.

    Raises:
        NotNow: it is no draft.
        SegmentChanged: the segment has another version by now.
        PointsHaveEnded: the last day of its points is over.
    """

    def once() -> AwardCampaign:
        with transaction.atomic():
            campaign = _turn(campaign_id, State.DRAFT)
            segment = Segment.objects.select_for_update(no_key=True).get(pk=campaign.segment_id)
            if segment.version != segment_version:
                raise SegmentChanged
            campaign.state, campaign.started_at, campaign.actor = State.RUNNING, at, actor[:LONGEST_ACTOR]
            campaign.expires_at = end_of_points(campaign, at=at)
            if campaign.expires_at is not None and campaign.expires_at <= at:
                raise PointsHaveEnded
            campaign.conditions = Conditions.of(segment).keep()
            campaign.save(update_fields=["state", "started_at", "actor", "expires_at", "conditions"])
            note(campaign, "Started", actor, at)
            return campaign

    return retry.run(once)


def hold_draft(campaign_id: uuid.UUID) -> None:
    """This will lock a draft, so that nobody starts it before the caller's transaction ends.

    Raises:
        NotNow: it is no draft any more.
    """
    _turn(campaign_id, State.DRAFT)


def end_of_points(campaign: AwardCampaign, *, at: datetime.datetime) -> datetime.datetime | None:
    """This will answer when the points of a campaign end that is started then; None: as the definition says."""
    zone = ZoneInfo(campaign.program.timezone)
    if campaign.expires_on is not None:
        return expiry.end_of_day(day=campaign.expires_on, zone=zone)
    if campaign.expires_after_days is not None:
        policy = expiry.Policy(kind=expiry.ExpiryPolicy.DAYS, count=campaign.expires_after_days)
        return expiry.end(policy=policy, starts_at=at, zone=zone)
    return None


def pause(*, campaign_id: uuid.UUID, actor: str, at: datetime.datetime) -> None:
    """This will send no more points until the campaign is resumed.

    Raises:
        NotNow: it is not running.
    """
    _change(campaign_id, {State.RUNNING}, State.PAUSED, actor=actor, at=at)


def resume(*, campaign_id: uuid.UUID, actor: str, at: datetime.datetime) -> None:
    """This will go on with those who wait.

    Raises:
        NotNow: it is not paused.
        PointsHaveEnded: its points have expired by now.
    """
    expires_at = AwardCampaign.objects.values_list("expires_at", flat=True).get(pk=campaign_id)
    if expires_at is not None and expires_at <= at:
        raise PointsHaveEnded
    _change(campaign_id, {State.PAUSED}, State.RUNNING, actor=actor, at=at)


def cancel(*, campaign_id: uuid.UUID, actor: str, at: datetime.datetime) -> None:
    """This will end a campaign before its end: who has points keeps them, who waits gets none.

    Raises:
        NotNow: it has ended.
    """
    _change(campaign_id, {State.DRAFT, State.RUNNING, State.PAUSED}, State.CANCELLED, actor=actor, at=at)


def undo(*, campaign_id: uuid.UUID, reason: str, actor: str, at: datetime.datetime) -> None:
    """This will take back what a campaign awarded that ended within the last day.

    Raises:
        NotNow: it has not ended, has been undone, or awarded nothing.
        TooLate: it ended before that.
    """

    def once() -> None:
        with transaction.atomic():
            campaign = _turn(campaign_id, State.DONE, State.CANCELLED)
            if campaign.ended_at is None or campaign.ended_at + UNDO_WITHIN < at:
                raise TooLate
            if not campaign.members.filter(state=CampaignCustomer.State.AWARDED).exists():
                raise NotNow("It has awarded nothing that could be taken back.")
            campaign.state, campaign.undo_reason, campaign.undo_actor = State.UNDOING, reason, actor[:LONGEST_ACTOR]
            campaign.save(update_fields=["state", "undo_reason", "undo_actor"])
            note(campaign, "Undoing", actor, at)

    retry.run(once)


def is_undoable(campaign: AwardCampaign, *, at: datetime.datetime) -> bool:
    """This will tell whether what a campaign awarded can still be taken back as a whole."""
    has_ended = campaign.state in (State.DONE, State.CANCELLED) and campaign.ended_at is not None
    return has_ended and campaign.customers > 0 and at <= campaign.ended_at + UNDO_WITHIN  # type: ignore[operator]


def finish(*, campaign_id: uuid.UUID, at: datetime.datetime) -> bool:
    """This will end a campaign in which nobody waits, or nobody's points are still to be taken back, and answer whether
    it has ended; nobody is at a batch of it meanwhile."""
    with transaction.atomic():
        campaign = AwardCampaign.objects.select_for_update(no_key=True).get(pk=campaign_id)
        _hold_shares(campaign)
        left = campaign.members
        match campaign.state:
            case State.RUNNING if campaign.frozen_at is not None:
                if left.filter(state=CampaignCustomer.State.WAITING).exists():
                    return False
                campaign.state, campaign.ended_at = State.DONE, at
                campaign.save(update_fields=["state", "ended_at"])
                note(campaign, "Done", WORKER, at)
            case State.UNDOING:
                if left.filter(state=CampaignCustomer.State.AWARDED).exists():
                    return False
                campaign.state, campaign.undone_at = State.UNDONE, at
                campaign.save(update_fields=["state", "undone_at"])
                note(campaign, "Undone", WORKER, at)
            case State.RUNNING:
                return False
    return True


_DEEDS = {State.PAUSED: "Paused", State.RUNNING: "Resumed", State.CANCELLED: "Cancelled"}


def _change(
    campaign_id: uuid.UUID, before: Collection[State], after: State, *, actor: str, at: datetime.datetime
) -> None:
    def once() -> None:
        with transaction.atomic():
            campaign = _turn(campaign_id, *before)
            campaign.state = after
            if after == State.CANCELLED:
                campaign.ended_at = at
            campaign.save(update_fields=["state", "ended_at"])
            note(campaign, _DEEDS[after], actor, at)

    retry.run(once)


def _turn(campaign_id: uuid.UUID, *before: State) -> AwardCampaign:
    """This will lock a campaign, and wait until nobody is at a batch of it.

    Raises:
        NotNow: it is in none of these states.
    """
    rows = AwardCampaign.objects.select_related("program", "definition").select_for_update(no_key=True, of=("self",))
    campaign = rows.get(pk=campaign_id)
    if campaign.state not in before:
        raise NotNow
    _hold_shares(campaign)
    return campaign


def _hold_shares(campaign: AwardCampaign) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT FROM {CampaignShare._meta.db_table} WHERE campaign_id = %s ORDER BY id FOR NO KEY UPDATE",
            [campaign.pk],
        )


def note(campaign: AwardCampaign, deed: str, actor: str, at: datetime.datetime) -> None:
    """This will keep that somebody did something with a campaign."""
    CampaignDeed.objects.create(campaign=campaign, deed=deed, actor=actor[:LONGEST_ACTOR], done_at=at)
