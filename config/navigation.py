"""The admin's sidebar, by what people come to do."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from loyalty import console
from staff import adjusting

Item = dict[str, Any]
MOST_WAITING = 99


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """This will answer the groups of links; the theme leaves out what the member of staff may not see."""
    return [
        {
            "title": "Customers",
            "items": [
                _page("Till", "point_of_sale", "till", "points.use_till"),
                _table("Customers", "person_search", "cards", "customer"),
                _table("Cards", "credit_card", "cards", "card"),
                _table("Notices", "mark_email_read", "notices", "notice"),
                _table("Notice texts", "drafts", "notices", "noticetemplate"),
                _table("Notice settings", "notifications", "notices", "noticesettings"),
            ],
        },
        {
            "title": "Points",
            "separator": True,
            "items": [
                _page("Dashboard", "monitoring", "dashboard", "reports.view_figure"),
                _table("Point accounts", "account_balance_wallet", "points", "pointaccount"),
                _table("Ledger entries", "receipt_long", "points", "pointtransaction"),
                _requests(request),
                _table("Adjustment reasons", "list_alt", "staff", "adjustmentreason"),
                _table("Adjustment limits", "speed", "staff", "adjustmentlimit"),
                _table("Adjustment settings", "hourglass", "staff", "adjustmentsettings"),
                _table("Award campaigns", "send_money", "campaigns", "awardcampaign"),
                _table("Segments", "groups", "campaigns", "segment"),
            ],
        },
        {
            "title": "Rewards",
            "separator": True,
            "items": [
                _table("Rewards", "card_giftcard", "rewards", "reward"),
                _table("Redemption codes", "sell", "rewards", "redemption"),
                _table("Vouchers", "local_activity", "rewards", "rewardvoucher"),
                _table("Voucher rules", "confirmation_number", "rewards", "voucherrule"),
            ],
        },
        {
            "title": "Programme",
            "separator": True,
            "items": [
                _table("Programmes", "storefront", "loyalty", "program"),
                _table("Point definitions", "stars", "points", "pointdefinition"),
                _table("Tiers", "military_tech", "tiers", "tier"),
                _table("Tier settings", "straighten", "tiers", "tierscheme"),
                _rules(),
                _table("Campaigns", "campaign", "points", "campaign"),
                _table("Earning settings", "tune", "points", "earningscheme"),
                _preview(),
                _table("Versions of the rules", "history", "points", "rulebook"),
                _table("Description texts", "translate", "points", "descriptiontext"),
            ],
        },
        {
            "title": "Integrations",
            "separator": True,
            "items": [
                _table("API keys", "key", "loyalty", "apikey"),
                {
                    "title": "API explorer",
                    "icon": "code",
                    "link": reverse("docs"),
                    "permission": _may_view("loyalty", "apikey"),
                },
                _table("Webhook endpoints", "webhook", "events", "webhookendpoint"),
                _table("Deliveries", "outbox", "events", "delivery"),
                _table("Events", "bolt", "events", "event"),
                _imports(),
                _page("Export", "download", "admin:exchange_import_export", "exchange.export_data"),
            ],
        },
        {
            "title": "System",
            "separator": True,
            "items": [
                _table("Users", "badge", "auth", "user"),
                _table("Groups", "shield_person", "auth", "group"),
                _table("Audit log", "policy", "staff", "auditentry"),
                _table("Job runs", "schedule", "jobs", "jobrun"),
            ],
        },
    ]


def _table(title: str, icon: str, app: str, model: str) -> Item:
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": _may_view(app, model),
    }


def _page(title: str, icon: str, name: str, permission: str) -> Item:
    return {
        "title": title,
        "icon": icon,
        "link": reverse(name),
        "permission": lambda request: request.user.has_perm(permission),
    }


def _requests(request: HttpRequest) -> Item:
    """How many wait is shown to those who may decide."""
    item = _table("Adjustment requests", "approval", "staff", "adjustmentrequest")
    may_view = item["permission"]
    may_decide = request.user.has_perm(adjusting.APPROVE)
    count = adjusting.waiting(by=console.member(request), at=timezone.now(), most=MOST_WAITING + 1) if may_decide else 0
    badge = {"badge": f"{MOST_WAITING}+" if count > MOST_WAITING else str(count)} if count else {}
    return item | {"permission": lambda asked: may_decide or may_view(asked)} | badge


def _rules() -> Item:
    item = _table("Earning rules", "rule", "points", "earningrule")
    # The page that works out a purchase lies below that of the rules.
    preview = reverse("admin:points_earningrule_preview")
    return item | {"active": lambda request: request.path.startswith(item["link"]) and request.path != preview}


def _preview() -> Item:
    return {
        "title": "What would a purchase earn?",
        "icon": "calculate",
        "link": reverse("admin:points_earningrule_preview"),
        "permission": _may_view("points", "earningrule"),
    }


def _imports() -> Item:
    item = _table("Imports", "upload_file", "exchange", "import")
    # The page of exports lies below that of imports.
    export = reverse("admin:exchange_import_export")
    return item | {"active": lambda request: request.path.startswith(item["link"]) and request.path != export}


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    return lambda request: any(request.user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))
