"""Limits the concurrent requests per image host, and skips failing hosts for a while (circuit breaker).

A host that keeps failing would cost each post with an image there its full waiting time. After FAILURES in a row, the
host is away for AWAY seconds, and its images are skipped. Then it is tried again, and one more failure sends it away
again. Any response, even "no such image", counts as an answer.
"""

import asyncio
import time
from collections.abc import Callable

from cachetools import LRUCache

FAILURES = 8
"""Consecutive failures without an answer."""
AWAY = 30.0
"""Seconds that a failing host is skipped."""
MAX_HOSTS = 1000
"""Maximum hosts remembered: if `fetch.hosts` allows any host, strangers choose them."""


class HostLimiter:
    """The limiter of one host. Take one of `slots` for each request."""

    def __init__(self, slots: int, clock: Callable[[], float]) -> None:
        self.slots = asyncio.Semaphore(slots)
        self._clock = clock
        self._failures = 0
        self._away_until = 0.0

    @property
    def away(self) -> bool:
        return self._clock() < self._away_until

    def answered(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._away_until = self._clock() + AWAY


class HostLimiters:
    """The limiters of all hosts; the least recently used are dropped."""

    def __init__(self, slots: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = slots
        self._clock = clock
        self._limiters: LRUCache[str, HostLimiter] = LRUCache(MAX_HOSTS)

    def __len__(self) -> int:
        return len(self._limiters)

    def of(self, host: str) -> HostLimiter:
        if host not in self._limiters:
            self._limiters[host] = HostLimiter(self._slots, self._clock)
        return self._limiters[host]
