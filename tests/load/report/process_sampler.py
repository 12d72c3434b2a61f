"""What a worker looks like from outside, every few seconds: memory, threads, open files, lag, caches, posts in work."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.load.local_stack import Running


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one worker."""

    at: float
    """Epoch seconds."""
    worker: int
    rss: float
    """MiB."""
    threads: int
    files: int
    lag: int
    """Posts in the logs of its partitions that are not committed."""
    work: int
    caches: dict[str, int]


def rss_mib(pid: int) -> float:
    """Memory of a process that is in RAM."""
    return _status(pid)["VmRSS"] / 1024


def look(here: Running, worker: int) -> Sample:
    """A sample now. Raises OSError where the worker is gone."""
    pid = here.workers[worker].pid
    assert pid is not None
    metrics = here.metrics(worker, "trimod_lag", "trimod_cache_entries", "trimod_queue_depth")
    status = _status(pid)
    return Sample(
        at=time.time(),
        worker=worker,
        rss=status["VmRSS"] / 1024,
        threads=status["Threads"],
        files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        lag=metrics["trimod_lag"].total(),
        work=metrics["trimod_queue_depth"]["work"],
        caches=dict(metrics["trimod_cache_entries"]),
    )


def _status(pid: int) -> dict[str, int]:
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {line[0].rstrip(":"): int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}


class Sampler:
    """Looks at all workers every `every` seconds, in a thread; `tell` hears of each round."""

    def __init__(self, here: Running, every: float, tell: Callable[[list[Sample]], None]) -> None:
        self._here, self._every, self._tell = here, every, tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self.samples: list[Sample] = []
        self.missed = 0
        """Looks that failed, as while a worker does not answer."""
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                found = [look(self._here, number) for number in range(len(self._here.workers))]
            except OSError:
                self.missed += 1
                continue
            self.samples += found
            self._tell(found)
