"""A process as its operator sees it: started again when it ends, killed when it does not, continued when stopped."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from stream.local.process import Child

RESTART_AFTER = 1.0
"""Seconds from an end to the next start."""
END_WITHIN = 25.0
"""Seconds after SIGTERM when an operator loses patience."""


class Operated:
    """`child` is started by `start`; `stop_seconds` is how long a stopped process stays so."""

    def __init__(self, child: Child, start: Callable[[], None], stop_seconds: float) -> None:
        self.child, self._start, self._stop_seconds = child, start, stop_seconds
        self.wanted = True
        """Whether it is to run."""
        self._continue_at: float | None = None
        self._start_at: float | None = None
        self._kill_at: float | None = None
        self.ended_at = 0.0
        """When (epoch) it was last seen to have ended."""
        self.on_end: Callable[[int], None] = lambda code: None

    @property
    def name(self) -> str:
        return self.child.name

    @property
    def pid(self) -> int:
        """Of the process that runs now, 0 for none."""
        return self.child.pid or 0 if self.child.alive else 0

    @property
    def stopped(self) -> bool:
        """Whether it was stopped by SIGSTOP."""
        return self.child.alive and _state(self.pid) == "T"

    @property
    def runs(self) -> bool:
        """Whether it lives and is not stopped."""
        return self.child.alive and not self.stopped

    def start(self) -> None:
        self._start_at = self._continue_at = self._kill_at = None
        self._start()

    def asked_to_end(self) -> None:
        """It got SIGTERM."""
        self._kill_at = time.monotonic() + END_WITHIN

    def look(self) -> None:
        """Do what an operator does; call it a few times per second."""
        now = time.monotonic()
        if self.child.alive:
            self._look_at_life(now)
        elif self._start_at is None:
            self._start_at, self.ended_at = now + RESTART_AFTER, time.time()
            self.child.kill()  # what is left of its group
            assert self.child.exit_code is not None
            self.on_end(self.child.exit_code)
        elif self.wanted and now >= self._start_at:
            self.start()

    def _look_at_life(self, now: float) -> None:
        if self._kill_at is not None and now >= self._kill_at:
            self.child.kill()
        elif not self.stopped:
            self._continue_at = None
        elif self._continue_at is None:
            self._continue_at = now + self._stop_seconds
        elif now >= self._continue_at:
            os.kill(self.pid, signal.SIGCONT)
            self._continue_at = None
            if self._kill_at is not None:
                self.asked_to_end()  # it could not hear it before


def _state(pid: int) -> str:
    """The process's state as the kernel names it; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
