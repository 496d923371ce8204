"""The shop face's orders: a purchase in one call, its cancellation and its refunds."""

import datetime
import functools
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from cards import membership
from cards.membership import CardNotFound
from cards.models import Card, Customer
from loyalty import errors, idempotency
from loyalty.api import shop
from loyalty.models import Scope
from loyalty.permissions import caller
from points import accounts, ledger, orders, reasons
from points.api import shop_order_shapes as shapes
from points.api.shop_earning_shapes import kept, word
from points.lots import ZERO
from points.terms import Deed, Kind, Line

_ORDER = {
    "order_id": "77",
    "user_email": "jane@example.com",
    "order_total": 25.99,
    "currency": "EUR",
    "points_redeemed": 30,
    "points_discount_amount": 3,
    "cart_items": [{"sku": "bean-1", "category": "coffee", "quantity": 2, "price": 12.995}],
}


class OrdersViewSet(shop.ShopViewSet):
    """Posts what an order spends and earns, together, and undoes it."""

    scopes = {"create": Scope.POINTS_MANAGE}
    refusals = {
        "create": (
            errors.InvalidParameters,
            errors.InvalidPoints,
            errors.IdempotencyKeyReused,
            errors.NotFound,
            CardNotFound,
            ledger.CardBlocked,
            ledger.CardInactive,
            ledger.CardExpired,
            ledger.InsufficientPoints,
            orders.OrderExists,
        )
    }

    @extend_schema(
        summary="Place, cancel or refund an order",
        tags=shop.TAG,
        request=shapes.OrderInput,
        responses={201: shop.success(shapes.OrderDone)},
        examples=[OpenApiExample("A purchase", value=_ORDER, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Posts the redemption and the award of a purchase together, or neither; an order that earns nothing is placed
        all the same. A `cancellation` or a `refund` of its `order_id` undoes what it earned and spent by the rules of
        its day: in proportion to `order_total`, or all that is left of it. `points_awarded` are below zero then."""
        body = shapes.OrderInput.read(request.data)
        key = shop.key_of(request)
        # What is known under the key is answered whatever has become of the customer and the card since.
        work = functools.partial(_done, request, body)
        program_id = caller(request).program.pk
        answer = work() if key is None else idempotency.answer_once(owner_id=program_id, key=key, work=work)
        if isinstance(answer, errors.Refusal):
            raise answer
        return shop.send(answer)


def _card(customer: Customer, serial: int | None) -> Card | None:
    if serial is None:
        return membership.usual_card(customer.cards.all())
    card = customer.cards.filter(serial=serial).first()
    if card is None:
        raise CardNotFound(str(serial))
    return card


def _done(request: Request, body: dict[str, Any]) -> idempotency.Answer | errors.Refusal:
    program = caller(request).program
    customer = membership.find_shopper(program=program, serial=body["user_id"], email=body["user_email"])
    card = _card(customer, body["loyalty_card_id"])
    account = accounts.default_of(program, customer.pk)
    at = timezone.now()
    currency = body["currency"] or program.currency
    if body["type"] == "purchase" and body["points"] is None and currency != program.currency:
        text = _("Rules earn by amounts in %(currency)s. Send points with another currency.")
        raise errors.InvalidParameters({"currency": [text % {"currency": program.currency}]}, rule="currency")
    note = ledger.Note(
        reason=body["description"] or _REASONS[body["type"]],
        actor=caller(request).key_id,
        reference=body["order_id"],
        metadata=kept(body["meta_data"]) | _facts(body),
        card_id=card.pk if card else None,
    )
    try:
        if body["type"] == "purchase":
            done = orders.place(account=account, purchase=_purchase(body, currency, at), note=note, at=at)
            message = _("Order placed")
        else:
            asked = orders.Refund(
                number=body["order_id"], amount=body["order_total"], currency=body["currency"], note=note
            )
            done = orders.refund(program=program, customer_id=customer.pk, asked=asked, at=at)
            message = _("Order refunded") if body["type"] == "refund" else _("Order cancelled")
    except errors.Refusal as refusal:
        # Returned, what was due stays written.
        return refusal
    if done.card_id is not None and (card is None or done.card_id != card.pk):
        # An order that is undone names the card that it was placed with.
        card = customer.cards.filter(pk=done.card_id).first()
    data = {
        "transaction_id": done.serial,
        "points_awarded": done.points,
        "points_balance": done.balance,
        "loyalty_card_id": card.serial if card else None,
        "card_number": card.number if card else None,
        "user_id": customer.serial,
        "order_total": done.amount,
        "currency": done.currency,
    }
    return shop.answer(data, message, 201)


def _facts(body: dict[str, Any]) -> dict[str, str]:
    """This will answer what an entry remembers of its order."""
    facts = {"transaction_type": body["type"], "order_id": body["order_id"]}
    if body["type"] == "purchase" and body["points_discount_amount"] is not None:
        # As a text: an amount stays exact.
        facts["points_discount_amount"] = f"{body['points_discount_amount']:f}"
    return facts


_REASONS = {"purchase": reasons.PURCHASE, "cancellation": reasons.CANCELLED, "refund": reasons.REFUNDED}


def _purchase(body: dict[str, Any], currency: str, at: datetime.datetime) -> orders.Purchase:
    deed = Deed(
        kind=Kind.PURCHASE,
        at=at,
        points=body["points"],
        amount=body["order_total"],
        discount=min(body["points_discount_amount"] or ZERO, body["order_total"] or ZERO),
        shop=word((body["meta_data"] or {}).get("shop_id")),
        lines=[_line(item) for item in body["cart_items"] or ()],
    )
    return orders.Purchase(
        number=body["order_id"], currency=currency, deed=deed, redeemed=body["points_redeemed"] or None
    )


def _line(item: dict[str, Any]) -> Line:
    amount = item["total"] if item["total"] is not None else (item["price"] or ZERO) * (item["quantity"] or Decimal(1))
    return Line(category=item["category"] or "", amount=amount)
