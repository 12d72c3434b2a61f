"""A readers-writer lock: many posts are processed at once (readers), but a suspect post alone (writer).

Own code: with aiorwlock 1.5, a reader that waits behind a cancelled writer can starve (test_rwlock.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class RWLock:
    """For the tasks of one event loop. A waiting writer takes precedence over later readers."""

    def __init__(self) -> None:
        self._readers = 0
        self._writing = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[None]:
        """Hold the lock, shared with other readers."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._writing)
            self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1
            await self._notify()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[None]:
        """Hold the lock alone, once all readers have released it."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._writing)
            self._writing = True
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._readers)
            yield
        finally:
            self._writing = False
            await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
