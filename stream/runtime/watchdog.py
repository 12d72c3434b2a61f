"""Which threads are at work on a post right now, and for how long: what the watchdog looks at.

The watchdog: a thread that ends a worker which is alive and does nothing. It looks at four things:

- a post that keeps a thread busy for longer than `worker.hang_limit` (FailedOnPost: the journal counts a death);
- work to do, nothing committed, and nobody waiting with a named fault, for `worker.stall_limit` (BrokenWorker);
- an event loop that does not turn any more, for `worker.hang_limit`: then nothing can be finished, so it ends at once;
- an end that takes longer than it was given.

The clock stands still while the process is stopped (SIGSTOP, a laptop asleep), so that it ends nobody for that. Whether
a worker makes progress is measured in stream/consumer/progress.py; how it ends in order is stream/worker/worker.py's
business."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from stream.errors import BrokenWorker, FailedOnPost

P = ParamSpec("P")
T = TypeVar("T")


class ActivityTracker:
    """`clock` gives seconds; the watchdog's own leaves out the time in which the process was stopped."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[int, tuple[float, str]] = {}
        self.parts = 0
        """Grows with every `part_done`."""

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """This thread does `what` while the context lasts."""
        thread = threading.get_ident()
        self._since[thread] = self._clock(), what
        try:
            yield
        finally:
            del self._since[thread]

    def part_done(self) -> None:
        """A part of what this thread does is done: it does not hang, and its time begins anew."""
        thread = threading.get_ident()
        if thread in self._since:
            self._since[thread] = self._clock(), self._since[thread][1]
            self.parts += 1

    def longest(self) -> tuple[float, str]:
        """Seconds and name of what has lasted longest; (0.0, '') while nobody is at work."""
        since, what = min(list(self._since.values()), default=(self._clock(), ""))
        return self._clock() - since, what


class WatchedPool(Executor):
    """The threads of `pool`, which are busy with `what` in every call that comes this way."""

    def __init__(self, pool: Executor, activity: ActivityTracker, what: str) -> None:
        self._pool, self._activity, self._what = pool, activity, what

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As every Executor does it."""

        def watched() -> T:
            with self._activity(self._what):
                return fn(*args, **kwargs)

        return self._pool.submit(watched)


TICK = 0.25
"""Seconds between two looks."""
CLOSE_WITHIN = 10.0
"""Seconds that a worker gets to end once it is told that it cannot go on."""

log = logging.getLogger("trimod.worker")


@dataclass(frozen=True, slots=True)
class Liveness:
    """Signs of life, as the event loop last gave them."""

    committed: int = 0
    """Grows with every commit that says more than the one before."""
    behind: bool = False
    """Whether there is work to do."""
    waiting: bool = False
    """Whether somebody waits out a named fault."""


class Watchdog:
    """`fail` is called, in the watchdog's thread, with the reason why the worker must end."""

    def __init__(
        self,
        hang_limit: float,
        stall_limit: float,
        fail: Callable[[BrokenWorker], None],
        kill: Callable[[int], None] = os._exit,
    ) -> None:
        self._hang_limit, self._stall_limit = hang_limit, stall_limit
        self._fail, self._kill = fail, kill
        self._seconds = 0.0
        self.activity = ActivityTracker(self.clock)
        self._liveness = Liveness()
        self._beat_at = self._progress_at = 0.0
        self._parts = 0
        self._told = False
        self._deadline: float | None = None
        self._exit_code = 1
        self._started = False

    def clock(self) -> float:
        """Seconds that this process was running since the watchdog was."""
        return self._seconds

    def start(self) -> None:
        """Look from now on, in a thread that lasts as long as the process."""
        self._started = True
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def beat(self, liveness: Liveness) -> None:
        """The event loop turns, and gives these signs of life."""
        if liveness.committed != self._liveness.committed or not liveness.behind or liveness.waiting:
            self._progress_at = self._seconds
        self._liveness, self._beat_at = liveness, self._seconds

    @property
    def stalled(self) -> float:
        """Seconds since there was progress, also within a batch, or nothing to do, or a named wait."""
        return self._seconds - self._progress_at

    def end_within(self, seconds: float, exit_code: int) -> None:
        """However long it takes, this process ends by then; the first deadline counts, and the last code."""
        deadline = self._seconds + seconds
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._exit_code = exit_code

    def _run(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(TICK)
            now = time.monotonic()
            self._seconds += min(now - before, 4 * TICK)
            before = now
            self.look()

    def look(self) -> None:
        """One look."""
        if self._deadline is not None and self._seconds >= self._deadline:
            self._kill(self._exit_code)
        if self._told:
            return
        if self.activity.parts != self._parts:
            self._parts, self._progress_at = self.activity.parts, self._seconds
        lasted, what = self.activity.longest()
        if lasted > self._hang_limit:
            self._end(FailedOnPost(f"{what} takes more than {self._hang_limit:g} s: it hangs"))
        elif self._seconds - self._beat_at > self._hang_limit:
            log.error("the event loop does not turn for %g s: this worker ends at once", self._hang_limit)
            self._kill(BrokenWorker.exit_code)
        elif self.stalled > self._stall_limit:
            self._end(
                BrokenWorker(
                    f"no progress for {self._stall_limit:g} s while posts are pending (worker.stall_limit)"
                )
            )

    def _end(self, reason: BrokenWorker) -> None:
        self._told = True
        log.error("%s", reason)
        self.end_within(CLOSE_WITHIN, reason.exit_code)
        self._fail(reason)
