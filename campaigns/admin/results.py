"""What became of each customer of a campaign: a page at a time by an index, and as a table to download."""

import uuid
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from campaigns.admin import words
from campaigns.models import AwardCampaign, CampaignCustomer
from exchange.admin import sending
from loyalty import console, ids

SHOWN = 50
PAGE = 2_000
HEADERS = ("customer", "external_id", "email", "name", "state", "points", "transaction", "not_taken_back", "why")

Row = CampaignCustomer


def show(page: console.TableAdmin, request: HttpRequest, campaign: AwardCampaign) -> HttpResponse:
    """This will answer a page of customers in one state, or in all, after the one that the address names."""
    state = request.GET.get("state", "")
    state = state if state in Row.State.values else ""
    after = request.GET.get("after", "")
    rows = list(_after(campaign, state, after)[: SHOWN + 1])
    shown = rows[:SHOWN]
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "original": campaign,
        "title": f"Customers of {campaign}",
        "choices": _choices(state),
        "table": _table(request, campaign, shown),
        "first": f"?{urlencode({'state': state})}" if after else "",
        "next": f"?{urlencode({'state': state, 'after': _place(shown[-1], state)})}" if len(rows) > SHOWN else "",
        "download": _download_address(campaign, state) if may_download(request) else "",
        "back": console.address(campaign),
    }
    return TemplateResponse(request, "admin/campaign_results.html", context)


def may_download(request: HttpRequest) -> bool:
    """This will answer whether the member of staff may have names and addresses of customers."""
    return request.user.has_perm("cards.view_customer")


def download(request: HttpRequest, campaign: AwardCampaign) -> HttpResponseBase:
    """This will send the table of customers in one state, or in all, as it is read."""
    state = request.GET.get("state", "")
    rows = _rows(campaign, state if state in Row.State.values else "")
    return sending.csv_file(request, HEADERS, rows, name=f"campaign-{campaign.pk}")


def _after(campaign: AwardCampaign, state: str, after: str) -> QuerySet[Row]:
    """This will answer the customers behind a place: each list by the index that has it in this order."""
    rows = Row.objects.filter(campaign=campaign).select_related("customer__program")
    if state:
        place = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0
        return rows.filter(state=state, position__gt=place).order_by("position")
    # In the order of their positions, too.
    return rows.filter(customer_id__gt=_id(after)).order_by("customer_id")


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


def _place(row: Row, state: str) -> str:
    return str(row.position if state else row.customer_id)


def _choices(chosen: str) -> list[dict[str, Any]]:
    named = [("", "All"), *Row.State.choices]
    return [
        {"name": name, "address": f"?{urlencode({'state': state})}", "is_chosen": state == chosen}
        for state, name in named
    ]


def _table(request: HttpRequest, campaign: AwardCampaign, rows: Iterable[Row]) -> dict[str, Any]:
    may_look = request.user.has_perm("cards.view_customer")
    may_see_entries = request.user.has_perm("points.view_pointtransaction")
    cells = []
    for row in rows:
        name = console.link(row.customer) if may_look else ids.public("cus", row.customer_id)
        entry: Any = console.NOTHING
        if row.entry_id is not None:
            entry = ids.public("txn", row.entry_id)
            if may_see_entries:
                address = f"{reverse('admin:points_pointtransaction_changelist')}?{urlencode({'q': entry})}"
                entry = format_html('<a href="{}" class="text-link">{}</a>', address, "Award")
        short = words.points(row.shortfall, campaign.definition) if row.shortfall else console.NOTHING
        cells.append([f"{row.position:,}", name, row.get_state_display(), entry, short, row.refusal or console.NOTHING])
    return {"headers": ["No.", "Customer", "State", "Entry", "Not taken back", "Why"], "rows": cells}


def _download_address(campaign: AwardCampaign, state: str) -> str:
    address = reverse("admin:campaigns_awardcampaign_download", args=[campaign.pk])
    return f"{address}?{urlencode({'state': state})}" if state else address


def _rows(campaign: AwardCampaign, state: str) -> Iterator[list[Any]]:
    """This will answer row after row, reading a page of them at a time."""
    after = ""
    while rows := list(_after(campaign, state, after)[:PAGE]):
        for row in rows:
            yield _cells(campaign, row)
        after = _place(rows[-1], state)


def _cells(campaign: AwardCampaign, row: Row) -> list[Any]:
    customer = row.customer
    return [
        ids.public("cus", row.customer_id),
        customer.external_id or "",
        customer.email or "",
        customer.name,
        row.state,
        campaign.points if row.entry_id else 0,
        ids.public("txn", row.entry_id) if row.entry_id else "",
        row.shortfall,
        row.refusal,
    ]
