"""The addresses that a programme wants to be told at: making, changing and finding them."""

import contextlib
import datetime
import uuid
from typing import Any

import httpx
from django.db import transaction
from django.db.models import QuerySet

from events import sealing
from events.models import EventType, WebhookEndpoint
from loyalty import errors
from loyalty.models import Program

MOST = 20
MOST_URL = 2_000
ALL = "*"
# For so long a former secret signs, too.
BOTH_VALID = datetime.timedelta(hours=24)


class WebhookEndpointNotFound(errors.NotFound):
    """There is no such webhook endpoint in the programme."""

    code = "WEBHOOK_ENDPOINT_NOT_FOUND"
    message = "There is no such webhook endpoint."


class TooManyWebhookEndpoints(errors.Refusal):
    """The programme has as many webhook endpoints as it may."""

    code = "TOO_MANY_WEBHOOK_ENDPOINTS"
    status = 409
    message = f"A programme has at most {MOST} webhook endpoints."


class WebhookEndpointPaused(errors.Refusal):
    """The webhook endpoint is paused: nothing is sent to it."""

    code = "WEBHOOK_ENDPOINT_PAUSED"
    status = 409
    message = "The webhook endpoint is paused. Make it active first."


def create(
    *, program: Program, url: str, event_types: list[str], description: str = "", signs_body: bool = False
) -> WebhookEndpoint:
    """This will make an endpoint that is sent what happens from now on; its secret is sealed in it.

    Raises:
        errors.InvalidParameters: the address is none that can be called, or there are no such types of events.
        TooManyWebhookEndpoints.
    """
    _check(url=url, event_types=event_types)
    with transaction.atomic():
        # Those who make one at once count one another.
        Program.objects.select_for_update(no_key=True).get(pk=program.pk)
        if of_program(program=program).count() >= MOST:
            raise TooManyWebhookEndpoints
        endpoint = WebhookEndpoint.objects.create(
            program=program,
            url=url,
            event_types=event_types,
            description=description,
            signs_body=signs_body,
            sealed_secret=sealing.seal(sealing.new_secret()),
        )
    return find(program=program, endpoint_id=endpoint.pk)


def change(
    *,
    program: Program,
    endpoint_id: uuid.UUID | None,
    is_active: bool | None = None,
    at: datetime.datetime,
    **said: Any,
) -> WebhookEndpoint:
    """This will change what is said of an endpoint: pause it, or go on where it stopped.

    Raises:
        WebhookEndpointNotFound.
        errors.InvalidParameters: as of `create`.
    """
    _check(**{name: said[name] for name in ("url", "event_types") if name in said})
    with transaction.atomic():
        endpoint = locked(program=program, endpoint_id=endpoint_id)
        for name, value in said.items():
            setattr(endpoint, name, value)
        if said:
            endpoint.save(update_fields=said)
        if is_active is True or (endpoint.paused_at is None and "url" in said):
            # What was wrong may be mended.
            resume(endpoint, at=at)
        elif is_active is False and endpoint.paused_at is None:
            endpoint.paused_at = at
            endpoint.save(update_fields=["paused_at"])
    return find(program=program, endpoint_id=endpoint_id)


def resume(endpoint: WebhookEndpoint, *, at: datetime.datetime) -> None:
    """This will go on sending to an endpoint where it stopped: what waits for another attempt is due at once."""
    endpoint.paused_at = endpoint.probe_at = None
    endpoint.gave_up, endpoint.failures = False, 0
    endpoint.save(update_fields=["paused_at", "probe_at", "gave_up", "failures"])
    waiting = endpoint.deliveries.filter(delivered_at=None)
    waiting.filter(retries__gt=0).update(retries=0, failing_since=None)
    waiting.filter(next_attempt_at__gt=at).update(next_attempt_at=at)


def delete(*, program: Program, endpoint_id: uuid.UUID | None, at: datetime.datetime) -> None:
    """This will send nothing to an endpoint any more, and forget its secrets.

    Raises:
        WebhookEndpointNotFound.
    """
    with transaction.atomic():
        endpoint = locked(program=program, endpoint_id=endpoint_id)
        endpoint.deleted_at = at
        endpoint.sealed_secret, endpoint.sealed_previous_secret = "", None
        endpoint.save(update_fields=["deleted_at", "sealed_secret", "sealed_previous_secret"])


def rotate_secret(*, program: Program, endpoint_id: uuid.UUID | None, at: datetime.datetime) -> WebhookEndpoint:
    """This will give an endpoint another secret; the one that it had signs beside it for a day.

    Raises:
        WebhookEndpointNotFound.
    """
    with transaction.atomic():
        endpoint = locked(program=program, endpoint_id=endpoint_id)
        endpoint.sealed_previous_secret = endpoint.sealed_secret
        endpoint.previous_secret_until = at + BOTH_VALID
        endpoint.sealed_secret = sealing.seal(sealing.new_secret())
        endpoint.save(update_fields=["sealed_secret", "sealed_previous_secret", "previous_secret_until"])
        if endpoint.paused_at is None:
            resume(endpoint, at=at)
    return endpoint


def find(*, program: Program, endpoint_id: uuid.UUID | None) -> WebhookEndpoint:
    """This will answer the programme's endpoint of that id.

    Raises:
        WebhookEndpointNotFound: there is none, or it was deleted.
    """
    endpoint = of_program(program=program).filter(pk=endpoint_id).first() if endpoint_id else None
    if endpoint is None:
        raise WebhookEndpointNotFound
    return endpoint


def locked(*, program: Program, endpoint_id: uuid.UUID | None) -> WebhookEndpoint:
    """This will lock an endpoint until the transaction ends, and answer it as it is now.

    Raises:
        WebhookEndpointNotFound.
    """
    found = of_program(program=program).select_for_update(no_key=True)
    endpoint = found.filter(pk=endpoint_id).first() if endpoint_id else None
    if endpoint is None:
        raise WebhookEndpointNotFound
    return endpoint


def of_program(*, program: Program) -> QuerySet[WebhookEndpoint]:
    """This will answer the programme's endpoints, the newest first."""
    return program.webhook_endpoints.filter(deleted_at=None).order_by("-created_at", "-id")


def secrets_of(endpoint: WebhookEndpoint, *, at: datetime.datetime) -> list[str]:
    """This will answer what signs at a moment, the newest secret first; nothing if that cannot be decrypted."""
    try:
        secrets = [sealing.unseal(endpoint.sealed_secret)]
    except sealing.Unreadable:
        return []
    if endpoint.sealed_previous_secret and endpoint.previous_secret_until and at < endpoint.previous_secret_until:
        # It may be the reason why there is another one.
        with contextlib.suppress(sealing.Unreadable):
            secrets.append(sealing.unseal(endpoint.sealed_previous_secret))
    return secrets


def check_address(url: str) -> None:
    """This will refuse an address that cannot be called.

    Raises:
        errors.InvalidParameters: it is none.
    """
    _check(url=url)


def _check(*, url: str | None = None, event_types: list[str] | None = None) -> None:
    if url is not None and not _can_be_called(url):
        raise errors.InvalidParameters(
            {"url": ["An http or https address with a host, without a user name or password."]}, rule="url"
        )
    if event_types is None:
        return
    known = {*EventType.values} if event_types != [ALL] else {ALL}
    unknown = [name for name in event_types if name not in known]
    if not event_types or unknown or len({*event_types}) < len(event_types):
        text = (
            f"There are no events of the type {unknown[0]}." if unknown else "Types of events, each once, or * alone."
        )
        raise errors.InvalidParameters({"events": [text]}, rule="choice")


def _can_be_called(url: str) -> bool:
    # What a URL may not hold: it would be written into the request as it is, or not at all.
    if any(not "!" <= letter <= "~" and letter.isascii() for letter in url) or len(url) > MOST_URL:
        return False
    try:
        parts = httpx.URL(url)
        labels = parts.raw_host.removesuffix(b".").split(b".")
        is_whole = parts.scheme in ("http", "https") and not parts.userinfo
        is_named = all(0 < len(label) < 64 for label in labels) and len(parts.raw_host) < 254
        return is_whole and is_named and (parts.port is None or 0 < parts.port < 2**16)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return False
