"""What a customer's page tells of points beside the balances: what ends when, and the newest entries."""

import itertools
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.html import format_html

from loyalty import console, in_place
from points.admin import reversing, rows
from points.models import PointAccount, PointTransaction
from points.statements import Expiring, Statement

MOST_ENTRIES = 10
MOST_DAYS = 366
MOST_ENDS = 12


def tables(
    accounts: Iterable[PointAccount], told: Mapping[uuid.UUID, Statement], *, may_reverse: bool
) -> list[dict[str, Any]]:
    """This will answer tables of what ends within a year, by day, and of the newest entries, account by account; with
    links to reverse those for whoever may."""
    entries = {account: list(rows.entries(account, before=None)[:MOST_ENTRIES]) for account in accounts}
    deeds = reversing.offers(itertools.chain(*entries.values())) if may_reverse else {}
    return [
        table
        for account, shown in entries.items()
        for table in (_ends(account, told[account.pk].expiring), _entries(account, shown, deeds))
        if table["table"]["rows"]
    ]


def _ends(account: PointAccount, expiring: Sequence[Expiring]) -> dict[str, Any]:
    places = account.definition.decimal_places
    shown = [
        [
            console.moment(day.expires_at, account.program),
            _in(day.days_until_expiry),
            console.amount(day.points, places=places),
        ]
        for day in expiring[:MOST_ENDS]
    ]
    return {"title": f"{account.definition} that end", "table": {"headers": ["When", "", "Points"], "rows": shown}}


def _in(days: int) -> str:
    return {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")


def _entries(
    account: PointAccount, entries: Sequence[PointTransaction], deeds: Mapping[uuid.UUID, Sequence[in_place.Deed]]
) -> dict[str, Any]:
    title = format_html(
        '{}: what happened, newest first (<a href="{}" class="text-link">all</a>)',
        account.definition,
        console.address(account),
    )
    table = rows.entry_table(account, entries)
    return {"title": title, "table": in_place.with_deeds(table, [deeds.get(entry.pk, ()) for entry in entries])}
