"""Posts gather here while the device is busy; when it is free, it takes what is there. No timer.

Light load: batches of one, lowest latency. Heavy load: full batches. Posts leave in the order they came,
so that a partition's oldest post is never overtaken for long; splitting a batch by length is the tagger's
business. What may gather is bounded at twice what one batch may hold, since prepared posts carry their
decoded pictures."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


AHEAD = 2
"""Batches that may gather: one that is complete when the device gets free, and one behind it."""


@dataclass(slots=True)
class _Waiting(Generic[T]):
    post: T
    tokens: int
    images: int


class Batcher(Generic[T]):
    """A first-in first-out queue whose `take` is cut by cost."""

    def __init__(self, max_tokens: int, max_images: int) -> None:
        self._max_tokens = max_tokens
        self._max_images = max_images
        self._waiting: deque[_Waiting[T]] = deque()
        self._tokens = 0
        self._images = 0
        self._any = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, post: T, tokens: int, images: int) -> None:
        """Add a post that costs `tokens` and `images`; waits while two batches' worth is gathered."""
        while not self._room.is_set():
            await self._room.wait()
        self._waiting.append(_Waiting(post, tokens, images))
        self._account(tokens, images)

    async def take(self) -> tuple[list[T], int]:
        """Wait for a post; return it and what fits with it into one batch, and the tokens in all.

        A post that is over the budget by itself comes alone."""
        await self._any.wait()
        posts: list[T] = []
        tokens = images = 0
        while self._waiting:
            head = self._waiting[0]
            over = tokens + head.tokens > self._max_tokens or images + head.images > self._max_images
            if posts and over:
                break
            posts.append(self._waiting.popleft().post)
            tokens += head.tokens
            images += head.images
        self._account(-tokens, -images)
        return posts, tokens

    def _account(self, tokens: int, images: int) -> None:
        self._tokens += tokens
        self._images += images
        full = self._tokens >= AHEAD * self._max_tokens or self._images >= AHEAD * self._max_images
        self._room.clear() if full else self._room.set()
        self._any.set() if self._waiting else self._any.clear()
