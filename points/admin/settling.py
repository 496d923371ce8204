"""Writing what fell due in accounts whose entries a page shows, so that the newest one says what the balance says."""

from collections.abc import Iterable

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone

from loyalty import errors
from points import ledger
from points.models import AccountRef, PointAccount


def ref(account: PointAccount) -> AccountRef:
    """This will name an account as the ledger's verbs take it."""
    return AccountRef(program=account.program, definition=account.definition, customer_id=account.customer_id)


def settle(request: HttpRequest, accounts: Iterable[PointAccount]) -> bool:
    """This will write what fell due, and answer whether something was written; where the database is busy, the page
    says so."""
    now = timezone.now()
    due = [ref(account) for account in accounts if account.next_due_at is not None and account.next_due_at <= now]
    try:
        if due:
            ledger.settle(due, at=now)
    except errors.Unavailable:
        messages.warning(request, "The database was busy: what fell due since the last entry is not shown yet.")
        return False
    return bool(due)
