"""Trying again what a passing fault stopped: exponential backoff with jitter, and the fault named in the log.

Only PassingFault is tried again; whatever else is raised is somebody else's business. Who waits for what is kept
in `waiting`, for /health and for the watchdog, which must not take a named wait for a worker that hangs.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stream.errors import PassingFault

T = TypeVar("T")


FIRST = 0.1
"""Seconds before the second try, doubled with every further one."""


LONGEST = 5.0
"""Seconds that a pause never exceeds."""


log = logging.getLogger("trimod.worker")


class Backoff:
    """The waits of one worker."""

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {}
        """Who waits -> for what fault, as of its last try."""

    async def persist(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """The result of `action`, tried until it raises no PassingFault. `what` names who is waiting."""
        began = time.monotonic()
        tries = 0
        try:
            while True:
                try:
                    result = await action()
                except PassingFault as fault:
                    pause = min(LONGEST, FIRST * 2**tries) * random.uniform(0.5, 1.0)
                    tries = min(tries + 1, 16)
                    self.waiting[what] = str(fault)
                    log.warning("%s waits %.1f s and tries again: %s", what, pause, fault)
                    await asyncio.sleep(pause)
                else:
                    if tries:
                        log.warning("%s goes on after %.1f s", what, time.monotonic() - began)
                    return result
        finally:
            self.waiting.pop(what, None)
