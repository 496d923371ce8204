"""The customers face's operations on points and tiers."""

from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from cards.membership import CustomerNotFound
from loyalty import errors, idempotency, ids
from loyalty.api import v1, values
from loyalty.models import Scope
from loyalty.permissions import caller
from points import accounts, histories, ledger, rules
from points.api import v1_shapes as shapes
from points.models import EntryType, PointTransaction
from rewards import lapses

_POSTING = (CustomerNotFound, errors.InvalidPoints, errors.IdempotencyKeyReused, ledger.TransactionLimitExceeded)

_PURCHASE = {
    "customer_id": "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0",
    "points": 100,
    "reason": "Purchase",
    "metadata": {"order_id": "order_1", "amount": 10000},
}


class CustomerPointsViewSet(v1.V1ViewSet):
    """Awards and corrects points of customers, and tells what happened to them."""

    scopes = {"award": Scope.POINTS_MANAGE, "adjust": Scope.POINTS_ADJUST, "list": Scope.POINTS_READ}
    refusals = {
        "award": _POSTING,
        "adjust": (*_POSTING, ledger.InsufficientPoints),
        "list": (errors.InvalidParameters, CustomerNotFound),
    }

    @extend_schema(
        summary="Award points to a customer",
        tags=v1.POINTS,
        request=shapes.AwardPointsInput,
        responses={201: shapes.PointsTransaction},
        examples=[OpenApiExample("A purchase", value=_PURCHASE, request_only=True)],
    )
    def award(self, request: Request) -> HttpResponse:
        """Adds points to a customer's account; the customer needs no card. An `Idempotency-Key` is the account's."""
        body = shapes.AwardPointsInput.read(request.data)
        key = v1.key_of(request)
        account = _account(request, body)
        outcome = ledger.award(
            account=account,
            points=body["points"],
            note=_note(request, body, source=body["type"] or shapes.REASONS[0]),
            at=timezone.now(),
            expires_at=values.optional_start(body["expires_at"], ZoneInfo(account.program.timezone)),
            key=key,
            render=_rendered,
        )
        return _sent(outcome)

    @extend_schema(
        summary="Adjust points of a customer",
        tags=v1.POINTS,
        request=shapes.AdjustPointsInput,
        responses={201: shapes.PointsTransaction},
        examples=[
            OpenApiExample("A correction", value=_PURCHASE | {"points": -50, "reason": "Typo"}, request_only=True)
        ],
    )
    def adjust(self, request: Request) -> HttpResponse:
        """Corrects a balance by signed points. Below zero only where the definition allows it. An `Idempotency-Key` is
        the account's."""
        body = shapes.AdjustPointsInput.read(request.data)
        key = v1.key_of(request)
        account = _account(request, body)
        outcome = ledger.adjust(
            account=account,
            points=body["points"],
            note=_note(request, body),
            at=timezone.now(),
            key=key,
            render=_rendered,
        )
        return _sent(outcome)

    @extend_schema(
        summary="Transactions of a customer",
        tags=v1.POINTS,
        parameters=[shapes.PointsQuery],
        responses={200: v1.list_of(shapes.PointsTransaction)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists what happened to the points of a customer's account, right at the moment of asking, in the order in
        which it was written: the cursor neither skips nor repeats a transaction while others are added."""
        query = shapes.PointsQuery.read(request.query_params.dict())
        account = _account(request, query)
        lapses.of_customers([account.customer_id], at=timezone.now())
        entries = histories.of_account(account=account, at=timezone.now()).filter(type__in=shapes.TYPES)
        is_ascending = query["order"] == "asc"
        page = v1.read_page(
            _selected(entries, query["type"]).order_by("version" if is_ascending else "-version"),
            query,
            find=lambda reference: _named(entries, reference),
            after=_above if is_ascending else _below,
            before=lambda rows, entry: (_below if is_ascending else _above)(rows, entry).reverse(),
        )
        rows = [_written(entry, account) for entry in page.rows]
        return v1.respond_with_list(rows, has_more=page.has_more)


class TiersViewSet(v1.V1ViewSet):
    """Tells which tiers a programme has."""

    scopes = {"list": Scope.POINTS_READ}

    @extend_schema(summary="Tiers", tags=v1.POINTS, responses={200: v1.list_of(shapes.Tier)})
    def list(self, request: Request) -> HttpResponse:
        """Lists the programme's tiers as they hold now, the lowest first: all of them."""
        ladder = rules.of(caller(request).program).ladder
        rungs = ladder.rungs if ladder else ()
        rows = [shapes.Tier.write(rung, rank=rank) for rank, rung in enumerate(rungs, start=1)]
        return v1.respond_with_list(rows, has_more=False)


def _account(request: Request, named: dict[str, Any]) -> ledger.AccountRef:
    return accounts.of_customer(
        program=caller(request).program, reference=named["customer_id"], definition=named["definition"]
    )


def _note(request: Request, body: dict[str, Any], *, source: str | None = None) -> ledger.Note:
    return ledger.Note(
        reason=body["reason"],
        actor=caller(request).key_id,
        reference=body["reference"] or None,
        metadata=body["metadata"],
        source=source,
    )


def _rendered(outcome: ledger.Outcome) -> idempotency.Answer:
    """This will answer how a posting is written, once it is done: of the customer whose it is by now."""
    assert outcome.entry is not None
    return v1.answer(_written(outcome.entry, outcome.posting.account), 201)


def _sent(outcome: ledger.Outcome) -> HttpResponse:
    assert outcome.answer is not None
    return v1.send(outcome.answer)


def _written(entry: PointTransaction, account: ledger.AccountRef) -> dict[str, Any]:
    return shapes.PointsTransaction.write(
        entry, customer_id=ids.public("cus", account.customer_id), type=shapes.TYPES[EntryType(entry.type)]
    )


def _named(entries: QuerySet[PointTransaction], reference: str) -> PointTransaction | None:
    entry_id = ids.parse("txn", reference)
    return entries.filter(pk=entry_id).first() if entry_id else None


def _selected(entries: QuerySet[PointTransaction], word: str | None) -> QuerySet[PointTransaction]:
    if word is None:
        return entries
    return entries.filter(type__in=[kind for kind, told in shapes.TYPES.items() if told == word])


def _above(entries: QuerySet[PointTransaction], entry: PointTransaction) -> QuerySet[PointTransaction]:
    return entries.filter(version__gt=entry.version)


def _below(entries: QuerySet[PointTransaction], entry: PointTransaction) -> QuerySet[PointTransaction]:
    return entries.filter(version__lt=entry.version)
