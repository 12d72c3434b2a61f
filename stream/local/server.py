"""What the local Kafka and the local Redis have in common: start until it answers, stop, start again.

The data stay; what is missing, taken or broken is said in one line. Which server it is, local_kafka.py and
local.py know.
"""

import random
import socket
import time

from stream.errors import LocalServerError
from stream.local.process import Child

LOOPBACK = "127.0.0.1"


START_TIMEOUT = 120.0
"""Seconds that a server may take until it answers; a busy machine needs some."""


STOP_TIMEOUT = 20.0
"""Seconds that a server has to close its files before it is killed."""


CLOSING_TIME = 2.0
"""Seconds in which a port that is taken may still become free."""


SERVER_PORTS = (10_000, 32_000)


class LocalServer:
    """A server on loopback, as a child process; start it from the main thread."""

    name: str
    setting: str
    """The setting that moves it to another port."""

    def __init__(self, child: Child, ports: tuple[int, ...]):
        self.child, self.ports = child, ports

    def start(self) -> None:
        """Start it and wait until it answers. Raises LocalServerError with the reason."""
        for port in self.ports:
            if not becomes_free(port):
                raise LocalServerError(
                    f"port {port} for {self.name} is taken: stop what listens there, or set {self.setting}"
                )
        self.prepare()
        self.child.start()
        try:
            self._wait()
        except BaseException:
            self.child.kill()
            raise

    def stop(self) -> None:
        """Stop it in order; returns when it is gone. Does nothing if it does not run."""
        self.child.stop(STOP_TIMEOUT)

    @property
    def alive(self) -> bool:
        return self.child.alive

    def prepare(self) -> None:
        """Check that it is installed, and make what it reads at its start."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it answers a real request now."""
        raise NotImplementedError

    @property
    def exit_code(self) -> int | None:
        return self.child.exit_code

    @property
    def age(self) -> float:
        return self.child.age

    def why_it_ended(self) -> str:
        return self.child.why_it_ended()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers():
            if not self.alive:
                raise LocalServerError(self.why_it_ended())
            if time.monotonic() > deadline:
                reason = f"does not answer after {START_TIMEOUT:.0f} s"
                raise LocalServerError(f"{self.name} {reason} (log: {self.child.log})")
            time.sleep(0.1)


def free_port(consecutive: int = 1) -> int:
    """A port on loopback that is free now, and those after it up to `consecutive` in all (Kafka needs 2).

    From below the range in which the kernel picks ports for outgoing connections: nobody gets it by chance before
    the server that it is meant for starts, or starts again.
    """
    while True:
        port = random.randrange(*SERVER_PORTS)
        if all(is_free(port + offset) for offset in range(consecutive)):
            return port


def becomes_free(port: int) -> bool:
    """Whether nothing listens on the port of loopback, or soon nothing does: the kernel may close the port of a
    killed process a moment after the process is gone."""
    deadline = time.monotonic() + CLOSING_TIME
    while not (free := is_free(port)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return free


def is_free(port: int) -> bool:
    """Whether nothing listens on the port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
