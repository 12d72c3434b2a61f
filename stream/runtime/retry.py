"""Retries after a passing fault: exponential backoff with jitter, and the fault in the log.

Only PassingFault is retried; other errors are passed on. `waiting` lists who waits for which fault. /health shows it,
and the watchdog uses it, because it must not mistake a named wait for a worker that hangs.
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
"""Seconds before the second attempt; doubled before each further one."""
LONGEST = 5.0
"""Maximum seconds between attempts."""

log = logging.getLogger("trimod.worker")


class Backoff:
    """The waits of one worker."""

    def __init__(self) -> None:
        self._waits: dict[object, tuple[str, str]] = {}
        """By call of `persist`, because two calls may wait under the same name."""

    @property
    def waiting(self) -> dict[str, str]:
        """Who waits -> for which fault, as of the last attempt."""
        return dict(self._waits.values())

    async def persist(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """The result of `action`, retried while it raises PassingFault. `what` names the waiting task."""
        began = time.monotonic()
        try:
            return await action()  # nearly always sufficient, and tenacity costs 0.1 ms
        except PassingFault as fault:
            first = [fault]

        async def act() -> T:  # tenacity does not await what a lambda or a partial returns
            if first:
                raise first.pop()
            return await action()

        result: T = await self._retry(what, act)
        log.warning("%s continues after %.1f s", what, time.monotonic() - began)
        return result

    async def _retry(self, what: str, act: Callable[[], Awaitable[T]]) -> T:
        call = object()

        def report(state: RetryCallState) -> None:
            assert state.outcome is not None
            fault = state.outcome.exception()
            self._waits[call] = (what, str(fault))
            log.warning("%s retries in %.1f s: %s", what, state.upcoming_sleep, fault)

        passing = retry_if_exception_type(PassingFault)
        try:
            result: T = await AsyncRetrying(
                sleep=asyncio.sleep, retry=passing, wait=_pause, before_sleep=report
            )(act)
            return result
        finally:
            self._waits.pop(call, None)


def _pause(state: RetryCallState) -> float:
    """At least half of the exponential pause; random, so that workers that failed together do not retry together."""
    return wait_exponential(multiplier=FIRST, max=LONGEST)(state) * random.uniform(0.5, 1.0)
