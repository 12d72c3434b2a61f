"""Whether the counters are to be trusted: said once when they are not, on the log, /health and /metrics.

Redis that was emptied, or came back from an older state, knows less than was counted and committed. Nothing but
`trimod counters rebuild` mends that, so it stays said, by every worker of the group and across their restarts, until a
rebuild has switched to new keys. Tagging goes on meanwhile.
"""

import contextlib
import logging

from stream.counters.store import Counters
from stream.errors import PassingFault

log = logging.getLogger("trimod.worker")


class Trust:
    """What one worker knows of the counters."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.lost = ""
        """Why the counters are not to be trusted; empty where they are."""
        self._generation = ""

    async def doubt(self, reason: str) -> None:
        """The counters are not to be trusted, because of `reason`. Never raises: what it cannot write down for
        the other workers yet, `look` does."""
        if not self.lost:
            self._say(reason)
            with contextlib.suppress(PassingFault):
                self._generation = await self._counters.distrust(reason)

    async def look(self) -> None:
        """Learn what other workers found, and whether a rebuild has mended it. Raises PassingFault."""
        if self.lost and not self._generation:
            self._generation = await self._counters.distrust(self.lost)
        generation, reason = await self._counters.distrusted()
        if self.lost and not reason and generation != self._generation:
            log.info("the counters were rebuilt: they are to be trusted again")
            self.lost = self._generation = ""
        elif reason and not self.lost:
            self._generation = generation
            self._say(reason)

    def _say(self, reason: str) -> None:
        self.lost = reason
        log.warning(
            "%s: the counters are not to be trusted before `trimod counters rebuild`; tagging goes on", reason
        )
