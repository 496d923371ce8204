"""What a campaign's pages say of it: its facts, how far it is, who did what with it."""

from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils import timezone

from campaigns import campaigns, report
from campaigns.admin import words
from campaigns.conditions import Conditions
from campaigns.models import AwardCampaign
from loyalty import console
from points.expiry import ExpiryPolicy

State = AwardCampaign.State
Expiry = AwardCampaign.Expiry


def facts(campaign: AwardCampaign) -> list[tuple[str, Any]]:
    """This will answer what a question about a campaign reminds of."""
    far = report.of(campaign)
    return [
        ("Campaign", campaign),
        ("Programme", campaign.program),
        ("State", campaign.get_state_display()),
        ("Awarded", words.customers(far.awarded)),
        ("Waiting", words.customers(far.waiting)),
    ]


def end(campaign: AwardCampaign) -> str:
    """This will tell when its points end."""
    match campaign.expiry:
        case Expiry.DATE:
            return f"After {campaign.expires_on}"
        case Expiry.DAYS:
            return f"{campaign.expires_after_days} days after the start"
    definition = campaign.definition
    policy = definition.get_expiry_policy_display().lower()
    has_count = definition.expiry_policy in (ExpiryPolicy.MONTHS, ExpiryPolicy.DAYS, ExpiryPolicy.INACTIVITY)
    return f"As {definition} do: {f'{definition.expiry_count} {policy}' if has_count else policy}"


def mail(campaign: AwardCampaign) -> str:
    """This will tell who hears of it."""
    return "Each customer who has not unsubscribed is told" if campaign.tells_customers else "Nobody is told"


def sections(campaign: AwardCampaign) -> dict[str, Any]:
    """This will answer what stands around a campaign's form: how far it is, and who did what with it."""
    done = campaign.deeds.order_by("-id")[:50]
    rows = [[console.moment(one.done_at, campaign.program), one.deed, one.actor] for one in done]
    sections: dict[str, Any] = {
        "tables": [{"title": "Who did what", "table": {"headers": ["When", "What", "Who"], "rows": rows}}]
        if rows
        else []
    }
    if campaign.started_at is None:
        return sections
    return sections | {"progress": progress(campaign)}


def progress(campaign: AwardCampaign) -> dict[str, Any]:
    """This will answer how far it is, as its page and its progress bar show it."""
    far = report.of(campaign)
    is_undo = campaign.state in (State.UNDOING, State.UNDONE)
    return {
        "state": campaign.state,
        "is_moving": campaign.state in (State.RUNNING, State.UNDOING),
        "address": reverse("admin:campaigns_awardcampaign_progress", args=[campaign.pk]),
        "percent": far.percent_undone if is_undo else far.percent,
        "title": campaign.get_state_display(),
        "explanation": _explained(campaign),
        "facts": _figures(campaign, far),
    }


def _explained(campaign: AwardCampaign) -> str:
    if campaign.state == State.RUNNING and campaign.frozen_at is None:
        return "Whom it is for is being written down; more customers may be to come."
    if campaigns.is_undoable(campaign, at=timezone.now()):
        until = console.moment(campaign.ended_at and campaign.ended_at + campaigns.UNDO_WITHIN, campaign.program)
        return f"It can be undone until {until}."
    return ""


def _figures(campaign: AwardCampaign, far: report.Report) -> list[tuple[str, Any]]:
    def points(value: Decimal) -> str:
        return words.points(value, campaign.definition)

    figures: list[tuple[str, Any]] = [
        ("For", words.conditions(Conditions.read(campaign.conditions), campaign.program)),
        ("Customers", f"{far.customers:,}"),
        ("Awarded", f"{far.awarded:,} ({points(far.points_awarded)} points)"),
        ("Waiting", f"{far.waiting:,}"),
        ("Refused", f"{far.refused:,}"),
    ]
    if campaign.undo_reason:
        figures += [
            ("Undone", f"{far.undone:,} ({points(far.points_taken)} points)"),
            ("Not undone", f"{far.kept:,}"),
            ("Spent before", f"{points(far.points_short)} points could not be taken back"),
        ]
    figures += [(why, f"{count:,}") for why, count in sorted(far.refusals.items())]
    return [
        *figures,
        ("Points now", words.cost(far.cost, campaign.definition, campaign.program)),
        ("Started by", campaign.actor),
    ]
