"""Whether the counters can be trusted: if not, this is reported once in the log, and on /health and /metrics.

If Redis was emptied or restored from an older state, it knows less than was counted and committed. Only `trimod
counters rebuild` fixes that. So all workers of the group report it, also after restarts, until a rebuild has switched
to new keys. Tagging continues meanwhile.
"""

import contextlib
import logging

from stream.counters.store import Counters
from stream.errors import PassingFault

log = logging.getLogger("trimod.worker")


class CounterIntegrity:
    """What one worker knows about the counters."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.lost = ""
        """Why the counters are not to be trusted; empty if they are."""
        self._generation = ""

    async def doubt(self, reason: str) -> None:
        """The counters are not to be trusted, because of `reason`. Never raises: if it cannot store the reason for the
        other workers, `refresh` does so later."""
        if not self.lost:
            self._report(reason)
            with contextlib.suppress(PassingFault):
                self._generation = await self._counters.distrust(reason)

    async def refresh(self) -> None:
        """Read what other workers found, and whether a rebuild has fixed it. Raises PassingFault."""
        if self.lost and not self._generation:
            self._generation = await self._counters.distrust(self.lost)
        generation, reason = await self._counters.distrusted()
        if self.lost and not reason and generation != self._generation:
            log.info("the counters were rebuilt and can be trusted again")
            self.lost = self._generation = ""
        elif reason and not self.lost:
            self._generation = generation
            self._report(reason)

    def _report(self, reason: str) -> None:
        self.lost = reason
        log.warning(
            "%s: the counters are not to be trusted until `trimod counters rebuild`; tagging continues",
            reason,
        )
