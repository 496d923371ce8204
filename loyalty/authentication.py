"""Who calls: an API key, in any of the header forms that every face accepts, or a member with a token."""

import ipaddress
from collections.abc import Mapping

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from loyalty import api_keys, errors, ids, member_tokens, retry
from loyalty.member_tokens import Member
from loyalty.models import ApiKey

_BEARER = "bearer "


class ApiKeyAuthentication(BaseAuthentication):
    """Reads the key and its programme in one query, and writes nothing."""

    def authenticate(self, request: Request) -> tuple[ApiKey, ApiKey]:
        """This will answer the key of the caller, as user and as auth.

        Raises:
            errors.Unauthorized: no credentials, or wrong, revoked, expired or used from another address.
        """
        secret, key_id = _credentials(request.META)
        # The first query of a request is the one that finds a persistent connection broken.
        key = retry.run(lambda: api_keys.find(secret=secret, key_id=key_id))
        if key is None or not _is_usable(key, request.META):
            raise errors.Unauthorized
        return key, key

    def authenticate_header(self, request: Request) -> str:
        """This will name the scheme that a 401 asks for."""
        return "Bearer"


class MemberTokenAuthentication(BaseAuthentication):
    """Reads a member's token; stands before ApiKeyAuthentication, which takes every other credential.

    The key that issued the token answers for it, and is read with its programme in one query. The ranges of addresses
    that the key is limited to are not asked: a member calls from anywhere.
    """

    def authenticate(self, request: Request) -> tuple[Member, ApiKey] | None:
        """This will answer the member as user and the issuing key as auth, or None where no token was sent.

        Raises:
            errors.Unauthorized: the token is not one of ours, has ended, or its key was revoked or has expired.
        """
        token = _token(request.META)
        if token is None:
            return None
        claims = member_tokens.read(token)
        if claims is None:
            raise errors.Unauthorized
        customer_id = ids.parse("cus", claims["sub"])
        key = retry.run(lambda: api_keys.find_by_key_id(claims["key"]))
        if customer_id is None or key is None or not _is_alive(key) or str(key.program_id) != claims["programme"]:
            raise errors.Unauthorized
        return Member(customer_id=customer_id, key=key), key

    def authenticate_header(self, request: Request) -> str:
        """This will name the scheme that a 401 asks for."""
        return "Bearer"


def caller_address(headers: Mapping[str, str]) -> str:
    """This will answer the caller's address: the last one in X-Forwarded-For that no proxy of ours has."""
    address = headers.get("REMOTE_ADDR", "")
    forwarded = [hop.strip() for hop in headers.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    # Read from the end: what stands before the first untrusted hop is the caller's own word.
    while forwarded and _is_within(address, settings.TRUSTED_PROXIES):
        address = forwarded.pop()
    return address


def _token(headers: Mapping[str, str]) -> str | None:
    """This will find a member's token where ApiKeyAuthentication would look for a secret."""
    if headers.get("HTTP_X_API_SECRET"):
        return None
    bearer = _bearer(headers)
    return bearer if bearer is not None and bearer.startswith(member_tokens.BEGINNING) else None


def _credentials(headers: Mapping[str, str]) -> tuple[str, str | None]:
    """This will find the secret, and the key id where the caller sent one."""
    if secret := headers.get("HTTP_X_API_SECRET"):
        return secret, headers.get("HTTP_X_API_KEY", "")
    if (bearer := _bearer(headers)) is not None:
        return bearer, None
    if secret := headers.get("HTTP_APIKEY") or headers.get("HTTP_X_API_KEY"):
        return secret, None
    raise errors.Unauthorized


def _bearer(headers: Mapping[str, str]) -> str | None:
    authorization = headers.get("HTTP_AUTHORIZATION", "")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    return None


def _is_usable(key: ApiKey, headers: Mapping[str, str]) -> bool:
    return _is_alive(key) and (not key.allowed_ips or _is_within(caller_address(headers), key.allowed_ips))


def _is_alive(key: ApiKey) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > timezone.now())


def _is_within(address: str, ranges: list[str]) -> bool:
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(caller, ipaddress.IPv6Address) and caller.ipv4_mapped is not None:
        caller = caller.ipv4_mapped
    return any(caller in ipaddress.ip_network(allowed, strict=False) for allowed in ranges)
