"""The shop face's operations on cards."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from cards import membership
from cards.api import members
from cards.api import shop_shapes as shapes
from cards.models import Card
from loyalty import errors
from loyalty.api import paging, shop
from loyalty.models import Scope
from loyalty.permissions import caller
from points import accounts, definitions, statements
from points.api.shop import find_card
from points.models import AccountRef

_FINDING = (membership.CardNotFound, errors.InvalidParameters)


class ShopCardsViewSet(shop.ShopViewSet):
    """Finds loyalty cards."""

    scopes = {
        "list": Scope.LOYALTY_READ,
        "retrieve": Scope.LOYALTY_READ,
        "info": Scope.LOYALTY_READ,
        "balance": Scope.POINTS_READ,
    }
    refusals = {
        "list": (errors.InvalidParameters,),
        "retrieve": (membership.CardNotFound,),
        "info": _FINDING,
        "balance": _FINDING,
    }
    members = frozenset(scopes)

    @extend_schema(
        summary="Cards",
        tags=shop.TAG,
        parameters=[shapes.ShopCardsQuery],
        responses={200: shop.page_of(shapes.ShopCard)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists the programme's cards, the newest first."""
        query = shapes.ShopCardsQuery.read(request.query_params.dict())
        pages = paging.ShopPages(query)
        page = pages.cut(_cards(request, query).order_by("-created_at", "-pk"))
        return shop.respond_with_page(_written(request, page), _("Loyalty cards"), pages)

    @extend_schema(summary="Card", tags=shop.TAG, responses={200: shop.success(shapes.ShopCard)})
    def retrieve(self, request: Request, card_id: str) -> HttpResponse:
        """Tells a card and the points of its customer. `qr_code` is what the card's QR code says."""
        return _answer(request, find_card(request, card_id))

    @extend_schema(
        summary="Find a card",
        tags=shop.TAG,
        parameters=[shapes.ShopCardQuery],
        responses={200: shop.success(shapes.ShopCard)},
    )
    def info(self, request: Request) -> HttpResponse:
        """Tells the card that is named by its id, its printed number or its customer. Where several are sent, the card
        must be all of them."""
        return _answer(request, _find(request))

    @extend_schema(
        summary="Balance of a card",
        tags=shop.TAG,
        parameters=[shapes.ShopCardQuery],
        responses={200: shop.success(shapes.ShopCardBalance)},
    )
    def balance(self, request: Request) -> HttpResponse:
        """Tells the points behind the card that is named as for finding one."""
        card = _find(request)
        statement = statements.balance(
            account=accounts.default_of(caller(request).program, card.customer_id), at=timezone.now()
        )
        data = shapes.ShopCardBalance.write(
            card,
            points_balance=statement.balance,
            pending_points=statement.pending,
            held_points=statement.held,
        )
        return shop.respond(data, _("Card balance"))


def _cards(request: Request, query: dict[str, Any]) -> QuerySet[Card]:
    """This will answer the cards that the query names; to a member, only the own ones."""
    cards = caller(request).program.cards.select_related("customer")
    if (customer_id := members.customer_of(request)) is not None:
        cards = cards.filter(customer_id=customer_id)
    named = {"serial": query.get("card_id"), "number": query["card_number"], "customer__serial": query["user_id"]}
    return cards.filter(**{name: value for name, value in named.items() if value is not None})


def _find(request: Request) -> Card:
    query = shapes.ShopCardQuery.read(request.query_params.dict())
    card = membership.usual_card(_cards(request, query))
    if card is None:
        raise membership.CardNotFound(str(query["card_id"] or query["card_number"] or ""))
    return card


def _answer(request: Request, card: Card) -> HttpResponse:
    [data] = _written(request, [card])
    return shop.respond(data, _("Loyalty card"))


def _written(request: Request, cards: Sequence[Card]) -> list[dict[str, Any]]:
    program, now = caller(request).program, timezone.now()
    kind = definitions.find(program, None)
    refs = [AccountRef(program=program, definition=kind, customer_id=card.customer_id) for card in cards]
    found = statements.balances(accounts=refs, at=now)
    return [
        shapes.ShopCard.write(
            card,
            is_active=membership.state(card, at=now) == Card.Status.ACTIVE,
            points_balance=found[ref.id].balance,
        )
        for card, ref in zip(cards, refs, strict=True)
    ]
