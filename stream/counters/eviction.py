"""Whether Redis may evict counts: its `maxmemory-policy`, read at startup and every minute.

With any policy but `noeviction`, Redis may evict our keys when its memory is full. Keys that expire go first: counts by
time, and the dedup window. With `allkeys-*`, any key may go. The warning lasts as long as the policy.
stream/consumer/counter_audit.py finds keys that were evicted already."""

import asyncio
import logging

from stream.counters.store import Counters
from stream.runtime.retry import Backoff

LOOK = 60.0
"""Seconds between two checks of the policy."""
SAFE = "noeviction"

log = logging.getLogger("trimod.worker")


class Eviction:
    """The policy as one worker knows it."""

    def __init__(self, counters: Counters, backoff: Backoff) -> None:
        self._counters, self._backoff = counters, backoff
        self.policy = ""
        """As Redis names it; empty before the first check, and if Redis does not report it."""

    @property
    def warning(self) -> str:
        """Why Redis may lose counts; empty if it does not."""
        if self.policy in ("", SAFE):
            return ""
        return f"maxmemory-policy is {self.policy}: Redis may evict counts; set it to {SAFE}"

    async def watch(self) -> None:
        """Check regularly; never ends."""
        while True:
            policy = await self._backoff.persist("reading Redis's policy", self._counters.eviction_policy)
            if policy != self.policy:
                self.policy = policy
                if self.warning:
                    log.warning("Redis: %s", self.warning)
            await asyncio.sleep(LOOK)
