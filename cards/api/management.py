"""The management face's operations on cards."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import segno
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from cards import membership
from cards.api import management_shapes as shapes
from cards.models import Card
from loyalty import errors, idempotency, ids
from loyalty.api import management, paging, values
from loyalty.api.serializers import success
from loyalty.models import Scope
from loyalty.permissions import caller, require
from points import accounts, card_lists, definitions, histories, ledger, statements
from points import membership as states
from points.api.management import selected

TAG = ["Loyalty cards"]

_FINDING = (membership.CardNotFound,)
_CHANGING = (*_FINDING, errors.IdempotencyKeyReused, states.CardReplaced)

_EXAMPLE = {"customer_email": "jane@example.com", "customer_name": "Jane Doe", "initial_points": 50}


class CardsViewSet(management.ManagementViewSet):
    """Makes, finds, changes, stops and replaces loyalty cards."""

    scopes = {
        "create": Scope.LOYALTY_WRITE,
        "list": Scope.LOYALTY_READ,
        "retrieve": Scope.LOYALTY_READ,
        "update": Scope.LOYALTY_WRITE,
        "block": Scope.LOYALTY_WRITE,
        "unblock": Scope.LOYALTY_WRITE,
        "activate": Scope.LOYALTY_WRITE,
        "replace": Scope.LOYALTY_WRITE,
        "history": Scope.POINTS_READ,
        "qr_code": Scope.LOYALTY_READ,
    }
    refusals = {
        "create": (
            errors.InvalidEmail,
            errors.InvalidPoints,
            errors.NotFound,
            errors.IdempotencyKeyReused,
            membership.DuplicateCustomer,
        ),
        "list": (errors.InvalidParameters,),
        # A host that is not among ALLOWED_HOSTS, which the answer's link would repeat.
        "retrieve": (*_FINDING, errors.InvalidParameters),
        "update": _FINDING,
        "block": _CHANGING,
        "unblock": _CHANGING,
        "activate": (*_CHANGING, ledger.CardBlocked),
        "replace": _CHANGING,
        "history": (*_FINDING, errors.InvalidParameters),
        "qr_code": _FINDING,
    }

    @extend_schema(
        summary="Make a card",
        tags=TAG,
        request=shapes.CardInput,
        responses={201: success(shapes.Card)},
        examples=[OpenApiExample("A new customer", value=_EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Makes a card for a new customer, or one more for a customer that is there."""
        body = shapes.CardInput.read(request.data)
        if body["initial_points"]:
            require(request, Scope.POINTS_MANAGE)
        key, now, program = management.key_of(request), timezone.now(), caller(request).program
        expires_at = body["expires_at"] and values.start(body["expires_at"], ZoneInfo(program.timezone))
        reference = body["customer_id"]
        known = membership.find_customer(program=program, reference=reference) if reference else None

        def work() -> idempotency.Answer:
            # Here, so that a replay is answered also when the card has ended meanwhile.
            if expires_at is not None and expires_at <= now:
                raise errors.InvalidParameters({"expires_at": ["Must be in the future."]}, rule="future")
            customer = known or membership.enrol(
                program=program,
                email=body["customer_email"],
                name=body["customer_name"],
                phone=body["customer_phone"] or "",
            )
            card = states.create_card(
                customer=customer,
                at=now,
                actor=caller(request).key_id,
                design=body["card_design"] or "default",
                expires_at=expires_at,
                metadata=body["metadata"],
                initial_points=body["initial_points"],
                is_active=body["auto_activate"] is not False,
            )
            return _answer(201, _card(request, card))

        return management.send(idempotency.answer_once(owner_id=program.pk, key=key, work=work))

    @extend_schema(
        summary="Cards",
        tags=TAG,
        parameters=[shapes.CardsQuery, *paging.PARAMETERS],
        responses={200: success(shapes.Cards)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists the programme's cards."""
        query = shapes.CardsQuery.read(request.query_params.dict())
        program, now = caller(request).program, timezone.now()
        zone = ZoneInfo(program.timezone)
        since, until = query["created_after"], query["created_before"]
        moments = {
            "created_after": since and values.start(since, zone),
            "created_before": until and values.end(until, zone),
        }
        cards = card_lists.cards(program=program, at=now, selected=query | moments, sort=query["sort"])
        pages = paging.Pages()
        page = pages.paginate_queryset(cards, request)
        return management.respond({"cards": _cards(request, page), "pagination": pages.description()})

    @extend_schema(summary="Card", tags=TAG, responses={200: success(shapes.CardDetail)})
    def retrieve(self, request: Request, card_id: str) -> HttpResponse:
        """Tells a card, what its customer has, and the last five transactions."""
        card = _find(request, card_id)
        named = accounts.find(program=caller(request).program, card=card.number)
        now = timezone.now()
        recent = histories.of_account(account=named.account, at=now)[:5]
        return management.respond(_card(request, card, shape=shapes.CardDetail, recent=recent))

    @extend_schema(summary="Change a card", tags=TAG, request=shapes.CardChange, responses={200: success(shapes.Card)})
    def update(self, request: Request, card_id: str) -> HttpResponse:
        """Changes what is sent of a card and its customer."""
        body = shapes.CardChange.read(request.data)
        # Refused before anything is changed: the answer has a link that names the host.
        request.get_host()
        card = membership.change(
            card=_find(request, card_id),
            name=body.get("customer_name"),
            phone=body["customer_phone"] or "" if "customer_phone" in body else None,
            design=body.get("card_design"),
            metadata=body["metadata"] or {} if "metadata" in body else None,
        )
        return management.respond(_card(request, card))

    @extend_schema(
        summary="Block a card", tags=TAG, request=shapes.StateInput, responses={200: success(shapes.CardState)}
    )
    def block(self, request: Request, card_id: str) -> HttpResponse:
        """Stops a card from earning and redeeming. Nothing posts on it after the answer."""
        body = shapes.StateInput.read(request.data)
        note = body["internal_note"] or ""
        return _change(
            request,
            card_id,
            lambda card: _answer(
                200, _state(states.block(card=card, reason=body["reason"], note=note, at=timezone.now()))
            ),
        )

    @extend_schema(
        summary="Unblock a card", tags=TAG, request=shapes.StateInput, responses={200: success(shapes.CardState)}
    )
    def unblock(self, request: Request, card_id: str) -> HttpResponse:
        """Lifts a block: the card is again what it was before, active or inactive. One that is not blocked stays as it
        is."""
        body = shapes.StateInput.read(request.data)
        note = body["internal_note"] or ""
        return _change(
            request,
            card_id,
            lambda card: _answer(200, _state(states.unblock(card=card, reason=body["reason"], note=note))),
        )

    @extend_schema(summary="Activate a card", tags=TAG, request=None, responses={200: success(shapes.Card)})
    def activate(self, request: Request, card_id: str) -> HttpResponse:
        """Makes an inactive card active."""
        return _change(request, card_id, lambda card: _answer(200, _card(request, states.activate(card=card))))

    @extend_schema(
        summary="Replace a card", tags=TAG, request=shapes.ReplaceInput, responses={201: success(shapes.NewCard)}
    )
    def replace(self, request: Request, card_id: str) -> HttpResponse:
        """Makes a new active card with a new number for a lost one, which stays inactive. Points and history stay."""
        body = shapes.ReplaceInput.read(request.data)

        def work(card: Card) -> idempotency.Answer:
            new = states.replace(card=card, reason=body["reason"], at=timezone.now())
            return _answer(201, _card(request, new, shape=shapes.NewCard, replaces=ids.public("card", card.pk)))

        return _change(request, card_id, work)

    @extend_schema(
        summary="History of a card",
        tags=TAG,
        parameters=[shapes.CardHistoryQuery, *paging.PARAMETERS],
        responses={200: success(shapes.CardHistory)},
    )
    def history(self, request: Request, card_id: str) -> HttpResponse:
        """Lists the transactions of the card's customer, newest first, without the balances; 50 on a page."""
        query = shapes.CardHistoryQuery.read(request.query_params.dict())
        program = caller(request).program
        account = accounts.find(program=program, card=card_id).account
        entries = histories.of_account(
            account=account, at=timezone.now(), selected=selected(query, ZoneInfo(program.timezone))
        )
        summary = histories.summary(entries)
        pages = paging.Pages(page_size=50, total=summary.total_transactions)
        page = pages.paginate_queryset(entries, request)
        return management.respond(
            {
                "transactions": [shapes.Entry.write(entry) for entry in page],
                "summary": shapes.Sums.write(summary),
                "pagination": pages.description(),
            }
        )

    @extend_schema(summary="QR code of a card", tags=TAG, responses={(200, "image/svg+xml"): OpenApiTypes.STR})
    def qr_code(self, request: Request, card_id: str) -> HttpResponse:
        """Draws the card's number as a QR code."""
        drawing = io.BytesIO()
        segno.make(_find(request, card_id).number, micro=False).save(drawing, kind="svg", scale=8)
        return HttpResponse(drawing.getvalue(), content_type="image/svg+xml")


def _find(request: Request, card_id: str) -> Card:
    return membership.find(program=caller(request).program, reference=card_id)


def _change(request: Request, card_id: str, work: Callable[[Card], idempotency.Answer]) -> HttpResponse:
    """This will change the card once for a key of the caller."""
    key = management.key_of(request)
    card = _find(request, card_id)
    answer = idempotency.answer_once(owner_id=caller(request).program.pk, key=key, work=lambda: work(card))
    return management.send(answer)


def _answer(status: int, data: Mapping[str, Any]) -> idempotency.Answer:
    return idempotency.Answer(status=status, body=management.body(data))


def _card(
    request: Request, card: Card, *, shape: type[shapes.Card] = shapes.Card, recent: Iterable[Any] = (), **more: Any
) -> dict[str, Any]:
    [(account, statement)] = _statements(request, [card])
    progress = statements.progress(account=account, known=statement, at=timezone.now())
    held = progress and progress.rung
    return _written(
        request,
        card,
        statement,
        shape=shape,
        lifetime_points=statement.lifetime_earned,
        points_redeemed=statement.lifetime_redeemed,
        tier=held and held.code,
        recent_transactions=[shapes.RecentTransaction.write(entry) for entry in recent],
        **more,
    )


def _cards(request: Request, cards: Sequence[Card]) -> list[dict[str, Any]]:
    return [
        _written(request, card, statement, shape=shapes.Card)
        for card, (_, statement) in zip(cards, _statements(request, cards), strict=True)
    ]


def _statements(request: Request, cards: Sequence[Card]) -> list[tuple[ledger.AccountRef, statements.Statement]]:
    """This will answer the account of each card's customer, of the default definition, and what it has."""
    program = caller(request).program
    kind = definitions.find(program, None)
    refs = [ledger.AccountRef(program=program, definition=kind, customer_id=card.customer_id) for card in cards]
    found = statements.balances(accounts=refs, at=timezone.now())
    return [(ref, found[ref.id]) for ref in refs]


def _written(
    request: Request, card: Card, statement: statements.Statement, *, shape: type[shapes.Card], **known: Any
) -> dict[str, Any]:
    card_id = ids.public("card", card.pk)
    return shape.write(
        card,
        customer_phone=card.customer.phone or None,
        points_balance=statement.balance,
        last_activity=statement.last_activity_at,
        status=membership.state(card, at=timezone.now()),
        qr_code_url=request.build_absolute_uri(f"/api/loyalty-cards/{card_id}/qr.svg"),
        **known,
    )


def _state(card: Card) -> dict[str, Any]:
    status = membership.state(card, at=timezone.now())
    is_active = status == Card.Status.ACTIVE
    return shapes.CardState.write(card, status=status, can_earn_points=is_active, can_redeem_points=is_active)
