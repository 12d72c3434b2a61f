"""Ending in order: SIGTERM and hang-ups end a block as Ctrl-C does; its clean-up is left in peace."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """The first ending signal raises KeyboardInterrupt in the block; further ones are ignored until its end.

    For the main thread. So an impatient second Ctrl-C cannot leave half of the processes behind. A signal that
    is ignored already stays so: `nohup` means its hang-up.
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
