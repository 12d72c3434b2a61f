"""A worker's background tasks, none of which may fail unnoticed: the first error that ends one breaks the worker.

It ends nothing itself: stream/worker/worker.py waits for `broken`, and then ends the process."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

ASK_AGAIN = 0.1
"""Seconds after which a task that goes on is cancelled once more."""


class Guard:
    """Of one worker; to be made inside its running event loop."""

    def __init__(self) -> None:
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the exception of whatever cannot go on; see `fail`."""
        self._background: set[asyncio.Task[None]] = set()

    @property
    def error(self) -> BaseException | None:
        """Why the worker cannot go on; None while it can."""
        return self.broken.exception() if self.broken.done() else None

    def fail(self, error: BaseException) -> None:
        """The worker cannot go on; the first reason counts."""
        if not self.broken.done():
            self.broken.set_exception(error)

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in a task, which is the caller's to cancel; if an error ends it, the worker is broken."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()):
                self.fail(error)

        task = asyncio.create_task(work)
        task.add_done_callback(ended)
        return task

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """The same until `cancel`."""
        task = self.run(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def cancel(self) -> None:
        """End what runs in the background."""
        for task in self._background:
            task.cancel()


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Returns when all have ended. Asks more than once: asyncio.wait_for of Python 3.11, which redis-py uses, swallows
    a cancellation that comes just when what it waits for is done."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASK_AGAIN)
