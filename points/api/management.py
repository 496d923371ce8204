"""The management face's operations on points: postings, and what an account has."""

import datetime
import uuid
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from cards.membership import CardNotFound
from loyalty import errors, idempotency, ids
from loyalty.api import management, paging, values
from loyalty.api.serializers import either, success
from loyalty.models import Scope
from loyalty.permissions import caller
from points import accounts, definitions, expiring, histories, ledger, statements
from points.accounts import Named
from points.api import management_shapes as shapes
from rewards import redemptions
from tiers.ladder import Progress

TAG = ["Points"]

_NAMING = (errors.InvalidParameters, errors.NotFound, CardNotFound)
_POSTING = (*_NAMING, errors.InvalidPoints, errors.IdempotencyKeyReused, ledger.TransactionLimitExceeded)
_WITH_CARD = (ledger.CardBlocked, ledger.CardInactive, ledger.CardExpired)

_ORDER = {
    "card_id": "card_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0",
    "points": 100,
    "reason": "Order reward",
    "reference": "order_77",
    "metadata": {"order_total": 50.0},
}


class PointsViewSet(management.ManagementViewSet):
    """Awards, redeems, corrects, reverses and expires points, and tells what an account has."""

    scopes = {
        "award": Scope.POINTS_MANAGE,
        "redeem": Scope.POINTS_MANAGE,
        "adjust": Scope.POINTS_ADJUST,
        "reverse": Scope.POINTS_MANAGE,
        "expire": Scope.POINTS_MANAGE,
        "expiring": Scope.POINTS_READ,
        "balance": Scope.POINTS_READ,
        "history": Scope.POINTS_READ,
    }
    refusals = {
        "award": (*_POSTING, *_WITH_CARD),
        "redeem": (*_POSTING, *_WITH_CARD, ledger.InsufficientPoints),
        "adjust": (*_POSTING, ledger.InsufficientPoints),
        "reverse": (
            *_POSTING,
            ledger.TransactionNotFound,
            ledger.AlreadyReversed,
            ledger.NotReversible,
            ledger.InsufficientPoints,
        ),
        "expire": (*_POSTING, ledger.InsufficientPoints),
        "expiring": _NAMING,
        "balance": _NAMING,
        "history": _NAMING,
    }

    @extend_schema(
        summary="Award points",
        tags=TAG,
        request=shapes.AwardInput,
        responses={201: success(shapes.Award)},
        examples=[OpenApiExample("An order", value=_ORDER, request_only=True)],
    )
    def award(self, request: Request) -> HttpResponse:
        """Adds points to an account, at once or from `valid_from` on."""
        body = shapes.AwardInput.read(request.data)
        key = management.key_of(request)
        named = _named(request, body)
        zone = ZoneInfo(named.account.program.timezone)
        outcome = ledger.award(
            account=named.account,
            points=body["points"],
            note=_note(request, body, card_id=named.card_id),
            at=timezone.now(),
            valid_from=values.optional_start(body["valid_from"], zone),
            expires_at=values.optional_start(body["expires_at"], zone),
            key=key,
            render=_rendered(shapes.Award),
        )
        return _sent(outcome)

    @extend_schema(
        summary="Redeem points",
        tags=TAG,
        request=shapes.RedeemInput,
        responses={201: success(shapes.Redemption)},
        examples=[OpenApiExample("An order", value=_ORDER | {"reason": "Discount"}, request_only=True)],
    )
    def redeem(self, request: Request) -> HttpResponse:
        """Spends points of an account, those that expire first first."""
        body = shapes.RedeemInput.read(request.data)
        key = management.key_of(request)
        named = _named(request, body)
        outcome = ledger.redeem(
            account=named.account,
            points=body["points"],
            note=_note(request, body, card_id=named.card_id),
            at=timezone.now(),
            key=key,
            render=_rendered(shapes.Redemption),
        )
        return _sent(outcome)

    @extend_schema(
        summary="Adjust points",
        tags=TAG,
        request=shapes.AdjustInput,
        responses={201: success(shapes.Redemption)},
        examples=[OpenApiExample("A correction", value=_ORDER | {"points": -50, "reason": "Typo"}, request_only=True)],
    )
    def adjust(self, request: Request) -> HttpResponse:
        """Corrects a balance by signed points, whatever the state of the card. Below zero only where the definition
        allows it."""
        body = shapes.AdjustInput.read(request.data)
        key = management.key_of(request)
        named = _named(request, body)
        outcome = ledger.adjust(
            account=named.account,
            points=body["points"],
            note=_note(request, body, card_id=named.card_id),
            at=timezone.now(),
            key=key,
            render=_rendered(shapes.Redemption),
        )
        return _sent(outcome)

    @extend_schema(
        summary="Reverse a transaction",
        tags=TAG,
        request=shapes.ReverseInput,
        responses={201: success(shapes.Reversal)},
        examples=[
            OpenApiExample(
                "A returned order",
                value={"transaction_id": "txn_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0", "reason": "Order returned"},
                request_only=True,
            )
        ],
    )
    def reverse(self, request: Request) -> HttpResponse:
        """Takes the points of an award back, first from what the award brought; or gives those of a redemption back
        to the lots that paid, with their expiry. A unit is reversed at most once. Points that paid for a code are
        given back by cancelling it; by a reversal once it is used."""
        body = shapes.ReverseInput.read(request.data)
        key = management.key_of(request)
        entry = histories.find(program=caller(request).program, reference=body["transaction_id"])
        account = ledger.AccountRef(
            program=caller(request).program, definition=entry.account.definition, customer_id=entry.account.customer_id
        )
        now = timezone.now()
        outcome = ledger.reverse(
            account=account,
            transaction_id=entry.pk,
            points=body["points"],
            ends_code=redemptions.is_over(program=caller(request).program, entry=entry, at=now),
            note=_note(request, body, card_id=entry.card_id),
            at=now,
            key=key,
            render=_rendered(shapes.Reversal),
        )
        return _sent(outcome)

    @extend_schema(
        summary="Expire points",
        tags=TAG,
        request=shapes.ExpireInput,
        responses={200: success(shapes.Expiry)},
        examples=[
            OpenApiExample(
                "What ends this year",
                value={"card_id": _ORDER["card_id"], "expires_before": "2027-01-01"},
                request_only=True,
            )
        ],
    )
    def expire(self, request: Request) -> HttpResponse:
        """Expires available points by hand: of the lots that end before a date, or in the order of spending."""
        body = shapes.ExpireInput.read(request.data)
        key = management.key_of(request)
        named = _named(request, body)
        outcome = ledger.expire(
            account=named.account,
            points=body["points"],
            before=values.optional_start(body["expires_before"], ZoneInfo(named.account.program.timezone)),
            note=ledger.Note(
                reason=body["reason"] or "Points expired", actor=caller(request).key_id, card_id=named.card_id
            ),
            at=timezone.now(),
            key=key,
            render=lambda outcome: _expiry(outcome, named),
        )
        return _sent(outcome)

    @extend_schema(
        summary="Points that expire soon",
        tags=TAG,
        parameters=[shapes.ExpiringQuery, *paging.PARAMETERS],
        responses={200: either("ExpiringOfOneOrAll", success(shapes.Expiring), success(shapes.ExpiringInProgram))},
    )
    def expiring(self, request: Request) -> HttpResponse:
        """Tells what of an account expires within `days`, a row for a day; without a card, what of all customers does,
        in pages."""
        query = shapes.ExpiringQuery.read(request.query_params.dict())
        if query["card_id"] is None and query["customer_id"] is None:
            return self._expiring_in_program(request, query)
        named = _named(request, query)
        rows = statements.balance(account=named.account, at=timezone.now(), days=query["days"]).expiring
        return management.respond(
            {
                **_names(named),
                "days": query["days"],
                "total_points": sum(row.points for row in rows),
                "expiring": [shapes.ExpiringDay.write(row) for row in rows],
            }
        )

    def _expiring_in_program(self, request: Request, query: dict[str, Any]) -> HttpResponse:
        program = caller(request).program
        rows = expiring.ExpiringInProgram(
            program=program,
            definition=definitions.find(program, query["definition"]),
            at=timezone.now(),
            days=query["days"],
        )
        pages = paging.Pages()
        page = pages.paginate_queryset(rows, request)
        return management.respond(
            {
                "days": query["days"],
                "total_points": rows.total_points,
                "expiring": [shapes.ExpiringDayOfCustomer.write(row) for row in page],
                "pagination": pages.description(),
            }
        )

    @extend_schema(
        summary="Balance", tags=TAG, parameters=[shapes.BalanceQuery], responses={200: success(shapes.Balance)}
    )
    def balance(self, request: Request, card_id: str) -> HttpResponse:
        """Tells what an account has, right at the moment of asking, or as it stood at a moment of the past."""
        query = shapes.BalanceQuery.read(request.query_params.dict())
        named = _named(request, _from_path(card_id, query))
        now = timezone.now()
        moment = values.optional_start(query["as_of"], ZoneInfo(named.account.program.timezone))
        if moment is None:
            return management.respond(_balance(named, statements.balance(account=named.account, at=now), at=now))
        if moment > now:
            raise errors.InvalidParameters({"as_of": ["Must not be in the future."]}, rule="past")
        answer = _balance(named, statements.as_of(account=named.account, moment=moment), at=moment, as_of=moment)
        if query["basis"] == "transaction":
            answer["current_balance"] = statements.balance_by_transaction_date(account=named.account, moment=moment)
        return management.respond(answer)

    @extend_schema(
        summary="History",
        tags=TAG,
        parameters=[shapes.HistoryQuery, *paging.PARAMETERS],
        responses={200: success(shapes.History)},
    )
    def history(self, request: Request, card_id: str) -> HttpResponse:
        """Lists the transactions of an account, newest first, with a summary of those that the filters select."""
        query = shapes.HistoryQuery.read(request.query_params.dict())
        named = _named(request, _from_path(card_id, query))
        entries = histories.of_account(
            account=named.account,
            at=timezone.now(),
            selected=selected(query, ZoneInfo(named.account.program.timezone)),
        )
        summary = histories.summary(entries)
        pages = paging.Pages(total=summary.total_transactions)
        page = pages.paginate_queryset(entries, request)
        current = statements.balance(account=named.account, at=timezone.now()).balance
        return management.respond(
            {
                "transactions": [shapes.Transaction.write(entry) for entry in page],
                "summary": shapes.Summary.write(summary, current_balance=current),
                "pagination": pages.description(),
            }
        )


def selected(query: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """This will answer which entries a query selects, its dates as moments.

    Raises:
        errors.InvalidParameters: `from_date` is after `to_date`.
    """
    since, until = (
        values.optional_start(query["from_date"], zone),
        query["to_date"] and values.end(query["to_date"], zone),
    )
    if since is not None and until is not None and since >= until:
        raise errors.InvalidParameters({"from_date": ["Must not be after to_date."]}, rule="order")
    return query | {"from_date": since, "to_date": until}


def _from_path(reference: str, query: dict[str, Any]) -> dict[str, Any]:
    """This will tell a customer's id in a path from a card's."""
    is_customer = reference.startswith("cus_")
    return query | {"card_id": None if is_customer else reference, "customer_id": reference if is_customer else None}


def _named(request: Request, query: dict[str, Any]) -> Named:
    return accounts.find(
        program=caller(request).program,
        card=query["card_id"],
        customer=query["customer_id"],
        definition=query["definition"],
    )


def _names(named: Named) -> dict[str, str | None]:
    return {
        "card_id": None if named.card_id is None else ids.public("card", named.card_id),
        "customer_id": ids.public("cus", named.account.customer_id),
    }


def _note(request: Request, body: dict[str, Any], *, card_id: uuid.UUID | None) -> ledger.Note:
    return ledger.Note(
        reason=body["reason"],
        actor=caller(request).key_id,
        reference=body["reference"] or None,
        staff_member=body["staff_member"] or None,
        metadata=body["metadata"],
        card_id=card_id,
    )


def _rendered(shape: type[shapes.Redemption]) -> ledger.Render:
    """This will answer how a posting is written, once it is done."""

    def render(outcome: ledger.Outcome) -> idempotency.Answer:
        # Not the customer who was named: that one may have been merged into another.
        data = shape.write(outcome.entry, customer_id=ids.public("cus", outcome.posting.account.customer_id))
        return idempotency.Answer(status=201, body=management.body(data))

    return render


def _expiry(outcome: ledger.Outcome, named: Named) -> idempotency.Answer:
    entry = outcome.entry
    data = {
        "transaction_id": entry and ids.public("txn", entry.pk),
        **_names(named),
        "points_expired": -entry.points if entry else 0,
        "previous_balance": entry.balance_before if entry else outcome.balance,
        "new_balance": outcome.balance,
        "reason": outcome.posting.note.reason,
        "expired_at": entry and entry.effective_at,
    }
    return idempotency.Answer(status=200, body=management.body(data))


def _sent(outcome: ledger.Outcome) -> HttpResponse:
    assert outcome.answer is not None
    return management.send(outcome.answer)


def _balance(
    named: Named, statement: statements.Statement, *, at: datetime.datetime, as_of: datetime.datetime | None = None
) -> dict[str, Any]:
    return shapes.Balance.write(
        statement,
        **_names(named),
        points_expiring_soon=[shapes.ExpiringDay.write(row) for row in statement.expiring],
        last_activity=statement.last_activity and shapes.Activity.write(statement.last_activity),
        tier_info=_tier_info(statements.progress(account=named.account, known=statement, at=at)),
        as_of=as_of,
    )


def _tier_info(progress: Progress | None) -> dict[str, Any]:
    held, following = (progress.rung, progress.following) if progress else (None, None)
    projected = progress.projected if progress else None
    return {
        "current_tier": held and held.code,
        "points_to_next_tier": progress and progress.points_to_next,
        "next_tier": following and following.code,
        "points_to_keep_tier": progress and progress.points_to_keep,
        "projected_tier": projected and projected.code,
        "tier_until": progress and progress.until,
    }
