"""The customers face's explanation of a balance."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from cards.membership import CustomerNotFound
from loyalty import errors, ids
from loyalty.api import fields, serializers, v1
from loyalty.models import Scope
from loyalty.permissions import caller
from points import accounts, explain
from points.api.management_shapes import NULLABLE_TEXT, Definition
from points.explain import Explanation, LotExplained, TierExplained
from rewards import lapses
from tiers.ladder import Basis


class ExplanationQuery(serializers.Query):
    """Which points are explained."""

    definition = Definition()


class PaidByLot(serializers.Output):
    """A transaction that a lot paid."""

    transaction_id = fields.PublicId("txn", source="entry.pk")
    type = fields.Words(source="entry.type", help_text="What it did, as the ledger calls it.")
    reason = fields.Words(source="entry.told_reason")
    points = fields.Amount(help_text="Points of the lot that it took; below zero: gave back.", schema={"example": 30})
    created_at = fields.Time(source="entry.created_at")


class ExplainedLot(serializers.Output):
    """Points that came together and end together, of which something is left."""

    transaction_id = fields.PublicId("txn", source="brought_by.pk", help_text="The transaction that brought them.")
    type = fields.Words(source="brought_by.type", help_text="What that did, as the ledger calls it.")
    reason = fields.Words(source="brought_by.told_reason")
    reference = fields.Words(source="brought_by.reference", **NULLABLE_TEXT)
    origin = fields.PublicId(
        "txn",
        source="lot.origin_id",
        allow_null=True,
        help_text="The transaction that brought them at first, to another account, from which they came by transfers "
        "or merges; null: it was this one.",
    )
    points = fields.Amount(source="lot.points", help_text="Points that were brought.")
    left = fields.Amount(source="lot.remaining", help_text="What is left of them, held ones not counted.")
    held = fields.Amount(help_text="What of them holds have set aside.", schema={"example": 0})
    status = fields.Words(
        schema={"enum": ["available", "pending"]}, help_text="`pending`: they count from `active_from` on."
    )
    active_from = fields.Time(source="lot.active_from", allow_null=True, help_text="Null: since they were brought.")
    expires_at = fields.Time(source="ends_at", allow_null=True, help_text="Null: never.")
    paid = PaidByLot(many=True, help_text="Transactions that they paid, the newest first: at most 20.")
    has_more_paid = fields.Bool(help_text="Whether they paid more than are told.")


class ExplainedHold(serializers.Output):
    """Points that are set aside."""

    id = fields.PublicId("hld")
    points = fields.Amount(schema={"example": 20})
    reference = fields.Words(**NULLABLE_TEXT)
    expires_at = fields.Time(help_text="When it lapses.")


class ExplainedExpiry(serializers.Output):
    """Points that expire on one day."""

    points = fields.Amount(schema={"example": 20})
    expires_at = fields.Time(help_text="The earliest moment of that day at which some do.")


class CountedMonth(serializers.Output):
    """Points that were earned in a month."""

    month = fields.Words(schema={"example": "2026-01"}, help_text="Of the programme's calendar.")
    points = fields.Amount()


class ExplainedTier(serializers.Output):
    """The tier, and how it comes about."""

    name = fields.Words(
        schema=NULLABLE_TEXT["schema"] | {"example": "Silver"}, allow_null=True, help_text="Null: none."
    )
    basis = fields.Words(
        schema={"enum": [basis.value for basis in Basis]},
        help_text="What counts: all points ever earned, those of the last months, those of the calendar year.",
    )
    points = fields.Amount(help_text="Points that count now.")
    counted = CountedMonth(many=True, help_text="The months that they are of; with `lifetime` none are told.")
    min_points = fields.Amount(
        allow_null=True, help_text="Points that reach the tier; null: none.", schema={"example": 500}
    )
    since = fields.Time(allow_null=True, help_text="When it was reached, or fallen to; null: from the beginning.")
    until = fields.Time(allow_null=True, help_text="When it falls, if nothing more is earned; null: it does not.")
    points_to_keep = fields.Amount(help_text="What is missing to keep it at its next review.", schema={"example": 0})
    projected = fields.Words(help_text="What it becomes if nothing more is earned; null: none.", **NULLABLE_TEXT)
    next = fields.Words(help_text="The tier after it; null: it is the highest.", **NULLABLE_TEXT)
    points_to_next = fields.Amount(allow_null=True, help_text="What is missing to that one; null: it is the highest.")


class BalanceExplanation(serializers.Output):
    """Why a balance is what it is: `points_balance` is what is left of the available lots, less `debt_points`."""

    object = v1.Kind("explanation")
    customer_id = fields.PublicId("cus")
    definition = fields.Words(schema={"example": "points"}, help_text="Code of the kind of points.")
    at = fields.Time(help_text="The moment that it is told of.")
    points_balance = fields.Amount()
    pending_points = fields.Amount()
    held_points = fields.Amount()
    debt_points = fields.Amount(help_text="Points that are owed.", schema={"example": 0})
    lifetime_points = fields.Amount()
    lots = ExplainedLot(many=True, help_text="In the order of spending, the pending ones last: at most 100.")
    has_more_lots = fields.Bool(help_text="Whether there are more lots than are told.")
    holds = ExplainedHold(many=True, help_text="Holds that are active, those that lapse first first.")
    expiring = ExplainedExpiry(
        many=True, help_text="Available points by the day on which they expire, ten years ahead."
    )
    tier = ExplainedTier(allow_null=True, help_text="Null: the programme has no tiers.")


class ExplanationsViewSet(v1.V1ViewSet):
    """Explains what customers have."""

    scopes = {"retrieve": Scope.POINTS_READ}
    refusals = {"retrieve": (errors.InvalidParameters, CustomerNotFound)}

    @extend_schema(
        summary="Explain a balance",
        tags=v1.POINTS,
        parameters=[ExplanationQuery],
        responses={200: BalanceExplanation},
    )
    def retrieve(self, request: Request, customer_id: str) -> HttpResponse:
        """Tells why a customer's balance is what it is: the lots with what is left of each, which transaction brought
        it and which ones it paid; what is pending, held and expiring; and the arithmetic of the tier."""
        query = ExplanationQuery.read(request.query_params.dict())
        account = accounts.of_customer(
            program=caller(request).program, reference=customer_id, definition=query["definition"]
        )
        lapses.of_customers([account.customer_id], at=timezone.now())
        told = explain.of(account=account, at=timezone.now())
        return v1.respond(
            _written(told)
            | {"customer_id": ids.public("cus", account.customer_id), "definition": account.definition.code}
        )


def _written(told: Explanation) -> dict[str, Any]:
    statement = told.statement
    return BalanceExplanation.write(
        told,
        object="explanation",
        customer_id=None,
        definition=None,
        points_balance=statement.balance,
        pending_points=statement.pending,
        held_points=statement.held,
        debt_points=told.debt,
        lifetime_points=statement.lifetime_earned,
        lots=[_lot(lot) for lot in told.lots],
        holds=[ExplainedHold.write(hold) for hold in told.holds],
        expiring=[ExplainedExpiry.write(row) for row in statement.expiring],
        tier=None if told.tier is None else _tier(told.tier),
    )


def _lot(told: LotExplained) -> dict[str, Any]:
    return ExplainedLot.write(
        told,
        status="pending" if told.is_pending else "available",
        paid=[PaidByLot.write(paid) for paid in told.paid],
    )


def _tier(told: TierExplained) -> dict[str, Any]:
    progress = told.progress
    return ExplainedTier.write(
        told,
        name=progress.rung and progress.rung.name,
        basis=told.ladder.basis.value,
        points=progress.points,
        counted=[
            {"month": f"{month // 12:04}-{month % 12 + 1:02}", "points": points}
            for month, points in told.counted.items()
        ],
        min_points=progress.rung and progress.rung.threshold,
        until=progress.until,
        points_to_keep=progress.points_to_keep,
        projected=progress.projected and progress.projected.name,
        next=progress.following and progress.following.name,
        points_to_next=progress.points_to_next,
    )
