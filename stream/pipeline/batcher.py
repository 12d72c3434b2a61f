"""Collects posts while the device is busy; when it is free, it takes the waiting posts. There is no timer.

Light load gives batches of one and the lowest latency; heavy load gives full batches. Posts leave in the order of their
arrival, so a partition's oldest post is never delayed for long. The tagger splits a batch by length. The queue is
limited to twice a batch, because prepared posts contain decoded images."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

AHEAD = 2
"""Batches in the queue: one that is complete when the device becomes free, and one behind it."""


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
        """Add a post that costs `tokens` and `images`; waits while the queue has two batches."""
        while not self._room.is_set():
            await self._room.wait()
        self._waiting.append(_Waiting(post, tokens, images))
        self._account(tokens, images)

    async def take(self) -> tuple[list[T], int]:
        """Wait for a post; return it with the posts that fit into the same batch, and the total of tokens.

        A post that exceeds the budget is returned alone."""
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
