"""The watchdog: a thread that stops a worker which is alive but does nothing. It detects four faults:

- A post keeps a thread busy for longer than `worker.hang_limit` (FailedOnPost: the journal counts a crash).
- Posts are pending, but for `worker.stall_limit` nothing was committed and there was no named wait (BrokenWorker).
- The event loop is blocked for `worker.hang_limit`. Nothing can be finished then, so the process exits immediately.
- The exit takes longer than allowed.

The clock stops while the process is stopped (SIGSTOP, a sleeping laptop), so this does not count as a hang.
stream/consumer/progress.py measures progress. stream/worker/worker.py performs the orderly exit."""

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
    """Which threads are working on a post, and for how long. `clock` returns seconds.

    The watchdog's clock leaves out the time in which the process was stopped.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[int, tuple[float, str]] = {}
        self.parts = 0
        """Number of calls of `part_done`."""

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """This thread is busy with `what` while the context lasts."""
        thread = threading.get_ident()
        self._since[thread] = self._clock(), what
        try:
            yield
        finally:
            del self._since[thread]

    def part_done(self) -> None:
        """This thread has finished a part of its work: it does not hang, so its time starts again."""
        thread = threading.get_ident()
        if thread in self._since:
            self._since[thread] = self._clock(), self._since[thread][1]
            self.parts += 1

    def longest(self) -> tuple[float, str]:
        """Seconds and name of the longest current activity; (0.0, '') if there is none."""
        since, what = min(list(self._since.values()), default=(self._clock(), ""))
        return self._clock() - since, what


class WatchedPool(Executor):
    """The threads of `pool`, with each call tracked as `what`."""

    def __init__(self, pool: Executor, activity: ActivityTracker, what: str) -> None:
        self._pool, self._activity, self._what = pool, activity, what

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See Executor.submit."""

        def watched() -> T:
            with self._activity(self._what):
                return fn(*args, **kwargs)

        return self._pool.submit(watched)


TICK = 0.25
"""Seconds between two checks."""
CLOSE_WITHIN = 10.0
"""Seconds that a worker has to exit once it is told that it cannot continue."""

log = logging.getLogger("trimod.worker")


@dataclass(frozen=True, slots=True)
class Liveness:
    """Signs of life, as last reported by the event loop."""

    committed: int = 0
    """Grows with each commit that moves an offset."""
    behind: bool = False
    """Whether posts are pending."""
    waiting: bool = False
    """Whether there is a named wait for a fault to pass."""


class Watchdog:
    """Calls `fail`, in its own thread, with the reason why the worker must exit."""

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
        """Seconds that this process has run since the watchdog was started."""
        return self._seconds

    def start(self) -> None:
        """Check from now on, in a thread that runs until the process exits."""
        self._started = True
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def beat(self, liveness: Liveness) -> None:
        """Called from the event loop with its signs of life."""
        if liveness.committed != self._liveness.committed or not liveness.behind or liveness.waiting:
            self._progress_at = self._seconds
        self._liveness, self._beat_at = liveness, self._seconds

    @property
    def stalled(self) -> float:
        """Seconds since there was progress (also within a batch), no pending post, or a named wait."""
        return self._seconds - self._progress_at

    def end_within(self, seconds: float, exit_code: int) -> None:
        """Kill this process after `seconds` if it has not exited. The first deadline applies, and the last code."""
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
        """Check once."""
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
