"""Which addresses may be called: what a shop types must not lead into the network that the service stands in.

It is decided where the connection is made, on the numbers that it is made to: a name that leads elsewhere when it is
looked up again has been looked up before that. Nothing at all is sent to an address that is refused.
"""

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterable

import httpcore
from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public addresses of IPv6; whatever else there is, is for special purposes.
_PUBLIC = ipaddress.IPv6Network("2000::/3")
# What some versions of Python take for public: protocol assignments and relays, and what clouds have inside.
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/23", "3fff::/20")
]
# The last four bytes are an address of IPv4 that a gateway goes on to.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# As many look-ups run at once: each has a thread, which a name server that is silent keeps for up to a minute.
_MOST_LOOK_UPS = 100
# So that an address that is silent leaves time for the next one.
_SECONDS_EACH = 4
_LOOK_UPS = threading.BoundedSemaphore(_MOST_LOOK_UPS)


class AddressRefused(httpcore.ConnectError):
    """The host has no address that may be called."""


class NameNotFound(httpcore.ConnectError):
    """The host has no address."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that may be called, and to nothing else."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """This will connect to the first address of the host that may be called and answers.

        Raises:
            NameNotFound, AddressRefused: there is no such address.
            httpcore.ConnectError: none answers.
        """
        allowed = [address for address in await _look_up(host, port) if may_call(address)]
        failure: Exception = AddressRefused()
        for address in allowed:
            try:
                return await self._backend.connect_tcp(str(address), port, _SECONDS_EACH, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                failure = failed
        raise failure

    async def sleep(self, seconds: float) -> None:
        """This will wait."""
        await self._backend.sleep(seconds)


def may_call(address: Address) -> bool:
    """This will tell whether endpoints may have that address."""
    if settings.WEBHOOKS_ALLOW_PRIVATE:
        return True
    inner = _inner(address)
    if inner is not None:
        return may_call(inner)
    if address.is_loopback:
        return settings.WEBHOOKS_ALLOW_LOOPBACK
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC:
        return False
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """This will answer the address of IPv4 that one of IPv6 stands for, or is carried on to."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo and teredo[1]) or None


async def _look_up(host: str, port: int) -> list[Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    if not _LOOK_UPS.acquire(blocking=False):
        raise NameNotFound
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Address]] = loop.create_future()
    # Not in a pool of threads: whoever ends the process would have to wait for those that a name server keeps.
    threading.Thread(target=_ask, args=[host, port, loop, found], daemon=True).start()
    return await found


def _ask(host: str, port: int, loop: asyncio.AbstractEventLoop, found: "asyncio.Future[list[Address]]") -> None:
    addresses: list[Address] = []
    try:
        for *_, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            # A scope after % is of no address that may be called.
            address = ipaddress.ip_address(str(where[0]).partition("%")[0])
            if address not in addresses:
                addresses.append(address)
    except (OSError, UnicodeError):
        pass
    finally:
        _LOOK_UPS.release()
    # Where the loop has ended meanwhile, nobody waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_tell, found, addresses)


def _tell(found: "asyncio.Future[list[Address]]", addresses: list[Address]) -> None:
    if found.done():
        return
    if addresses:
        found.set_result(addresses)
    else:
        found.set_exception(NameNotFound())
