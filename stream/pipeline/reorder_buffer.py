"""The reorder buffer: a partition's posts in progress finish in any order and leave in offset order.

It limits posts and bytes from entry to release (published and counted). So if the end of the pipeline is slow, the
start waits instead of filling memory. It does not use Kafka: the pipeline defines results and what happens to them."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(slots=True)
class _Slot(Generic[R]):
    offset: int
    size: int
    result: R | None = None


class Reorder(Generic[R]):
    """Slots in offset order. All methods belong to one event loop; after `close`, only `close` may be called."""

    def __init__(self, max_posts: int, max_bytes: int) -> None:
        self._max_posts = max_posts
        self._max_bytes = max_bytes
        self._slots: deque[_Slot[R]] = deque()
        self._by_offset: dict[int, _Slot[R]] = {}
        self._bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._head_done = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.closed = False

    def __len__(self) -> int:
        return len(self._slots)

    async def room(self) -> None:
        """Wait until one more post may enter. A post larger than the limit in bytes may enter alone."""
        await self._room.wait()

    def enter(self, offset: int, size: int) -> None:
        """Take a slot for the post at `offset`, of `size` bytes; offsets must increase."""
        if self._slots and offset <= self._slots[-1].offset:
            raise ValueError(f"offset {offset} entered after {self._slots[-1].offset}")
        slot: _Slot[R] = _Slot(offset, size)
        self._slots.append(slot)
        self._by_offset[offset] = slot
        self._bytes += size
        self._note()

    def finish(self, offset: int, result: R) -> None:
        """The post at `offset` is finished; its result waits here for those before it."""
        self._by_offset[offset].result = result
        self._note()

    async def ready(self, most: int) -> list[R]:
        """Wait for the post with the lowest offset. Return its result and those of the posts that follow without a gap,
        at most `most`. They keep their slots until `release`."""
        await self._head_done.wait()
        results: list[R] = []
        for slot in self._slots:
            if slot.result is None or len(results) == most:
                break
            results.append(slot.result)
        return results

    def release(self, count: int) -> None:
        """Give up the slots of the first `count` posts."""
        for _ in range(count):
            slot = self._slots.popleft()
            del self._by_offset[slot.offset]
            self._bytes -= slot.size
        self._note()

    async def empty(self) -> None:
        """Wait until every post is released."""
        await self._empty.wait()

    def close(self) -> None:
        """Drop everything, and wake all tasks that wait in `room` or `empty`."""
        self.closed = True
        self._slots.clear()
        self._by_offset.clear()
        self._room.set()
        self._empty.set()

    def _note(self) -> None:
        full = len(self._slots) >= self._max_posts or self._bytes >= self._max_bytes
        _set(self._room, not full)
        _set(self._head_done, bool(self._slots) and self._slots[0].result is not None)
        _set(self._empty, not self._slots)


def _set(event: asyncio.Event, on: bool) -> None:
    event.set() if on else event.clear()
