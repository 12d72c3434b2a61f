"""How much may be asked of one host at once, and when to leave a host alone for a while.

A host that fails time and again would cost every post with an image there its full waiting time: after
FAILURES in a row it is away for AWAY seconds, in which its images are skipped; then it is tried again, and one
more failure sends it away again. Any answer, also "no such image", is a sign of life.
"""

import asyncio
import time
from collections.abc import Callable

from cachetools import LRUCache

FAILURES = 8
"""Failures in a row, without an answer between."""
AWAY = 30.0
"""Seconds."""
MAX_HOSTS = 1000
"""Hosts that are remembered: with `fetch.hosts` open, strangers choose them."""


class HostLimiter:
    """One host's. `slots` are for whoever asks it."""

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
    """The gates of all hosts; those asked for least recently are forgotten."""

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
