"""What a customer's page tells of points beside the balances: what ends when, and the newest entries."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from loyalty import console, errors
from points import ledger, statements
from points.admin import rows
from points.models import AccountRef, PointAccount

MOST_ENTRIES = 10
MOST_DAYS = 366
MOST_ENDS = 12


def tables(request: HttpRequest, accounts: Sequence[PointAccount]) -> list[dict[str, Any]]:
    """This will answer tables of what ends within a year, by day, and of the newest entries, account by account."""
    accounts = [account for account in accounts if account.version]
    _settle(request, accounts)
    told = statements.balances(accounts=map(_ref, accounts), at=timezone.now(), days=MOST_DAYS)
    return [
        table
        for account in accounts
        for table in (_ends(account, told[account.pk].expiring), _entries(account))
        if table["table"]["rows"]
    ]


def _settle(request: HttpRequest, accounts: Sequence[PointAccount]) -> None:
    """This will write what fell due, so that the newest entry says what the balance says."""
    now = timezone.now()
    due = [_ref(account) for account in accounts if account.next_due_at is not None and account.next_due_at <= now]
    try:
        if due:
            ledger.settle(due, at=now)
    except errors.Unavailable:
        messages.warning(request, "The database was busy: what fell due since the last entry is not shown yet.")


def _ends(account: PointAccount, expiring: Sequence[statements.Expiring]) -> dict[str, Any]:
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


def _entries(account: PointAccount) -> dict[str, Any]:
    entries = list(rows.entries(account, before=None)[:MOST_ENTRIES])
    title = format_html(
        '{}: what happened, newest first (<a href="{}" class="text-link">all</a>)',
        account.definition,
        console.address(account),
    )
    return {"title": title, "table": rows.entry_table(account, entries)}


def _ref(account: PointAccount) -> AccountRef:
    return AccountRef(program=account.program, definition=account.definition, customer_id=account.customer_id)
