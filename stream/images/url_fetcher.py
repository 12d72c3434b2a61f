"""Downloads and decodes the images of a post that have a URL, concurrently and within the post's time limit.

A failed fetch is a normal input: the result is its outcome instead of a picture, and nothing is raised. Limits apply to
posts (in the pipeline), seconds per post, concurrent images (and so bytes in memory), and concurrent images per host.
Hosts that are away are skipped (stream/images/host_limits.py). A passing fault is retried once. Decoded pictures are
cached in memory for a while, because posts are shared repeatedly. Failures are not cached, and nothing is stored on
disk.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import Executor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from cachetools import TTLCache
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random
from yarl import URL

from models.core.errors import BrokenImage
from models.vision.decoding import Picture, decode_image
from stream.config.images import Fetch
from stream.images.downloader import Downloader
from stream.images.host_limits import HostLimiter, HostLimiters
from stream.images.loader import Fetched
from stream.images.outcomes import (
    BAD_CERTIFICATE,
    BUSY,
    FAULT,
    HOST_AWAY,
    RATE_LIMITED,
    SERVER_ERROR,
    TIMEOUT,
    UNDECODABLE,
    UNREACHABLE,
    ImageOutcome,
    NotFetched,
)
from stream.images.url_policy import UrlRules
from stream.messages.posts import PostImage

PASSING = frozenset({TIMEOUT, UNREACHABLE, SERVER_ERROR})
"""Retried once, if the post's time allows."""
HOST_FAILURES = PASSING | {RATE_LIMITED, BAD_CERTIFICATE}
PAUSE = 0.2
"""Maximum seconds before the second attempt."""
KEPT_FOR = 600.0
"""Seconds that a picture is cached: the content at a URL may change."""
FAIR_TIME = 2.0
"""Minimum seconds that a host gets to answer (half of the post's time if that is less). A slot that comes later is not
used: otherwise a healthy host would time out, and be blamed, because our own queue was long."""
log = logging.getLogger("trimod.worker")


class ImageUrls:
    """The fetcher of one worker, for one event loop; must be closed."""

    def __init__(self, settings: Fetch, downloader: Downloader | None = None) -> None:
        self._seconds = settings.seconds_per_post
        self._fair_time = min(FAIR_TIME, settings.seconds_per_post / 2)
        self._downloader = downloader or Downloader(UrlRules(settings.hosts, settings.allow_http))
        self._slots = asyncio.Semaphore(settings.images_at_once)
        self._limiters = HostLimiters(settings.images_per_host)
        self._kept = _Kept(settings.cache)

    async def fetch(self, images: Collection[PostImage], pool: Executor) -> Fetched:
        """For each image with a URL: its picture, or the outcome if there is none. Decodes in `pool`."""
        deadline = asyncio.get_running_loop().time() + self._seconds
        named = {image: image.url for image in images if image.url is not None}
        found = await asyncio.gather(*(self._one(url, deadline, pool) for url in named.values()))
        return {
            image: replace(each, alt=image.alt) if isinstance(each, Picture) else each
            for image, each in zip(named, found, strict=True)
        }

    @property
    def kept(self) -> int:
        """Number of pictures in the cache."""
        return len(self._kept)

    async def close(self) -> None:
        await self._downloader.close()

    async def _one(self, text: str, deadline: float, pool: Executor) -> Picture | ImageOutcome:
        try:
            url = self._downloader.rules.check(text)
            if (kept := self._kept.get(str(url))) is not None:
                return kept
            picture = await self._picture(url, deadline, pool)
        except NotFetched as error:
            return error.outcome
        except BrokenImage:
            return UNDECODABLE
        except Exception as error:  # a malicious URL may cost its image, but not the worker
            log.warning("an image by URL could not be fetched: %s", type(error).__name__)
            return FAULT
        self._kept.put(str(url), picture)
        return picture

    async def _picture(self, url: URL, deadline: float, pool: Executor) -> Picture:
        """Raises NotFetched, BrokenImage. Holds the slot until the bytes are freed."""
        limiter = self._limiters.of(url.raw_host or "")
        if limiter.away:
            raise NotFetched(HOST_AWAY)
        async with self._slot(limiter, deadline):
            try:
                async with asyncio.timeout_at(deadline):
                    data = await self._data(url)
            except (NotFetched, TimeoutError) as error:
                outcome = error.outcome if isinstance(error, NotFetched) else TIMEOUT
                limiter.failed() if outcome in HOST_FAILURES else limiter.answered()
                raise NotFetched(outcome) from None
            limiter.answered()
            return await asyncio.get_running_loop().run_in_executor(pool, decode_image, data)

    @asynccontextmanager
    async def _slot(self, limiter: HostLimiter, deadline: float) -> AsyncIterator[None]:
        """Wait for a slot of the host, then for one of ours, so that a slow host holds only its share of ours. A later
        time-out counts as the host's failure, because the host had its fair time."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout_at(deadline - self._fair_time):
                    await held.enter_async_context(limiter.slots)
                    await held.enter_async_context(self._slots)
            except TimeoutError:
                raise NotFetched(BUSY) from None
            yield

    async def _data(self, url: URL) -> bytes:
        retrying = AsyncRetrying(
            sleep=asyncio.sleep,
            retry=retry_if_exception(_passes),
            stop=stop_after_attempt(2),
            wait=wait_random(PAUSE / 2, PAUSE),
            reraise=True,
        )
        return await retrying(self._downloader.get, url)


def _passes(error: BaseException) -> bool:
    return isinstance(error, NotFetched) and error.outcome in PASSING


class _Kept(TTLCache[str, Picture]):
    """The most recent pictures by URL; each takes 147 KiB."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(most, KEPT_FOR, clock)

    def put(self, url: str, picture: Picture) -> None:
        if self.maxsize:  # a cache of size 0 raises an error
            self[url] = picture
