"""Ending in order: SIGTERM and hang-ups end a block as Ctrl-C does; its clean-up is left in peace."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """The first ending signal raises KeyboardInterrupt in the block; further ones are ignored until its end.

    For the main thread. So an impatient second Ctrl-C cannot leave half of the processes behind.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in ENDING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
