"""Clean shutdown: SIGTERM and SIGHUP end a block like Ctrl-C, and do not interrupt its clean-up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """The first of these signals raises KeyboardInterrupt in the block; later ones are ignored until it ends.

    For the main thread. So a second Ctrl-C cannot leave processes behind. A signal that was ignored before is still
    ignored, as `nohup` requires.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    handlers = {each: signal.getsignal(each) for each in ENDING}
    before = {each: handler for each, handler in handlers.items() if handler is not signal.SIG_IGN}
    for each in before:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
