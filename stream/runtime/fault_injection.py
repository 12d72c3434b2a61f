"""Fault points: places in the worker where tests make it crash, stop, fail or hang. For tests only.

Off unless the environment variable TRIMOD_FAULTS names a file when the process starts. The file may be missing
or change at any time. Each line is a fault:

    POINT ACTION [nth=N] [text=MARKER] [pid=PID]

POINT is one of POINTS. ACTION: `kill`, `term` or `stop` sends SIGKILL, SIGTERM or SIGSTOP to this process, or to
PID; `raise` raises RuntimeError, `memory` raises MemoryError, and `hang` sleeps forever. Without a marker, the fault
happens at every pass; with one, at every pass whose posts contain MARKER. `nth` limits it to the Nth of these passes
since the file last changed. The posts are known only while fetching and inferring, so `text=` has no effect elsewhere.
Just before a fault happens, it is recorded in FILE.happened: epoch seconds, our process id, the line.
"""

import contextlib
import os
import shlex
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

POINTS = ("fetching", "inferring", "publishing", "counting", "acking")
VARIABLE = "TRIMOD_FAULTS"
_SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "stop": signal.SIGSTOP}
_ACTIONS = (*_SIGNALS, "raise", "memory", "hang")


@dataclass(slots=True)
class Fault:
    """One line of the file; `passes` counts the passes at which it could have happened."""

    point: str
    action: str
    nth: int = 0
    text: str = ""
    pid: int = 0
    line: str = ""
    passes: int = 0

    @classmethod
    def parse(cls, line: str) -> "Fault":
        """Raises ValueError if the line is not a fault: a test with a misspelled one must not pass."""
        point, action, *options = shlex.split(line)
        given = dict(option.split("=", 1) for option in options)
        if point not in POINTS or action not in _ACTIONS or not given.keys() <= {"nth", "text", "pid"}:
            raise ValueError(f"invalid fault: {line!r}")
        nth, pid = int(given.get("nth", 0)), int(given.get("pid", 0))
        return cls(point, action, nth, given.get("text", ""), pid, line.strip())

    def due(self, point: str, texts: Sequence[str]) -> bool:
        """Whether the fault happens at this pass. Counts the pass."""
        if point != self.point or (self.text and not any(self.text in text for text in texts)):
            return False
        self.passes += 1
        return self.nth in (0, self.passes)

    def happen(self) -> None:
        """Carry out the action of the line."""
        if self.action in _SIGNALS:
            with contextlib.suppress(ProcessLookupError):  # the process has already exited
                os.kill(self.pid or os.getpid(), _SIGNALS[self.action])
        elif self.action == "memory":
            raise MemoryError(f"fault while {self.point}")
        elif self.action == "raise":
            raise RuntimeError(f"fault while {self.point}")
        else:
            while True:
                time.sleep(3600)


class Faults:
    """The faults in a file, which is read again whenever it changes. Thread-safe."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_at: tuple[int, int, int] | None = None
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def passing(self, point: str, texts: Sequence[str]) -> None:
        """Carry out the faults that are due at `point`."""
        with self._lock:
            self._refresh()
            due = [fault for fault in self._faults if fault.due(point, texts)]
        for fault in due:
            self._record(fault)
            fault.happen()

    def _record(self, fault: Fault) -> None:
        with happened(self._file).open("a", encoding="utf-8") as file:
            file.write(f"{time.time():.3f} {os.getpid()} {fault.line}\n")

    def _refresh(self) -> None:
        try:
            stat = self._file.stat()
            now = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if now != self._read_at:
                lines = self._file.read_text(encoding="utf-8").splitlines()
                self._faults = [Fault.parse(line) for line in lines if line.strip()]
                self._read_at = now
        except FileNotFoundError:
            self._faults, self._read_at = [], None


def happened(file: Path) -> Path:
    """The file that records which faults of `file` have happened."""
    return file.with_name(f"{file.name}.happened")


class Post(Protocol):
    """A post in which a fault looks for its marker."""

    @property
    def text(self) -> str: ...


class FaultPoint(Protocol):
    """Called when the worker passes `point`; with the posts where they are known."""

    def __call__(self, point: str, posts: Sequence[Post] = (), /) -> None: ...


def _off(point: str, posts: Sequence[Post] = (), /) -> None:
    """The fault point in production: does nothing."""


def fault_point(file: str | None) -> FaultPoint:
    """The fault point for the faults in `file`; without a file, a no-op."""
    if not file:
        return _off
    faults = Faults(Path(file))
    return lambda point, posts=(), /: faults.passing(point, [post.text for post in posts])


fault = fault_point(os.environ.get(VARIABLE))
"""Chosen once, when the process starts."""
