"""One attempt: an event is signed and posted to an address, and the answer read, up to a limit."""

import asyncio
import dataclasses
import datetime
import functools
import hashlib
import hmac
import ssl
import time
import uuid
from collections.abc import Sequence

import httpcore
import httpx
import standardwebhooks

from events.addresses import AddressRefused, GuardedBackend, NameNotFound
from events.models import Fault

# In all: looking up the name, connecting, sending, and reading the answer.
SECONDS = 10
# What of an answer is kept, in bytes; and what of it is read, so that the connection can be used again.
EXCERPT = 1_000
MOST_READ = 16_384
# Servers close what is idle: ours is given up before.
_IDLE_SECONDS = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Where to, and what to sign with: the newest secret first."""

    url: str
    secrets: Sequence[str]
    signs_body: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that is to be attempted, with the event as it goes out."""

    id: uuid.UUID
    lane: uuid.UUID
    event_id: str
    body: bytes
    retries: int
    failing_since: datetime.datetime | None
    is_test: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt; without a fault it was delivered."""

    at: datetime.datetime
    milliseconds: int
    status_code: int | None = None
    answer: str = ""
    fault: Fault | None = None


class Post:
    """The connections to one endpoint, so that no other waits for those."""

    def __init__(self, *, at_once: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_trusted(),
            max_connections=at_once,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=GuardedBackend(),
        )

    async def send(self, parcel: Parcel, target: Target, *, at: datetime.datetime) -> Outcome:
        """This will post an event and answer what came of it. Whatever the receiver does, it raises nothing."""
        if not target.secrets:
            return Outcome(at=at, milliseconds=0, fault=Fault.SECRET)
        began = time.monotonic()
        status: int | None = None
        answer = b""
        try:
            async with asyncio.timeout(SECONDS):
                url = httpx.URL(target.url)
                async with self._pool.stream(
                    b"POST",
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=_headers(parcel, target, host=url.netloc, at=at),
                    content=parcel.body,
                ) as response:
                    status = response.status
                    answer = await _read(response)
            fault = _fault(status)
        except (TimeoutError, httpcore.TimeoutException):
            fault = Fault.TIMEOUT
        except AddressRefused:
            fault = Fault.ADDRESS
        except NameNotFound:
            fault = Fault.NAME
        except httpcore.ConnectError as failure:
            # The library hides the cause, not the context.
            fault = Fault.TLS if isinstance(failure.__context__, ssl.SSLError) else Fault.CONNECTION
        except httpcore.NetworkError:
            fault = Fault.CONNECTION
        except (httpcore.ProtocolError, httpx.InvalidURL):
            fault = Fault.ANSWER
        return Outcome(
            at=at,
            milliseconds=round((time.monotonic() - began) * 1000),
            status_code=status,
            # Postgres has no NUL.
            answer=answer[:EXCERPT].decode(errors="replace").replace("\0", "\ufffd"),
            fault=fault,
        )

    async def close(self) -> None:
        """This will close the connections."""
        await self._pool.aclose()


@functools.cache
def _trusted() -> ssl.SSLContext:
    # Once: reading the authorities' certificates takes longer than most attempts. Beside the usual ones those of the
    # machine, and of SSL_CERT_FILE: a shop may have its own.
    context = httpcore.default_ssl_context()
    context.load_default_certs()
    return context


def _headers(parcel: Parcel, target: Target, *, host: bytes, at: datetime.datetime) -> dict[str | bytes, str | bytes]:
    body = parcel.body.decode()
    signatures = (standardwebhooks.Webhook(secret).sign(parcel.event_id, at, body) for secret in target.secrets)
    headers: dict[str | bytes, str | bytes] = {
        "Host": host,
        "Content-Type": "application/json",
        "Content-Length": str(len(parcel.body)),
        "User-Agent": "Loyalty-Webhooks",
        "webhook-id": parcel.event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    if target.signs_body:
        digest = hmac.new(target.secrets[0].encode(), parcel.body, hashlib.sha256).hexdigest()
        headers["X-Loyalty-Signature"] = f"sha256={digest}"
    return headers


async def _read(response: httpcore.Response) -> bytes:
    read = bytearray()
    async for part in response.aiter_stream():
        read += part
        if len(read) >= MOST_READ:
            # Leaving it unread closes the connection.
            break
    return bytes(read)


def _fault(status: int) -> Fault | None:
    if 200 <= status < 300:
        return None
    return Fault.REDIRECT if 300 <= status < 400 else Fault.STATUS
