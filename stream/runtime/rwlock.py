"""Many at once, or one alone: posts are worked on together, but a suspect post with nothing else beside it.

Own code: aiorwlock 1.5 lets who waited behind a cancelled writer wait on while readers come (test_rwlock.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """A lock of one event loop that is shared or exclusive; who wants it alone goes before newcomers."""

    def __init__(self) -> None:
        self._inside = 0
        self._alone = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Inside with others, and with nobody that is alone."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            await self._tell()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Inside alone, once those who are inside have left."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._alone = True
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._inside)
            yield
        finally:
            self._alone = False
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
