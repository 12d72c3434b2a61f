"""Which threads are at work on a post right now, and for how long: what the watchdog looks at."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Busy:
    """`clock` gives seconds; the watchdog's own leaves out the time in which the process was stopped."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[int, tuple[float, str]] = {}
        self.parts = 0
        """Grows with every `go_on`."""

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """This thread does `what` while the context lasts."""
        thread = threading.get_ident()
        self._since[thread] = self._clock(), what
        try:
            yield
        finally:
            del self._since[thread]

    def go_on(self) -> None:
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

    def __init__(self, pool: Executor, busy: Busy, what: str) -> None:
        self._pool, self._busy, self._what = pool, busy, what

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As every Executor does it."""

        def watched() -> T:
            with self._busy(self._what):
                return fn(*args, **kwargs)

        return self._pool.submit(watched)
