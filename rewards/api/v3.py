"""The accounts face's operations on vouchers."""

import functools
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from loyalty import errors, idempotency, ids
from loyalty.api import v3
from loyalty.models import Scope
from loyalty.permissions import caller
from points import accounts, contacts, ledger
from points.contacts import ContactNotFound, PointDefinitionNotFound, PointSystemNotActive
from rewards import vouchers
from rewards.api import v3_shapes as shapes
from rewards.models import RewardVoucher

_EXAMPLE = {"contactId": "0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c0", "definitionId": 1, "points": 500}
_LISTING = (errors.InvalidParameters, ContactNotFound)


class RewardVouchersViewSet(v3.V3ViewSet):
    """Turns points into vouchers, tells and spends them."""

    scopes = {
        "list": Scope.POINTS_READ,
        "available": Scope.POINTS_READ,
        "redeemed": Scope.POINTS_READ,
        "create": Scope.REWARDS_MANAGE,
        "redeem": Scope.REWARDS_MANAGE,
        "reactivate": Scope.REWARDS_MANAGE,
    }
    refusals = {
        "list": _LISTING,
        "available": _LISTING,
        "redeemed": _LISTING,
        "create": (
            errors.InvalidPoints,
            ContactNotFound,
            PointDefinitionNotFound,
            PointSystemNotActive,
            vouchers.VouchersNotActive,
            ledger.InsufficientPoints,
            errors.IdempotencyKeyReused,
        ),
        "redeem": (
            vouchers.RewardVoucherNotFound,
            vouchers.RewardVoucherAlreadyRedeemed,
            vouchers.RewardVoucherExpired,
            errors.IdempotencyKeyReused,
        ),
        "reactivate": (
            vouchers.RewardVoucherNotFound,
            vouchers.RewardVoucherAlreadyActivated,
            vouchers.ReactivationLimitExceeded,
            errors.IdempotencyKeyReused,
        ),
    }
    keyed = frozenset({"create", "redeem", "reactivate"})

    @extend_schema(
        summary="Vouchers of a contact",
        tags=v3.TAG,
        parameters=[shapes.VouchersQuery],
        responses={200: v3.page_of(shapes.Voucher)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists a contact's vouchers, newest first."""
        return _listed(request, lambda found: found)

    @extend_schema(
        summary="Vouchers that can be redeemed",
        tags=v3.TAG,
        parameters=[shapes.VouchersQuery],
        responses={200: v3.page_of(shapes.Voucher)},
    )
    def available(self, request: Request) -> HttpResponse:
        """Lists those of a contact's vouchers that are neither redeemed nor expired, newest first."""
        return _listed(request, functools.partial(vouchers.available, at=timezone.now()))

    @extend_schema(
        summary="Vouchers that are redeemed",
        tags=v3.TAG,
        parameters=[shapes.VouchersQuery],
        responses={200: v3.page_of(shapes.Voucher)},
    )
    def redeemed(self, request: Request) -> HttpResponse:
        """Lists those of a contact's vouchers that are redeemed, newest first."""
        return _listed(request, lambda found: found.exclude(redeemed_at=None))

    @extend_schema(
        summary="Turn points into a voucher",
        tags=v3.TAG,
        request=shapes.VoucherInput,
        responses={201: shapes.Voucher},
        examples=[OpenApiExample("500 points", value=_EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Turns a contact's points into a voucher, as the rule of their definition says: all of them at a value each,
        or whole steps, from a smallest number. The points are taken and the voucher is made together, or neither."""
        body = shapes.VoucherInput.read(request.data)
        key = v3.key_of(request)
        program, at, voucher_id = caller(request).program, timezone.now(), ids.new_id()

        def work() -> idempotency.Answer | errors.Refusal:
            contacts.require_accounts(program)
            if body["definition_id"] is None:
                contact_id = contacts.find_contact(program=program, contact_id=body["contact_id"])
                account = accounts.default_of(program, contact_id)
            else:
                account = contacts.name(
                    program=program, contact_id=body["contact_id"], definition_id=body["definition_id"]
                )
            try:
                voucher = vouchers.convert(
                    account=account,
                    points=body["points"],
                    actor=caller(request).key_id,
                    at=at,
                    voucher_id=voucher_id,
                )
            except errors.Unavailable:
                raise
            except errors.Refusal as refusal:
                # Returned, what was due stays written.
                ledger.settle([account], at=at)
                return refusal
            return v3.answer(_written(voucher), 201)

        return _once(request, key, work)

    @extend_schema(summary="Redeem a voucher", tags=v3.TAG, request=None, responses={200: shapes.Voucher})
    def redeem(self, request: Request, voucher_id: str) -> HttpResponse:
        """Spends a voucher, once, however many ask."""
        return _changed(request, voucher_id, vouchers.redeem)

    @extend_schema(summary="Reactivate a voucher", tags=v3.TAG, request=None, responses={200: shapes.Voucher})
    def reactivate(self, request: Request, voucher_id: str) -> HttpResponse:
        """Makes a redeemed voucher good again, at most three times. Its expiry stays as it is."""
        return _changed(request, voucher_id, vouchers.reactivate)


def _listed(request: Request, select: Callable[[QuerySet[RewardVoucher]], QuerySet[RewardVoucher]]) -> HttpResponse:
    query = v3.read_query(shapes.VouchersQuery, request)
    program = caller(request).program
    contact_id = contacts.find_contact(program=program, contact_id=query["contact_id"])
    found = select(vouchers.of_contact(program=program, contact_id=contact_id))
    page = found[query["offset"] : query["offset"] + query["count"]]
    return v3.respond_with_page([_written(voucher) for voucher in page], offset=query["offset"], total=found.count())


def _changed(request: Request, voucher_id: str, change: Callable[..., RewardVoucher]) -> HttpResponse:
    at = timezone.now()

    def work() -> idempotency.Answer:
        voucher = change(
            program=caller(request).program,
            voucher_id=v3.path_id(voucher_id),
            actor=caller(request).key_id,
            at=at,
        )
        return v3.answer(_written(voucher))

    return _once(request, v3.key_of(request), work)


def _once(
    request: Request, key: idempotency.Key | None, work: Callable[[], idempotency.Answer | errors.Refusal]
) -> HttpResponse:
    answer = idempotency.answer_once(owner_id=caller(request).program.pk, key=key, work=work)
    assert isinstance(answer, idempotency.Answer)
    return v3.send(answer)


def _written(voucher: RewardVoucher) -> dict[str, Any]:
    value = shapes.Value.write(voucher, amount=voucher.value)
    return shapes.Voucher.write(voucher, redeemed=voucher.redeemed_at is not None, value=value)
