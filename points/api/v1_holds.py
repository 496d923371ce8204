"""The customers face's operations on holds and transfers."""

import datetime
import uuid
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from cards.membership import CustomerNotFound
from loyalty import errors, idempotency, ids
from loyalty.api import v1
from loyalty.models import Scope
from loyalty.permissions import caller
from points import accounts, holds, ledger, reasons
from points.api import v1_hold_shapes as shapes
from rewards import lapses

_POSTING = (CustomerNotFound, errors.InvalidPoints, errors.IdempotencyKeyReused, ledger.InsufficientPoints)
_RESOLVING = (ledger.HoldNotFound, ledger.HoldResolved, errors.IdempotencyKeyReused)

_HOLD = {
    "customer_id": "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0",
    "points": 200,
    "expires_in": 900,
    "reference": "basket_77",
}
_TRANSFER = {
    "from_customer_id": "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0",
    "to_customer_id": "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c1",
    "points": 50,
    "reason": "A present",
}


class HoldsViewSet(v1.V1ViewSet):
    """Sets points aside at the basket, and takes them at the payment."""

    scopes = {
        "create": Scope.POINTS_MANAGE,
        "retrieve": Scope.POINTS_READ,
        "capture": Scope.POINTS_MANAGE,
        "release": Scope.POINTS_MANAGE,
    }
    refusals = {
        "create": (*_POSTING, ledger.TooManyHolds, ledger.TransactionLimitExceeded),
        "retrieve": (ledger.HoldNotFound,),
        "capture": (*_RESOLVING, errors.InvalidPoints, ledger.InsufficientPoints),
        "release": _RESOLVING,
    }

    @extend_schema(
        summary="Hold points",
        tags=v1.HOLDS,
        request=shapes.HoldInput,
        responses={201: shapes.Hold},
        examples=[OpenApiExample("For a basket", value=_HOLD, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Sets points of a customer aside: until the hold is captured, released or lapses they are neither spendable
        nor expiring. An `Idempotency-Key` is the account's."""
        body = shapes.HoldInput.read(request.data)
        key = v1.key_of(request)
        account = accounts.of_customer(
            program=caller(request).program, reference=body["customer_id"], definition=body["definition"]
        )
        lapses.of_customers([account.customer_id], at=timezone.now())
        outcome = ledger.hold(
            account=account,
            points=body["points"],
            lasts=datetime.timedelta(seconds=body["expires_in"] or shapes.USUAL_SECONDS),
            note=ledger.Note(
                reason=reasons.HELD,
                actor=caller(request).key_id,
                reference=body["reference"] or None,
                metadata=body["metadata"],
            ),
            at=timezone.now(),
            key=key,
            render=_rendered(201),
        )
        return _sent(outcome)

    @extend_schema(summary="Hold", tags=v1.HOLDS, responses={200: shapes.Hold})
    def retrieve(self, request: Request, hold_id: str) -> HttpResponse:
        """Tells a hold, by the clock."""
        hold = holds.read(program=caller(request).program, reference=hold_id, at=timezone.now())
        return v1.respond(_written(hold, hold.account.customer_id))

    @extend_schema(
        summary="Capture a hold",
        tags=v1.HOLDS,
        request=shapes.CaptureInput,
        responses={200: shapes.Hold},
        examples=[OpenApiExample("A part", value={"points": 150}, request_only=True)],
    )
    def capture(self, request: Request, hold_id: str) -> HttpResponse:
        """Redeems the points of a hold, or so many of them; the rest is available again. Once: then it is resolved. An
        `Idempotency-Key` is the account's."""
        body = shapes.CaptureInput.read(request.data)
        key = v1.key_of(request)
        program = caller(request).program
        hold = holds.find(program=program, reference=hold_id)
        outcome = ledger.capture(
            account=holds.account_of(hold, program),
            hold_id=hold.id,
            points=body["points"],
            note=_note(request, body["reason"] or reasons.REDEEMED, hold.reference),
            at=timezone.now(),
            key=key,
            render=_rendered(200),
        )
        return _sent(outcome)

    @extend_schema(summary="Release a hold", tags=v1.HOLDS, request=None, responses={200: shapes.Hold})
    def release(self, request: Request, hold_id: str) -> HttpResponse:
        """Makes the points of a hold available again, those of a lot that has ended meanwhile expire. Once: then it is
        resolved. An `Idempotency-Key` is the account's."""
        key = v1.key_of(request)
        program = caller(request).program
        hold = holds.find(program=program, reference=hold_id)
        outcome = ledger.release(
            account=holds.account_of(hold, program),
            hold_id=hold.id,
            note=_note(request, reasons.RELEASED, hold.reference),
            at=timezone.now(),
            key=key,
            render=_rendered(200),
        )
        return _sent(outcome)


class TransfersViewSet(v1.V1ViewSet):
    """Sends points from one customer to another."""

    scopes = {"create": Scope.POINTS_MANAGE}
    refusals = {
        "create": (
            *_POSTING,
            ledger.TransfersDisabled,
            ledger.TransferLimitExceeded,
            ledger.TransactionLimitExceeded,
        )
    }

    @extend_schema(
        summary="Transfer points",
        tags=v1.HOLDS,
        request=shapes.TransferInput,
        responses={201: shapes.Transfer},
        examples=[OpenApiExample("A present", value=_TRANSFER, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Sends points from one customer to another, where the programme allows it. They keep their expiry. An
        `Idempotency-Key` is the account's of the customer who sends."""
        body = shapes.TransferInput.read(request.data)
        key = v1.key_of(request)
        program = caller(request).program
        sender, receiver = (
            accounts.of_customer(program=program, reference=body[name], definition=body["definition"])
            for name in ("from_customer_id", "to_customer_id")
        )
        lapses.of_customers([sender.customer_id], at=timezone.now())
        outcome = ledger.transfer(
            sender=sender,
            receiver=receiver,
            points=body["points"],
            note=ledger.Note(
                reason=body["reason"],
                actor=caller(request).key_id,
                reference=body["reference"] or None,
                metadata=body["metadata"],
            ),
            at=timezone.now(),
            key=key,
            render=lambda outcome: v1.answer(_transfer(outcome), 201),
        )
        return _sent(outcome)


def _note(request: Request, reason: str, reference: str | None) -> ledger.Note:
    return ledger.Note(reason=reason, actor=caller(request).key_id, reference=reference)


def _rendered(status: int) -> ledger.Render:
    """This will answer how a hold is written, once it is made or resolved: of the customer whose it is by now."""

    def render(outcome: ledger.Outcome) -> idempotency.Answer:
        return v1.answer(_written(outcome.hold, outcome.posting.account.customer_id), status)

    return render


def _written(hold: Any, customer_id: uuid.UUID) -> dict[str, Any]:
    is_captured = hold.status == "captured"
    return shapes.Hold.write(
        hold,
        customer_id=ids.public("cus", customer_id),
        transaction_id=ids.public("txn", hold.resolved_by_id) if is_captured else None,
    )


def _transfer(outcome: ledger.Outcome) -> dict[str, Any]:
    entry, posting = outcome.entry, outcome.posting
    assert entry is not None
    assert posting.receiver is not None
    return shapes.Transfer.write(
        entry,
        from_customer_id=ids.public("cus", posting.account.customer_id),
        to_customer_id=ids.public("cus", posting.receiver.customer_id),
        points=-entry.points,
        transactions=[ids.public("txn", entry.pk), ids.public("txn", posting.received_id)],
    )


def _sent(outcome: ledger.Outcome) -> HttpResponse:
    assert outcome.answer is not None
    return v1.send(outcome.answer)
