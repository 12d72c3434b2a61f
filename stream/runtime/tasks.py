"""A worker's background tasks. The first error that ends one of them is kept, and the worker exits with it.

stream/worker/worker.py waits for `broken` and ends the process; nothing is ended here."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

ASK_AGAIN = 0.1
"""Seconds after which a task that is still running is cancelled again."""


class BackgroundTasks:
    """The tasks of one worker. Create it inside the running event loop."""

    def __init__(self) -> None:
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Receives the first exception that stops the worker; see `fail`."""
        self._kept: set[asyncio.Task[None]] = set()

    @property
    def error(self) -> BaseException | None:
        """Why the worker must exit; None while it can continue."""
        return self.broken.exception() if self.broken.done() else None

    def fail(self, error: BaseException) -> None:
        """Stop the worker because of `error`; only the first one is kept."""
        if not self.broken.done():
            self.broken.set_exception(error)

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in a task that the caller cancels. If it raises, the worker fails."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()):
                self.fail(error)

        task = asyncio.create_task(work)
        task.add_done_callback(ended)
        return task

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task until `cancel`. If it raises, the worker fails."""
        task = self.run(work)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    def cancel(self) -> None:
        """Cancel the tasks of `start`."""
        for task in self._kept:
            task.cancel()


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until all have ended.

    Cancels repeatedly: asyncio.wait_for of Python 3.11, which redis-py uses, swallows a cancellation that arrives just
    when its result does.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASK_AGAIN)
