"""Allows connections only to addresses of the public internet (SSRF guard).

Own code: we know of no library that guards aiohttp down to the socket, as DNS rebinding requires.

URLs come from strangers, and a worker runs inside a private network. The host of a URL must not lead to the machine
itself, to its neighbours or to a cloud's metadata service. The tables are IANA's registries of special-purpose
addresses, strictly read. `ipaddress.is_global` is not used: it differs between Python releases and treats multicast as
global. IPv6 addresses that contain an IPv4 address are refused (mapped, 6to4, Teredo). The exception is NAT64's
well-known prefix, through which a network without IPv4 reaches all IPv4 hosts.

aiohttp uses `PublicResolver`. It looks up a name once, vets all addresses found, and opens sockets to vetted addresses
only. So neither a second lookup (DNS rebinding) nor an address in the URL gets around it.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

Network = IPv4Network | IPv6Network
Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""Maps a host name to its addresses as text. Raises OSError."""

SPECIAL_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
UNICAST_6 = IPv6Network("2000::/3")
"""All global unicast space; loopback, mapped, unique local, link-local, site-local and multicast are outside."""
SPECIAL_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
NAT64 = IPv6Network("64:ff9b::/96")

MAX_LOOKUPS = 64
"""Maximum concurrent lookups: names whose servers never answer must not use up threads."""


class RefusedAddress(OSError):
    """A refused address. An OSError, because aiohttp expects one if a connection fails."""


def is_global(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a unicast address of the public internet."""
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return is_global(IPv4Address(int(address) & 0xFFFF_FFFF))
        return (
            address in UNICAST_6
            and address.scope_id is None
            and not any(address in network for network in SPECIAL_6)
        )
    return not any(address in network for network in SPECIAL_4)


def vet(address: str, also: Collection[Network] = ()) -> None:
    """Raise RefusedAddress unless `address` is global or in one of the networks in `also`."""
    try:
        parsed = ip_address(address)
    except ValueError:
        raise RefusedAddress(f"{address!r} is not an IP address") from None
    if not is_global(parsed) and not any(parsed in network for network in also):
        raise RefusedAddress(f"{address} is not on the public internet")


_lookups = threading.BoundedSemaphore(MAX_LOOKUPS)


async def look_up(host: str) -> Sequence[str]:
    """The addresses of `host` from the system's resolver. Raises OSError if there are none.

    Runs in a daemon thread: an executor waits for its threads at exit, so a name server that never answers would delay
    a worker that was told to stop.
    """
    loop, running = asyncio.get_running_loop(), _lookups
    answer: asyncio.Future[Sequence[str]] = loop.create_future()

    def set_answer(found: Sequence[str], error: OSError | None) -> None:
        if answer.cancelled():
            return
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)

    def ask() -> None:
        found: list[str] = []
        failed = None
        try:
            found = [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
        except OSError as error:
            failed = error
        except UnicodeError as error:  # a label of more than 63 bytes
            failed = OSError(f"{host!r} is not a valid host name: {error}")
        finally:
            running.release()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(set_answer, found, failed)

    if not running.acquire(blocking=False):
        raise OSError(f"{MAX_LOOKUPS} host names are being looked up already")
    threading.Thread(target=ask, name="lookup", daemon=True).start()
    return await answer


class PublicResolver(AbstractResolver):
    """Resolver and socket factory for aiohttp. `also`: networks that are allowed besides the public internet."""

    def __init__(self, lookup: Lookup = look_up, also: Collection[Network] = ()) -> None:
        self._lookup = lookup
        self._also = tuple(also)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`. Raises RefusedAddress if even one of them is not allowed: a name with public and
        private addresses is probably an attack."""
        found = list(dict.fromkeys(await self._lookup(host)))
        if not found:
            raise OSError(f"{host} has no address")
        for address in found:
            vet(address, self._also)
        return [_result(host, address, port) for address in found]

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for one of `getaddrinfo`'s five-tuples. Raises RefusedAddress.

        The last check: a URL with an address as its host is never resolved.
        """
        family, type_, protocol, _, address = info
        vet(str(address[0]), self._also)
        return socket.socket(family, type_, protocol)

    async def close(self) -> None:
        """Does nothing: there are no resources to release."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )
