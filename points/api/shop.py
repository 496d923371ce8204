"""The shop face's operations on points: redemptions, balances and histories."""

import datetime
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from cards import membership
from cards.api import members
from cards.models import Card
from loyalty import errors, idempotency, ids
from loyalty.api import paging, shop, values
from loyalty.models import Scope
from loyalty.permissions import caller
from points import accounts, expiry, histories, ledger, listings, reasons, statements
from points.accounts import Named
from points.api import shop_shapes as shapes
from points.api.shop_earning_shapes import kept, word
from points.models import PointTransaction
from tiers.ladder import Progress

# Where nothing expires soon, how far ahead the next expiry is looked for: what ends later is no news.
FAR = 3660  # Days: ten years.

VOUCHER_MONTHS = 12
_EXAMPLE = {
    "card_id": 1043,
    "points": 100,
    "redemption_type": "purchase_discount",
    "purchase_amount": 25.99,
    "discount_amount": 5,
}

NO_TIER: Mapping[str, Any] = {
    "current_tier": None,
    "tier_level": 0,
    "progress_percentage": 0,
    "points_to_next_tier": None,
    "next_tier": None,
    "tier_benefits": [],
    "points_to_keep_tier": None,
    "projected_tier": None,
    "tier_until": None,
}


class ShopPointsViewSet(shop.ShopViewSet):
    """Redeems points, tells what an account has and what became of it."""

    scopes = {
        "redeem": Scope.POINTS_MANAGE,
        "history": Scope.POINTS_READ,
        "transactions": Scope.POINTS_READ,
        "balance": Scope.POINTS_READ,
    }
    refusals = {
        "redeem": (
            membership.CardNotFound,
            errors.IdempotencyKeyReused,
            ledger.CardBlocked,
            ledger.CardInactive,
            ledger.CardExpired,
            ledger.TransactionLimitExceeded,
            ledger.InsufficientPoints,
        ),
        "history": (membership.CardNotFound, errors.InvalidParameters),
        "transactions": (membership.CardNotFound, errors.InvalidParameters),
        "balance": (membership.CardNotFound,),
    }
    members = frozenset({"history", "balance"})

    @extend_schema(
        summary="Redeem points",
        tags=shop.TAG,
        request=shapes.ShopRedeemInput,
        responses={201: shop.success(shapes.ShopRedeemed)},
        examples=[OpenApiExample("A discount", value=_EXAMPLE, request_only=True)],
    )
    def redeem(self, request: Request) -> HttpResponse:
        """Spends points of the card's customer, those that expire first first.

        `purchase_discount` needs `discount_amount`; it and `cashback` give no more than `purchase_amount`, where that
        is sent. `free_product` and `voucher` may name what they are worth. A `voucher` gets a code that nobody can
        guess, good for 12 months: `expires_at`. What the redemption was for is kept in its metadata as `redemption`,
        where the history shows it: `redemption_type`, `purchase_amount`, `discount_amount`, `voucher_code`,
        `expires_at`."""
        body = shapes.ShopRedeemInput.read(request.data)
        key = shop.key_of(request)
        named = find_account(request, body["card_id"])
        now, sent = timezone.now(), kept(body["metadata"])
        told = _told(body, at=now, zone=ZoneInfo(named.account.program.timezone))
        note = ledger.Note(
            reason=body["description"] or reasons.REDEEMED,
            actor=caller(request).key_id,
            reference=word(sent.get("order_id")) or None,
            metadata=sent | {"redemption": {name: _kept(fact) for name, fact in told.items() if fact is not None}},
            card_id=named.card_id,
        )

        def render(outcome: ledger.Outcome) -> idempotency.Answer:
            return shop.answer(_redeemed(outcome, told), _("Points redeemed successfully"), 201)

        outcome = ledger.redeem(account=named.account, points=body["points"], note=note, at=now, key=key, render=render)
        assert outcome.answer is not None
        return shop.send(outcome.answer)

    @extend_schema(
        summary="History",
        tags=shop.TAG,
        parameters=[shapes.ShopSelectionQuery],
        responses={200: shop.success(shapes.ShopHistory)},
    )
    def history(self, request: Request) -> HttpResponse:
        """Lists transactions, newest first, with the sums of those that the filters select: of a card's customer, or of
        the programme. A reversal is an `adjustment`; awards of the types bonus and referral are a `bonus`."""
        query = shapes.ShopSelectionQuery.read(request.query_params.dict())
        entries = _entries(request, query)
        summary = listings.summary(entries)
        pages = paging.ShopPages(query, total=summary.transaction_count)
        page = pages.cut(entries)
        data = {"data": _written(page), **pages.description(), "summary": shapes.ShopSummary.write(summary)}
        return shop.respond(data, _("Points history"))

    @extend_schema(
        summary="Transactions",
        tags=shop.TAG,
        parameters=[shapes.ShopSelectionQuery],
        responses={200: shop.page_of(shapes.ShopTransaction)},
    )
    def transactions(self, request: Request) -> HttpResponse:
        """Lists what the history does, without the sums."""
        query = shapes.ShopSelectionQuery.read(request.query_params.dict())
        pages = paging.ShopPages(query)
        page = pages.cut(_entries(request, query))
        return shop.respond_with_page(_written(page), _("Transactions"), pages)

    @extend_schema(summary="Balance", tags=shop.TAG, responses={200: shop.success(shapes.ShopBalance)})
    def balance(self, request: Request, card_id: str) -> HttpResponse:
        """Tells what the card's customer has, right at the moment of asking, and how far the next tier is.

        `expires_soon` are the points that expire within 30 days. Without tiers `current_tier` is null and `tier_level`
        is 0; at the top `next_tier` is null."""
        now = timezone.now()
        card = find_card(request, card_id)
        account = accounts.default_of(caller(request).program, card.customer_id)
        statement = statements.balance(account=account, at=now)
        known = statement.expiring or statements.balance(account=account, at=now, days=FAR).expiring
        data = {
            "card": shapes.ShopCardOfBalance.write(card, status=membership.state(card, at=now)),
            "balance": shapes.ShopPoints.write(
                statement,
                expires_soon=sum(row.points for row in statement.expiring),
                next_expiry_date=known[0].expires_at if known else None,
            ),
            "tier": _tier(statements.progress(account=account, known=statement, at=now)),
            "statistics": {
                "transactions_count": listings.count(account),
                "last_activity": statement.last_activity_at,
                "member_since": card.customer.created_at,
            },
        }
        return shop.respond(data, _("Points balance"))


def find_card(request: Request, reference: str) -> Card:
    """This will answer the card of that number in this API, which a member must own.

    Raises:
        membership.CardNotFound: there is none.
    """
    try:
        card = membership.find_by_serial(program=caller(request).program, serial=values.serial(reference))
    except values.Fault as fault:
        raise membership.CardNotFound(reference) from fault
    if members.customer_of(request) not in (None, card.customer_id):
        raise membership.CardNotFound(reference)
    return card


def find_account(request: Request, serial: int) -> Named:
    """This will answer the account that a card's number in this API names, which a member must own.

    Raises:
        membership.CardNotFound: there is no such card.
    """
    named = accounts.find_by_serial(program=caller(request).program, serial=serial)
    if members.customer_of(request) not in (None, named.customer_id):
        raise membership.CardNotFound(str(serial))
    return named


def _told(body: dict[str, Any], *, at: datetime.datetime, zone: ZoneInfo) -> dict[str, Any]:
    """This will answer what the redemption is for."""
    is_voucher = body["redemption_type"] == "voucher"
    return {
        "redemption_type": body["redemption_type"],
        "purchase_amount": body["purchase_amount"],
        "discount_amount": body["discount_amount"],
        "voucher_code": ids.draw_code() if is_voucher else None,
        "expires_at": expiry.add_months(moment=at, months=VOUCHER_MONTHS, zone=zone) if is_voucher else None,
    }


def _kept(fact: Any) -> str:
    """This will write a fact as the entry keeps it: amounts are texts there, for they are exact."""
    if isinstance(fact, Decimal):
        return f"{fact:f}"
    return fact.isoformat().replace("+00:00", "Z") if isinstance(fact, datetime.datetime) else fact


def _redeemed(outcome: ledger.Outcome, told: dict[str, Any]) -> dict[str, Any]:
    entry = outcome.entry
    assert entry is not None
    tier = outcome.progress.rung if outcome.progress else None
    return {
        "transaction": shapes.ShopRedemption.write(
            entry,
            points_redeemed=-entry.points,
            **{name: told[name] for name in ("redemption_type", "discount_amount", "voucher_code", "expires_at")},
        ),
        "balance": {
            "current_points": entry.balance_after,
            "previous_points": entry.balance_before,
            "points_redeemed": -entry.points,
            "tier": tier and tier.name,
        },
    }


def _entries(request: Request, query: dict[str, Any]) -> QuerySet[PointTransaction]:
    program, now = caller(request).program, timezone.now()
    selected = _selected(query, ZoneInfo(program.timezone))
    if query["card_id"] is not None:
        account = find_account(request, query["card_id"]).account
    elif (customer_id := members.customer_of(request)) is not None:
        account = accounts.default_of(program, customer_id)
    else:
        return listings.of_program(program=program, at=now, selected=selected)
    return listings.of_account(account=account, at=now, selected=selected)


def _selected(query: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    since: datetime.datetime | None = query["date_from"] and values.start(query["date_from"], zone)
    until: datetime.datetime | None = query["date_to"] and values.end(query["date_to"], zone)
    if since is not None and until is not None and since >= until:
        raise errors.InvalidParameters({"date_from": [_("Must not be after date_to.")]}, rule="order")
    return {
        "from_date": since,
        "to_date": until,
        "kind": query["transaction_type"],
        "status": None if query["status"] == "all" else query["status"],
    }


def _written(entries: Iterable[PointTransaction]) -> list[dict[str, Any]]:
    entries, now = list(entries), timezone.now()
    undone = histories.reversals(entries)
    return [
        shapes.ShopTransaction.write(
            entry,
            description=reasons.told(entry.told_reason),
            transaction_type=listings.kind(entry),
            status=listings.status(entry, undone[entry.pk].points, at=now),
            card=entry.card and {"id": entry.card.serial, "card_number": _masked(entry.card.number)},
        )
        for entry in entries
    ]


def _masked(number: str) -> str:
    return f"{number[:2]}****{number[-4:]}"


def _tier(progress: Progress | None) -> Mapping[str, Any]:
    if progress is None:
        return NO_TIER
    return {
        "current_tier": progress.rung and progress.rung.name,
        "tier_level": progress.level,
        "progress_percentage": progress.percentage,
        "points_to_next_tier": progress.points_to_next,
        "next_tier": progress.following and progress.following.name,
        "tier_benefits": list(progress.rung.benefits) if progress.rung else [],
        "points_to_keep_tier": progress.points_to_keep,
        "projected_tier": progress.projected and progress.projected.name,
        "tier_until": progress.until,
    }
