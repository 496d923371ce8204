"""Who calls: an API key, in any of the header forms that every face accepts."""

import ipaddress
from collections.abc import Mapping

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from loyalty import api_keys, errors, retry
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


def _credentials(headers: Mapping[str, str]) -> tuple[str, str | None]:
    """This will find the secret, and the key id where the caller sent one."""
    if secret := headers.get("HTTP_X_API_SECRET"):
        return secret, headers.get("HTTP_X_API_KEY", "")
    authorization = headers.get("HTTP_AUTHORIZATION", "")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip(), None
    if secret := headers.get("HTTP_APIKEY") or headers.get("HTTP_X_API_KEY"):
        return secret, None
    raise errors.Unauthorized


def _is_usable(key: ApiKey, headers: Mapping[str, str]) -> bool:
    if key.revoked_at is not None:
        return False
    if key.expires_at is not None and key.expires_at <= timezone.now():
        return False
    return not key.allowed_ips or _is_within(_address(headers), key.allowed_ips)


def _is_within(address: str, ranges: list[str]) -> bool:
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(caller, ipaddress.IPv6Address) and caller.ipv4_mapped is not None:
        caller = caller.ipv4_mapped
    return any(caller in ipaddress.ip_network(allowed, strict=False) for allowed in ranges)


def _address(headers: Mapping[str, str]) -> str:
    """This will answer the caller's address: the last one in X-Forwarded-For that no proxy of ours has."""
    address = headers.get("REMOTE_ADDR", "")
    forwarded = [hop.strip() for hop in headers.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    # Read from the end: what stands before the first untrusted hop is the caller's own word.
    while forwarded and _is_within(address, settings.TRUSTED_PROXIES):
        address = forwarded.pop()
    return address
