"""The shop face's awards: what a purchase or a deed earns, posted or tried."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from cards.membership import CardNotFound
from loyalty import errors, idempotency
from loyalty.api import shop
from loyalty.models import Scope
from loyalty.permissions import caller
from points import accounts, ledger, reasons, rules
from points.api import shop_earning_shapes as shapes
from points.models import EntryType
from points.terms import Deed, Kind

_WITH_CARD = (CardNotFound, ledger.CardBlocked, ledger.CardInactive, ledger.CardExpired)
_EARNING = (*_WITH_CARD, errors.InvalidParameters, errors.InvalidPoints)
_PURCHASE = {
    "card_id": 1043,
    "transaction_type": "purchase",
    "purchase_amount": 25.99,
    "description": "Coffee",
    "metadata": {"shop_id": "vilnius-1", "order_id": "77"},
}


class EarningViewSet(shop.ShopViewSet):
    """Awards points, worked out by the programme's rules where none are sent."""

    scopes = {"award": Scope.POINTS_MANAGE, "preview": Scope.POINTS_READ}
    refusals = {
        "award": (*_EARNING, errors.IdempotencyKeyReused, ledger.TransactionLimitExceeded),
        "preview": _EARNING,
    }

    @extend_schema(
        summary="Award points",
        tags=shop.TAG,
        request=shapes.EarningInput,
        responses={201: shop.success(shapes.Awarded)},
        examples=[OpenApiExample("A purchase", value=_PURCHASE, request_only=True)],
    )
    def award(self, request: Request) -> HttpResponse:
        """Awards the `points` that are sent, or what the programme's rules give for the purchase or the activity: of a
        purchase `floor(amount x rate x the tier's multiplier)`, what campaigns multiply and add, lowered to the caps.
        The entry's metadata keep the calculation."""
        body = shapes.EarningInput.read(request.data)
        key = shop.key_of(request)
        outcome = ledger.post(_posting(request, body, key), render=_awarded)
        assert outcome.answer is not None
        return shop.send(outcome.answer)

    @extend_schema(
        summary="Preview an award",
        tags=shop.TAG,
        request=shapes.EarningInput,
        responses={200: shop.success(shapes.Preview)},
        examples=[OpenApiExample("A purchase", value=_PURCHASE, request_only=True)],
    )
    def preview(self, request: Request) -> HttpResponse:
        """Answers what an award of the same body would give now, by the same arithmetic, and posts nothing."""
        body = shapes.EarningInput.read(request.data)
        shop.key_of(request)
        [outcome] = ledger.post_many([_posting(request, body, None)], is_trial=True)
        if outcome.refusal is not None:
            raise outcome.refusal
        entry = outcome.entry
        assert entry is not None
        assert entry.metadata is not None
        calculation = entry.metadata["calculation"]
        ladder = rules.of(caller(request).program).ladder
        names = {rung.code: rung.name for rung in ladder.rungs} if ladder else {}
        # This face calls a tier by its name.
        told = calculation | {"tier": names.get(calculation["tier"], calculation["tier"])}
        return shop.respond({"points": entry.points, "calculation": told}, _("Points worked out"))


def _posting(request: Request, body: dict[str, Any], key: idempotency.Key | None) -> ledger.Posting:
    named = accounts.find_by_serial(program=caller(request).program, serial=body["card_id"])
    sent = shapes.kept(body["metadata"])
    at = timezone.now()
    deed = Deed(
        kind=Kind(body["transaction_type"]),
        at=at,
        points=body["points"],
        amount=body["purchase_amount"],
        activity=body["activity"] or "",
        shop=shapes.word(sent.get("shop_id")),
        campaign=shapes.word(sent.get("campaign_id")),
    )
    told = {
        "transaction_type": deed.kind.value,
        "purchase_amount": None if deed.amount is None else f"{deed.amount:f}",
        "activity": deed.activity or None,
    }
    note = ledger.Note(
        reason=body["description"] or deed.kind.label,
        actor=caller(request).key_id,
        reference=shapes.word(sent.get("order_id")) or None,
        # What we tell of it wins over what the caller calls by the same names, also where there is nothing to tell.
        metadata={name: fact for name, fact in (sent | told).items() if name not in told or fact is not None},
        card_id=named.card_id,
    )
    return ledger.Posting(
        type=EntryType.AWARD, account=named.account, points=None, at=at, note=note, deed=deed, key=key
    )


def _awarded(outcome: ledger.Outcome) -> idempotency.Answer:
    entry, progress = outcome.entry, outcome.progress
    assert entry is not None
    assert entry.metadata is not None
    rung = progress.rung if progress else None
    message = _("Points awarded successfully")
    if outcome.is_upgraded:
        message += _(" - Tier upgraded!")
    data = {
        "transaction": {
            "id": entry.serial,
            "points_awarded": entry.points,
            "transaction_type": entry.metadata["transaction_type"],
            "description": reasons.told(entry.told_reason),
            "created_at": entry.created_at,
        },
        "balance": {
            "current_points": entry.balance_after,
            "previous_points": entry.balance_before,
            "tier": rung.name if rung else None,
            "tier_upgraded": outcome.is_upgraded,
            "next_tier_points": progress.points_to_next if progress else None,
        },
    }
    return shop.answer(data, message, 201)
