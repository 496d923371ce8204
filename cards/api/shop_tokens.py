"""The shop face's operation on member tokens."""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from cards import membership
from loyalty import errors, idempotency, member_tokens
from loyalty.api import fields, serializers, shop
from loyalty.api.fields import optional
from loyalty.models import ApiKey, Scope
from loyalty.permissions import caller

_BEARER = "Bearer"


class MemberTokenInput(serializers.Input):
    """Whose token is wanted."""

    user_id = fields.SerialInput(**optional(help_text="The customer's number. Required, unless `user_email` is sent."))
    user_email = fields.Email(**optional(help_text="The customer's e-mail address, in whatever case."))

    def faults_together(self, data: Mapping[str, Any]) -> serializers.Faults:
        """This will see to it that the customer is named, in one way."""
        sent = [name for name in ("user_id", "user_email") if data.get(name) is not None]
        if not sent:
            return {"user_id": [ErrorDetail(_("Send user_id or user_email."), code="required")]}
        if len(sent) > 1:
            return {"user_email": [ErrorDetail(_("Send user_id or user_email, not both."), code="exclusive")]}
        return {}


class MemberToken(serializers.Output):
    """A member's token, and until when it is good."""

    token = fields.Words(help_text="Goes into the header `Authorization: Bearer …`.", schema={"example": "eyJhbGciOi…"})
    token_type = fields.Words(help_text="How it is sent.", schema={"enum": [_BEARER]})
    expires_in = fields.Count(help_text="For how many seconds it is good.", schema={"example": 900})
    expires_at = fields.Time(help_text="When it ends.")
    user_id = fields.Count(help_text="The customer's number.", schema={"example": 77})


class MemberTokensViewSet(shop.ShopViewSet):
    """Issues member tokens."""

    scopes = {"create": Scope.LOYALTY_READ}
    refusals = {"create": (membership.CustomerNotFound, errors.IdempotencyKeyReused)}

    @extend_schema(
        summary="Issue a member token",
        tags=shop.TAG,
        request=MemberTokenInput,
        responses={200: shop.success(MemberToken)},
        examples=[OpenApiExample("A customer", value={"user_id": 77}, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Gives a short-lived token with which one customer reads the own cards, their balances and their history, for
        example from the shop's app, and reaches nothing else.

        It is good until `expires_at`, and no longer than the API key that issued it: with the key revoked or expired,
        so is the token. It shows nothing that the key itself may not read. That is why reading is the scope it takes,
        and not writing: a shop whose app only shows points needs no key that could change a card. The address ranges
        of the key hold for issuing a token, not for using it.

        No token is kept. Under an `Idempotency-Key` the same API key gets the same token again, also one that has
        ended meanwhile; for another API key it is a different request."""
        body = MemberTokenInput.read(request.data)
        issuer, now = caller(request), timezone.now()

        def work() -> idempotency.Answer:
            # Found in here, so that a replay is answered whatever became of the customer's address.
            customer = membership.find_shopper(program=issuer.program, serial=body["user_id"], email=body["user_email"])
            claims = member_tokens.claims(key=issuer, customer_id=customer.pk, at=now)
            # What the token says, and not the token: who reads the table, or a backup of it, can sign nothing.
            return idempotency.Answer(status=200, body=orjson.dumps({"user_id": customer.serial, "claims": claims}))

        key = _key_of(request, issuer)
        return _response(idempotency.answer_once(owner_id=issuer.program.pk, key=key, work=work))


def _key_of(request: Request, issuer: ApiKey) -> idempotency.Key | None:
    """This will answer the caller's idempotency key for a request of this API key alone: a token is its issuer's."""
    key = shop.key_of(request)
    if key is None:
        return None
    body = [issuer.key_id, request.data]
    fingerprint = idempotency.fingerprint(method=str(request.method), path=request.path, body=body)
    return dataclasses.replace(key, fingerprint=fingerprint)


def _response(kept: idempotency.Answer) -> HttpResponse:
    said = orjson.loads(kept.body)
    claims = said["claims"]
    token = MemberToken.write(
        None,
        token=member_tokens.sign(claims),
        token_type=_BEARER,
        expires_in=claims["exp"] - claims["iat"],
        expires_at=datetime.datetime.fromtimestamp(claims["exp"], datetime.UTC),
        user_id=said["user_id"],
    )
    response = shop.send(idempotency.Answer(kept.status, shop.body(token, _("The token is ready.")), kept.replayed))
    response.headers["Cache-Control"] = "no-store"
    return response
