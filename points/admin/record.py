"""What a customer's page tells of points: how many of each kind there are, the tier, what is held, what ends when, and
the newest entries. What there is is read once for all of it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from cards.models import Customer
from loyalty import in_place
from points import statements
from points.admin import adjusting, holding, settling, standing, timeline
from points.admin.till import pages
from points.models import AccountRef, PointAccount


def sections(request: HttpRequest, customer: Customer, *, is_over: bool) -> dict[str, Any]:
    """This will answer the tier as `standing`, balances and holds as `tables`, ends and entries as `entries`; of
    somebody whose record is not over, with links to what the member of staff may do there."""
    refs = [
        AccountRef(program=customer.program, definition=definition, customer_id=customer.pk)
        for definition in customer.program.definitions.order_by("-is_default", "number")
    ]
    known = PointAccount.objects.select_related("definition", "program").in_bulk([ref.id for ref in refs])
    accounts = [known[ref.id] for ref in refs if ref.id in known]
    settling.settle(request, accounts)
    told = statements.balances(accounts=refs, at=timezone.now(), days=timeline.MOST_DAYS)
    tiers = [standing.section(ref, told[ref.id]) for ref in refs if ref.definition.counts_for_tiers]
    may_reverse = not is_over and adjusting.may_adjust(request)
    deeds = {} if is_over else {ref.id: _deeds(request, ref) for ref in refs}
    return {
        "standing": next(filter(None, tiers), None),
        "tables": [
            standing.balances(refs, told, known, deeds),
            *holding.tables(request, accounts, is_of_customer=True),
        ],
        "entries": timeline.tables(accounts, told, may_reverse=may_reverse),
    }


def _deeds(request: HttpRequest, ref: AccountRef) -> list[in_place.Deed]:
    """This will answer what the member of staff may do to a balance: the till awards and redeems."""
    kind, deeds = ref.definition, []
    if adjusting.may_adjust(request):
        # It leads back to the customer without being told.
        page = reverse("admin:cards_customer_adjust", args=[ref.customer_id])
        deeds.append(in_place.Deed("Adjust", kind, f"{page}?{urlencode({'points': kind.code})}"))
    if request.user.has_perm(pages.PERMISSION):
        till = in_place.leading_back("till_customer", ref.program.slug, ref.customer_id, points=kind.code)
        deeds += [in_place.Deed("Award", kind, f"{till}#award"), in_place.Deed("Redeem", kind, f"{till}#redeem")]
    return deeds
