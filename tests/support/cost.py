"""CPU time of a piece of work, for tests of how its cost grows: of this thread only, without the garbage collector.

A full collection scans the whole test process, whose heap may hold several models: it took longer than the work itself.
"""

import gc
import time
from collections.abc import Callable


def cpu_seconds(work: Callable[[], object]) -> float:
    """Seconds of this thread's CPU time."""
    gc.disable()
    try:
        begun = time.thread_time()
        work()
        return time.thread_time() - begun
    finally:
        gc.enable()
