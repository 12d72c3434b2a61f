"""Supervises the workers of one machine: starts them, restarts those that exit, stops them all.

Own code: supervisord and its like count restarts; this one must tell an invalid setting from a post that kills workers.

If a process repeatedly exits soon after its start, restarting does not help (an invalid setting, a damaged checkpoint).
Then the supervisor gives up and reports why. If a post may have killed the process, it tries more often: the next
starts find the post (stream/pipeline/journal.py). If Kafka was unavailable, it never gives up. The local Kafka and
Redis follow the same rule, but stream/local/stack.py starts and stops them. For one machine, not for a cluster."""

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from stream.config.loading import PREFIX, secret_names
from stream.config.settings import Settings
from stream.errors import BrokenWorker, FailedOnPost, PassingFault
from stream.local.process import Child

QUICK_END = 30.0
"""Seconds: a process that runs longer has started well, and its next exit counts as the first."""
QUICK_ENDS = 3
"""Quick exits in a row after which it is not restarted."""
QUICK_DEATHS = 8
"""The same if a post may have killed it: the journal finds such a post after three crashes."""
FIRST_PAUSE = 1.0
"""Seconds before the first restart; doubled with every further quick exit."""
DOUBLINGS = 4
"""How often it is doubled, at most."""
USAGE = 2
"""Exit code of an invalid setting or option, which a restart does not fix."""
STOP_TIMEOUT = 20.0
"""Seconds that workers have to finish before they are killed."""


class Service(Protocol):
    """A process that can be supervised: a worker's Child, or a LocalServer."""

    name: str

    @property
    def alive(self) -> bool: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def age(self) -> float: ...
    def start(self) -> None: ...
    def why_it_ended(self) -> str: ...


class Supervised:
    """One service and how often it exited; `clock` returns seconds."""

    def __init__(
        self, service: Service, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ):
        self.service, self.say, self.clock = service, say, clock
        self.quick_ends = 0
        self._due: float | None = None

    def look(self) -> None:
        """Restart it if it exited and the pause is over. Raises BrokenWorker if restarting does not help."""
        if self.service.alive:
            return
        if self._due is None:
            self._due = self.clock() + self._pause()
        elif self.clock() >= self._due:
            self._due = None
            self.service.start()

    def _pause(self) -> float:
        self.quick_ends = self.quick_ends + 1 if self.service.age < QUICK_END else 1
        reason = self.service.why_it_ended()
        if self.service.exit_code == USAGE:
            raise BrokenWorker(f"{reason}; not restarting it, because that will not help")
        if self.quick_ends >= self._most():
            raise BrokenWorker(
                f"{reason}; it exited {self.quick_ends} times in a row, not restarting it again"
            )
        pause = FIRST_PAUSE * 2.0 ** min(self.quick_ends - 1, DOUBLINGS)
        self.say(f"{reason}; restarting in {pause:.0f} s")
        return pause

    def _most(self) -> float:
        code = self.service.exit_code
        if code == PassingFault.exit_code:
            return math.inf
        killed = code is not None and code < 0  # killed by a signal: a crash in native code, or out of memory
        return QUICK_DEATHS if killed or code == FailedOnPost.exit_code else QUICK_ENDS


class Supervisor:
    """Workers that run until `stop`, from the main thread. `servers` are running already and are only watched."""

    def __init__(self, workers: Sequence[Child], say: Callable[[str], None], servers: Sequence[Service] = ()):
        self.workers = workers
        self._watched = [Supervised(service, say) for service in (*servers, *workers)]

    def start(self) -> None:
        for worker in self.workers:
            worker.start()

    def watch(self) -> None:
        """Check each once; call it a few times per second. Raises BrokenWorker with the reason."""
        for supervised in self._watched:
            supervised.look()

    def stop(self) -> None:
        """Send SIGTERM to all workers; returns when all have exited."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.stop(STOP_TIMEOUT)


def worker_children(settings: Settings, count: int) -> list[Child]:
    """`count` workers with these settings, not yet started, each with its own name, port and log."""
    return [_worker(settings, number, count) for number in range(count)]


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a process with exactly these settings, from any source."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    for section, values in settings.model_dump(mode="json", exclude_none=True).items():
        for key, value in values.items():
            inherited[f"{PREFIX}{section}__{key}".upper()] = str(value)
    # Unlike its arguments, the environment of a process can be read only by the same user.
    for name in secret_names():
        section, key = name.split(".")
        value = getattr(getattr(settings, section), key).get_secret_value()
        inherited[f"{PREFIX}{section}__{key}".upper()] = value
    return inherited


def _worker(settings: Settings, number: int, count: int) -> Child:
    cores = len(os.sched_getaffinity(0))
    port = settings.local.metrics_port
    own = {
        "instance_id": f"{settings.worker.instance_id or 'local'}-{number}",
        "metrics_port": port + number if port else 0,
        "threads": settings.worker.threads or max(1, cores // count),  # otherwise each would use all cores
    }
    mine = settings.model_copy(update={"worker": settings.worker.model_copy(update=own)})
    command = (sys.executable, "-m", "stream", "worker")
    log = settings.local.directory / "logs" / f"worker-{number}.log"
    return Child(f"worker {number}", command, log, environment(mine))
