"""Decides which URLs may be requested, by scheme, port and host. Ambiguous URLs are refused.

The host is normalized first: lower case, IDNA, no final dot, and an IPv4 address as four decimal numbers, however it
was written (2130706433, 0177.0.0.1, 0x7f.1, 127.1). aiohttp receives the same URL object that is checked here, so two
parsers cannot disagree. stream/images/addresses.py decides which addresses a name may lead to.
"""

import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv6Address

from yarl import URL

from stream.images.outcomes import BAD_URL, HOST_NOT_ALLOWED, NotFetched

PORTS = frozenset({80, 443})
MAX_URL = 4096
"""Maximum characters of a URL."""
ANY_HOST = "*"

_NAME = re.compile(r"(?=.{4,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}", re.ASCII)
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class UrlRules:
    """hosts: names (`pbs.twimg.com`), subdomains (`*.fbcdn.net`), or `*` for any. http: also allow URLs without TLS."""

    hosts: Collection[str]
    http: bool = False
    ports: Collection[int] = PORTS

    def check(self, text: str) -> URL:
        """The URL in `text`, with a normalized host and no fragment. Raises NotFetched with BAD_URL or
        HOST_NOT_ALLOWED."""
        url = _parse(text)
        if url.scheme not in (("https", "http") if self.http else ("https",)):
            raise NotFetched(BAD_URL)
        if url.user is not None or url.password is not None:
            raise NotFetched(BAD_URL)
        if url.port not in self.ports:
            raise NotFetched(BAD_URL)
        host = one_spelling(url.raw_host or "")
        if not self._allows(host):
            raise NotFetched(HOST_NOT_ALLOWED)
        return url.with_host(host).with_fragment(None)

    def _allows(self, host: str) -> bool:
        if ANY_HOST in self.hosts or host in self.hosts:
            return True
        labels = host.split(".")
        return any(f"*.{'.'.join(labels[cut:])}" in self.hosts for cut in range(1, len(labels)))


def _parse(text: str) -> URL:
    if len(text) > MAX_URL or not text.isprintable() or " " in text or "\\" in text:
        raise NotFetched(BAD_URL)
    try:
        return URL(text)
    except ValueError:
        raise NotFetched(BAD_URL) from None


def one_spelling(host: str) -> str:
    """Normalizes a host from yarl (lower case, IDNA) for comparing and connecting. Raises NotFetched with BAD_URL if it
    is neither an address nor a name with a dot."""
    if ":" in host:
        return _ipv6(host)
    host = host.removesuffix(".")
    if _NUMBER.fullmatch(
        host.rpartition(".")[2]
    ):  # like browsers: a host that ends in a number is an IPv4 address
        return _ipv4(host)
    if not _NAME.fullmatch(host):
        raise NotFetched(BAD_URL)
    return host


def _ipv4(host: str) -> str:
    if not all(map(_NUMBER.fullmatch, host.split("."))):
        raise NotFetched(BAD_URL)
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        raise NotFetched(BAD_URL) from None


def _ipv6(host: str) -> str:
    try:
        address = IPv6Address(host)
    except ValueError:
        raise NotFetched(BAD_URL) from None
    if address.scope_id is not None:
        raise NotFetched(BAD_URL)
    return str(address)
