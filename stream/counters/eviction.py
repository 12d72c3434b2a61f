"""Whether Redis may throw counts away by itself: its `maxmemory-policy`, read at the start and every minute.

Any policy but `noeviction` lets Redis drop keys of ours when its memory is full: counts by time and the dedup window
first, since they expire, and with `allkeys-*` everything. It is said while it is so. Keys that are gone already are
found by stream/consumer/counter_audit.py."""

import asyncio
import logging

from stream.counters.store import Counters
from stream.runtime.retry import Backoff

LOOK = 60.0
"""Seconds between two looks at the policy."""


SAFE = "noeviction"


log = logging.getLogger("trimod.worker")


class Eviction:
    """What one worker knows of it."""

    def __init__(self, counters: Counters, backoff: Backoff) -> None:
        self._counters, self._backoff = counters, backoff
        self.policy = ""
        """As Redis names it; empty before the first look, and where Redis does not tell."""

    @property
    def warning(self) -> str:
        """Why Redis may lose counts; empty where it does not."""
        if self.policy in ("", SAFE):
            return ""
        return f"maxmemory-policy is {self.policy}: Redis may evict counts; set it to {SAFE}"

    async def watch(self) -> None:
        """Look from now on; never ends."""
        while True:
            policy = await self._backoff.persist("reading Redis's policy", self._counters.eviction_policy)
            if policy != self.policy:
                self.policy = policy
                if self.warning:
                    log.warning("Redis: %s", self.warning)
            await asyncio.sleep(LOOK)
