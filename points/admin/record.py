"""What a customer's page tells of points: how many of each kind there are, the tier, what is held, what ends when, and
the newest entries. What there is is read once for all of it."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from cards.models import Customer
from points import statements
from points.admin import holding, settling, standing, timeline
from points.models import AccountRef, PointAccount


def sections(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    """This will answer the tier as `standing`, balances and holds as `tables`, ends and entries as `entries`."""
    refs = [
        AccountRef(program=customer.program, definition=definition, customer_id=customer.pk)
        for definition in customer.program.definitions.order_by("-is_default", "number")
    ]
    known = PointAccount.objects.select_related("definition", "program").in_bulk([ref.id for ref in refs])
    accounts = [known[ref.id] for ref in refs if ref.id in known]
    settling.settle(request, accounts)
    told = statements.balances(accounts=refs, at=timezone.now(), days=timeline.MOST_DAYS)
    tiers = [standing.section(ref, told[ref.id]) for ref in refs if ref.definition.counts_for_tiers]
    return {
        "standing": next(filter(None, tiers), None),
        "tables": [standing.balances(refs, told, known), *holding.tables(request, accounts)],
        "entries": timeline.tables(accounts, told),
    }
