"""Which threads are at work on a post right now, and for how long: what the watchdog looks at."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Busy:
    """`clock` gives seconds; the watchdog's own leaves out the time in which the process was stopped."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[int, tuple[float, str]] = {}

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """This thread does `what` while the context lasts."""
        thread = threading.get_ident()
        self._since[thread] = self._clock(), what
        try:
            yield
        finally:
            del self._since[thread]

    def longest(self) -> tuple[float, str]:
        """Seconds and name of what has lasted longest; (0.0, '') while nobody is at work."""
        since, what = min(list(self._since.values()), default=(self._clock(), ""))
        return self._clock() - since, what
