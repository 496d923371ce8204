"""Member tokens: short-lived words of an API key that let one customer read what is the customer's own.

A token is nowhere stored. It is good as long as it says itself, and only while the key that issued it is.
"""

import dataclasses
import datetime
import uuid
from typing import Any

import jwt
from django.conf import settings
from django.utils.crypto import salted_hmac

from loyalty import ids
from loyalty.models import ApiKey

# What every JSON object begins with in base64; secrets of API keys begin with sk_.
BEGINNING = "eyJ"
LONGEST = 1024

_ALGORITHM = "HS256"
_ISSUER = "loyalty"
_AUDIENCE = "loyalty:shop:member"
_CLAIMS = ("iss", "aud", "sub", "programme", "key", "iat", "exp", "jti")


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A customer who calls with a token, on the word of the API key that issued it."""

    customer_id: uuid.UUID
    key: ApiKey


def claims(*, key: ApiKey, customer_id: uuid.UUID, at: datetime.datetime) -> dict[str, Any]:
    """This will answer what a new token of the key for the customer says, in whole seconds since 1970.

    It ends after MEMBER_TOKEN_SECONDS, or with the key if that ends before.
    """
    issued_at = int(at.timestamp())
    ends = [issued_at + settings.MEMBER_TOKEN_SECONDS]
    if key.expires_at is not None:
        ends.append(int(key.expires_at.timestamp()))
    return {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": ids.public("cus", customer_id),
        "programme": str(key.program_id),
        "key": key.key_id,
        "iat": issued_at,
        "exp": min(ends),
        "jti": str(ids.new_id()),
    }


def sign(claims: dict[str, Any]) -> str:
    """This will write a token that says so: the same one for the same claims."""
    return jwt.encode(claims, _signing_key(), algorithm=_ALGORITHM)


def read(token: str) -> dict[str, Any] | None:
    """This will answer what a token says that was signed here and has not ended, or None for anything else.

    Whether its key may still be used is for the caller to ask.
    """
    if len(token) > LONGEST:
        return None
    try:
        return jwt.decode(
            token,
            _signing_key(),
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            leeway=0,
            options={"require": list(_CLAIMS), "strict_aud": True, "enforce_minimum_key_length": True},
        )
    except jwt.InvalidTokenError:
        return None


def _signing_key() -> bytes:
    # Of this purpose alone: whatever else is signed with SECRET_KEY can never pass for a token.
    return salted_hmac("loyalty.member_tokens", _ALGORITHM, algorithm="sha256").digest()
