"""What events tell a customer: which notice each is worth, and the numbers, dates and tiers that it is about."""

import dataclasses
import datetime
import uuid
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_datetime

from events.models import Event, EventType
from notices.kinds import Kind
from points import histories
from points.models import PointTransaction, TierChange
from tiers.models import Tier

# What is longer ago is no news: purchases of former years that are imported, or what happened while nothing was sent.
NEWS_DAYS = 3

# What an entry has in its metadata that an award campaign made. Whether its customers are told is said there.
CAMPAIGN = "award_campaign"

_ENTRIES = {EventType.POINTS_EARNED, EventType.POINTS_REDEEMED}
_REMINDERS = {
    EventType.POINTS_EXPIRING_SOON: (Kind.EXPIRING_SOON, "expires_at"),
    EventType.CUSTOMER_TIER_AT_RISK: (Kind.TIER_AT_RISK, "until"),
}
TYPES = frozenset({*_ENTRIES, *_REMINDERS, EventType.CUSTOMER_TIER_CHANGED})


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What one event has to tell."""

    event: Event
    kind: Kind
    facts: dict[str, Any]


def of(events: Sequence[Event], *, at: datetime.datetime) -> list[Found]:
    """This will answer what events have to tell that is still news."""
    entries: dict[uuid.UUID | None, PointTransaction] = {
        entry.id: entry for entry in histories.named(_names(events, _ENTRIES))
    }
    balances = _balances(events)
    changes = _changes(events)
    found = []
    for event in events:
        kind, facts, happened_at = None, {}, event.created_at
        if event.type in _ENTRIES and (entry := entries.get(event.subject_id)) and not _is_of_campaign(entry):
            kind, facts, happened_at = (
                *_receipt(event, entry, balances[event.account_id, event.xid]),
                entry.effective_at,
            )
        elif event.type == EventType.CUSTOMER_TIER_CHANGED and (change := changes.get(event.subject_id)):
            kind, facts, happened_at = *_change(change), change.effective_at
        elif event.type in _REMINDERS and event.data and not event.data.get("erased"):
            kind, facts = _reminder(event)
        is_news = min(happened_at, event.created_at) > at - datetime.timedelta(days=NEWS_DAYS)
        if kind is not None and is_news and not is_over(kind, facts, at=at):
            found.append(Found(event, kind, facts))
    return found


def is_over(kind: Kind, facts: dict[str, Any], *, at: datetime.datetime) -> bool:
    """This will tell whether what a reminder is about has happened by now."""
    end = next((end for reminder, end in _REMINDERS.values() if reminder == kind), None)
    return end is not None and moment(facts[end]) <= at


def moment(text: str) -> datetime.datetime:
    """This will read a time of the facts."""
    read = parse_datetime(text)
    assert read is not None
    return read


def _is_of_campaign(entry: PointTransaction) -> bool:
    return CAMPAIGN in (entry.metadata or {})


def _names(events: Sequence[Event], types: set[EventType]) -> Iterator[tuple[uuid.UUID, uuid.UUID]]:
    for event in events:
        if event.type in types and event.subject_id is not None:
            yield event.account_id, event.subject_id


def _changes(events: Sequence[Event]) -> dict[uuid.UUID | None, TierChange]:
    names = list(_names(events, {EventType.CUSTOMER_TIER_CHANGED}))
    if not names:
        return {}
    accounts, subjects = zip(*names, strict=True)
    rows = TierChange.objects.filter(account_id__in=accounts, id__in=subjects)
    return {row.id: row for row in rows.select_related("from_tier", "to_tier")}


def _balances(events: Sequence[Event]) -> dict[tuple[uuid.UUID, str], Decimal]:
    """This will answer what accounts had at the end of each of the transactions that wrote entries: a capture is not
    over before what it does not take is released."""
    told = [event for event in events if event.type in _ENTRIES]
    last = PointTransaction.objects.filter(
        program__in={event.program_id for event in told},
        xid__in={event.xid for event in told},
        account__in={event.account_id for event in told},
    )
    rows = last.order_by("account_id", "xid", "-version").distinct("account_id", "xid")
    return {
        (account_id, xid): balance
        for account_id, xid, balance in rows.values_list("account_id", "xid", "balance_after")
    }


def _receipt(event: Event, entry: PointTransaction, balance: Decimal) -> tuple[Kind, dict[str, Any]]:
    facts = {"points": abs(entry.points), "balance": balance, "date": entry.effective_at}
    if event.type == EventType.POINTS_REDEEMED:
        return Kind.REDEEMED, _plain(facts)
    if entry.valid_from is not None and entry.valid_from > entry.effective_at:
        return Kind.EARNED_LATER, _plain(facts | {"available_on": entry.valid_from})
    return Kind.EARNED, _plain(facts)


def _change(change: TierChange) -> tuple[Kind | None, dict[str, Any]]:
    before, now = _height(change.from_tier), _height(change.to_tier)
    if before == now:
        return None, {}
    facts = {
        "from_tier": change.from_tier.name if change.from_tier else None,
        "to_tier": change.to_tier.name if change.to_tier else None,
        "date": change.effective_at,
    }
    return Kind.TIER_UP if now > before else Kind.TIER_DOWN, _plain(facts)


def _height(tier: Tier | None) -> Decimal:
    # A threshold may be zero; having no tier is lower than that.
    return Decimal(-1) if tier is None else tier.threshold


def _reminder(event: Event) -> tuple[Kind, dict[str, Any]]:
    told = event.data or {}
    kind, end = _REMINDERS[EventType(event.type)]
    named = {
        Kind.EXPIRING_SOON: {"points": "points", "balance": "points_balance"},
        Kind.TIER_AT_RISK: {"tier": "tier", "falls_to": "falls_to", "points_needed": "points_needed"},
    }[kind]
    return kind, {ours: _word(told[theirs]) for ours, theirs in named.items()} | {end: told[end]}


def _word(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime.datetime) else _amount(value)
        for name, value in facts.items()
    }


def _amount(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value
