"""Finding holds, by the clock."""

import datetime

from loyalty import ids
from loyalty.models import Program
from points import ledger
from points.hold_models import Hold
from points.models import AccountRef


def find(*, program: Program, reference: str) -> Hold:
    """This will answer the programme's hold of that id as callers see it, its account, customer and definition with it.

    Raises:
        ledger.HoldNotFound: there is none.
    """
    hold_id = ids.parse("hld", reference)
    if hold_id is None:
        raise ledger.HoldNotFound
    holds = Hold.objects.select_related("account__definition").filter(program=program, id=hold_id)
    # Where the account was merged into another, the hold is in both.
    hold = holds.exclude(status=Hold.Status.MOVED).first()
    if hold is None:
        raise ledger.HoldNotFound
    return hold


def account_of(hold: Hold, program: Program) -> AccountRef:
    """This will answer the account that a hold is of."""
    return AccountRef(program=program, definition=hold.account.definition, customer_id=hold.account.customer_id)


def read(*, program: Program, reference: str, at: datetime.datetime) -> Hold:
    """This will write what fell due by `at` in a hold's account, and answer the hold as it is then.

    Raises:
        ledger.HoldNotFound: there is none.
    """
    hold = find(program=program, reference=reference)
    if hold.status == Hold.Status.ACTIVE and hold.expires_at <= at:
        ledger.settle([account_of(hold, program)], at=at)
        hold = find(program=program, reference=reference)
    return hold
