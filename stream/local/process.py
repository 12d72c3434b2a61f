"""A child process with a log: it dies with its parent, reports why it exited, and can be stopped.

It does not know what it runs: stream/local/stack.py runs servers, stream/local/supervisor.py runs workers. Each child
has its own process group. So Ctrl-C in a terminal reaches only the supervisor, which stops all children in order.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SHOWN = 200
"""Maximum characters of a log line in a message."""
LEASH = Path(__file__).with_name("parent_death.py")


class Child:
    """One command, one process at a time; start it from the main thread (see parent_death.py)."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
    ):
        self.name, self.command, self.log = name, tuple(command), log
        self.environ = dict(os.environ if environ is None else environ)
        self._started_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._gone = True

    def start(self) -> None:
        """Start the process; its output is appended to the log. The caller checks whether it works."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environ,
                start_new_session=True,
            )
        self._started_at = time.monotonic()
        self._gone = self._asked = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last process: 0 to 255, or minus the signal's number; None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def age(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started_at

    def why_it_ended(self) -> str:
        """One line: the signal that killed it, or its exit code and the last line of its log."""
        code = self.exit_code
        if code is not None and code < 0:
            return f"{self.name} was killed ({_signal_name(-code)})"
        (line,) = self.last_lines(1) or ["no output"]
        line = "".join(each if each.isprintable() else " " for each in line)
        shown = line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
        return f"{self.name} exited with code {code}: {shown} (log: {self.log})"

    def last_lines(self, count: int = 3) -> list[str]:
        """The last non-blank lines that this run of the process has logged."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - 64 * 1024))
            lines = log.read().decode("utf-8", "replace").splitlines()
            return [line.strip() for line in lines if line.strip()][-count:]
        return []

    def output(self) -> str:
        """The beginning of what this run of the process has logged, at most 64 kB."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(64 * 1024).decode("utf-8", "replace")
        return ""

    def terminate(self) -> None:
        """Send SIGTERM without waiting. Only once: a second SIGTERM makes a worker exit immediately."""
        if self.alive and not self._asked:
            self._asked = True
            self._signal(signal.SIGTERM)

    def stop(self, grace: float = 10.0) -> None:
        """Send SIGTERM, and after `grace` seconds SIGKILL to the rest of its group; returns when it has exited."""
        self.terminate()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to its process group, like a crash; returns when it has exited."""
        if self._process is not None and not self._gone:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._gone = True  # its pid may be reused, so it gets no further signal

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):  # the whole group has ended
            os.killpg(self._process.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
