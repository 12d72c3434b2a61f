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

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

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
        self._waits: dict[object, tuple[str, str]] = {}
        """By each call of `persist`: two of them may wait under one name."""

    @property
    def waiting(self) -> dict[str, str]:
        """Who waits -> for what fault, as of its last try."""
        return dict(self._waits.values())

    async def persist(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """The result of `action`, tried until it raises no PassingFault. `what` names who is waiting."""
        began = time.monotonic()
        try:
            return await action()  # nearly always all there is to do, and tenacity takes 0.1 ms
        except PassingFault as fault:
            first = [fault]

        async def act() -> T:  # tenacity does not await what a lambda or a partial returns
            if first:
                raise first.pop()
            return await action()

        result: T = await self._retry(what, act)
        log.warning("%s goes on after %.1f s", what, time.monotonic() - began)
        return result

    async def _retry(self, what: str, act: Callable[[], Awaitable[T]]) -> T:
        call = object()

        def say(state: RetryCallState) -> None:
            assert state.outcome is not None
            fault = state.outcome.exception()
            self._waits[call] = (what, str(fault))
            log.warning("%s waits %.1f s and tries again: %s", what, state.upcoming_sleep, fault)

        passing = retry_if_exception_type(PassingFault)
        try:
            result: T = await AsyncRetrying(
                sleep=asyncio.sleep, retry=passing, wait=_pause, before_sleep=say
            )(act)
            return result
        finally:
            self._waits.pop(call, None)


def _pause(state: RetryCallState) -> float:
    """Half of the exponential pause at least, so that workers that failed together do not try again together."""
    return wait_exponential(multiplier=FIRST, max=LONGEST)(state) * random.uniform(0.5, 1.0)
