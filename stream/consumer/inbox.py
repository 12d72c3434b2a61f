"""The posts of one partition that Faust has delivered and that are not taken in yet.

Faust delivers the posts of all partitions one after the other: waiting for room in one partition would block the
others. So each partition has an inbox. If it gets too full, fetching of that partition is paused. Posts fetched before
still arrive: one fetch (`max_partition_fetch_bytes`, 1 MiB, or one larger batch)."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

PAUSE_POSTS = 64
"""Posts at which fetching is paused; at half of them it resumes."""
PAUSE_BYTES = 8 * 2**20
"""Bytes of posts, the same."""


class Inbox:
    """First in, first out. `pause` and `resume` control the partition's fetching; messages are Faust's."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._messages: deque[Any] = deque()
        self._bytes = 0
        self._any = asyncio.Event()
        self.paused = self._closed = False

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Any) -> None:
        """Add a message; never waits."""
        self._messages.append(message)
        self._bytes += _size(message)
        self._any.set()
        if not self.paused and (len(self) >= PAUSE_POSTS or self._bytes >= PAUSE_BYTES):
            self.paused = True
            self._pause()

    def close(self) -> None:
        """Drop everything, and wake all waiting tasks."""
        self._messages.clear()
        self._closed = True
        self._any.set()

    async def get(self) -> Any:
        """Wait for the next message, and take it out; None once it is closed."""
        await self._any.wait()
        if self._closed:
            return None
        message = self._messages.popleft()
        self._bytes -= _size(message)
        if not self._messages:
            self._any.clear()
        if self.paused and len(self) <= PAUSE_POSTS // 2 and self._bytes <= PAUSE_BYTES // 2:
            self.paused = False
            self._resume()
        return message


def _size(message: Any) -> int:
    return len(message.value or b"") + len(message.key or b"")
