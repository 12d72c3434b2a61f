"""Downloads the bytes of one image by URL, with limits on redirects, headers, type, size and waiting time.

Redirects are followed here, so that each is checked like the first URL (stream/images/url_policy.py). Every connection
goes through stream/images/addresses.py. Cookies, proxies from the environment and compression are not used; compressed
responses are refused unread. The caller limits total time and concurrency (stream/images/url_fetcher.py). Only the
decoder determines what the bytes are (models/vision/decoding.py).
"""

import ssl
from collections.abc import Collection

import aiohttp
from aiohttp import ClientTimeout, hdrs
from yarl import URL

from models.vision.decoding import MAX_BYTES
from stream.images.addresses import Lookup, Network, PublicResolver, RefusedAddress, look_up
from stream.images.outcomes import (
    ADDRESS_REFUSED,
    BAD_ANSWER,
    BAD_CERTIFICATE,
    BAD_STATUS,
    BAD_TYPE,
    ENCODED,
    RATE_LIMITED,
    SERVER_ERROR,
    TIMEOUT,
    TOO_LARGE,
    TOO_MANY_REDIRECTS,
    UNREACHABLE,
    ImageOutcome,
    NotFetched,
)
from stream.images.url_policy import UrlRules

MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"})
TIMEOUTS = ClientTimeout(total=None, connect=2.0, sock_connect=2.0, sock_read=2.0)
"""Seconds: for lookup, connection and TLS together, and for every read."""
MAX_LINE = 8190
"""Maximum bytes of a status or header line."""
MAX_HEADERS = 64
CHUNK = 64 * 2**10
HEADERS = {"User-Agent": "trimod-stream", "Accept": ", ".join(sorted(TYPES)), "Accept-Encoding": "identity"}


class Downloader:
    """Connects on first use; must be closed.

    `also`, `lookup` and `tls` allow other networks, names and certificate authorities than the public internet's.
    """

    def __init__(
        self,
        rules: UrlRules,
        also: Collection[Network] = (),
        lookup: Lookup = look_up,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.rules = rules
        self._vetted = PublicResolver(lookup, also)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: URL) -> bytes:
        """The body at `url`, which `rules` must have checked. Raises NotFetched with the reason."""
        try:
            return await self._follow(url)
        except TimeoutError:
            raise NotFetched(TIMEOUT) from None
        except aiohttp.ClientSSLError:
            raise NotFetched(BAD_CERTIFICATE) from None
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, RefusedAddress)
            raise NotFetched(ADDRESS_REFUSED if refused else UNREACHABLE) from None
        except aiohttp.ClientResponseError:
            raise NotFetched(BAD_ANSWER) from None
        except (aiohttp.ClientError, OSError):
            raise NotFetched(UNREACHABLE) from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _follow(self, url: URL) -> bytes:
        for _ in range(1 + MAX_REDIRECTS):
            async with self._opened().get(url, allow_redirects=False) as response:
                if response.status not in REDIRECTS:
                    return await _body(response)
                url = self._target(response)
        raise NotFetched(TOO_MANY_REDIRECTS)

    def _target(self, response: aiohttp.ClientResponse) -> URL:
        """The target of a redirect, checked like the URL in a post."""
        location = response.headers.get(hdrs.LOCATION, "")
        try:
            target = response.url.join(URL(location))
        except ValueError:
            raise NotFetched(BAD_ANSWER) from None
        return self.rules.check(str(target))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=True if self._tls is None else self._tls,
                resolver=self._vetted,
                socket_factory=self._vetted.socket,
                limit=0,  # the caller limits concurrency
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers=HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=TIMEOUTS,
                trust_env=False,
                auto_decompress=False,
                max_line_size=MAX_LINE,
                max_field_size=MAX_LINE,
                max_headers=MAX_HEADERS,
            )
        return self._session


async def _body(response: aiohttp.ClientResponse) -> bytes:
    _check_head(response)
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK):
        body += chunk
        if len(body) > MAX_BYTES:
            raise NotFetched(TOO_LARGE)
    return bytes(body)


def _check_head(response: aiohttp.ClientResponse) -> None:
    """Raise NotFetched unless status and headers announce an image of an accepted size."""
    if response.status != 200:
        raise NotFetched(_status_outcome(response.status))
    if response.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() not in ("identity", ""):
        raise NotFetched(ENCODED)
    if response.content_type not in TYPES:
        raise NotFetched(BAD_TYPE)
    if (response.content_length or 0) > MAX_BYTES:
        raise NotFetched(TOO_LARGE)


def _status_outcome(status: int) -> ImageOutcome:
    if status == 429:
        return RATE_LIMITED
    return SERVER_ERROR if status >= 500 else BAD_STATUS
