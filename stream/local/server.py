"""The base class of the local Kafka and the local Redis: start, wait for an answer, stop, restart.

The data are kept. Missing programs, ports in use and failures are reported in one line. kafka.py and redis.py have the
details of each server.
"""

import random
import socket
import time

from stream.errors import LocalServerError
from stream.local.process import Child

LOOPBACK = "127.0.0.1"
START_TIMEOUT = 120.0
"""Seconds until a server must answer; a busy machine needs some."""
STOP_TIMEOUT = 20.0
"""Seconds for a server to close its files before it is killed."""
CLOSING_TIME = 2.0
"""Seconds in which a port in use may still become free."""
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
                    f"port {port} for {self.name} is taken: stop the process that listens on it, or set {self.setting}"
                )
        self.prepare()
        self.child.start()
        try:
            self._wait()
        except BaseException:
            self.child.kill()
            raise

    def stop(self) -> None:
        """Stop it cleanly; returns when it has exited. Does nothing if it is not running."""
        self.child.stop(STOP_TIMEOUT)

    @property
    def alive(self) -> bool:
        return self.child.alive

    def prepare(self) -> None:
        """Check that it is installed, and create the files that it reads at startup."""
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
                reason = f"did not answer within {START_TIMEOUT:.0f} s"
                raise LocalServerError(f"{self.name} {reason} (log: {self.child.log})")
            time.sleep(0.1)


def free_port(consecutive: int = 1) -> int:
    """A port on loopback that is free now, and those after it up to `consecutive` in all (Kafka needs 2).

    It is below the kernel's range for outgoing connections. So no other process gets it by chance before the server
    starts or restarts.
    """
    while True:
        port = random.randrange(*SERVER_PORTS)
        if all(is_free(port + offset) for offset in range(consecutive)):
            return port


def becomes_free(port: int) -> bool:
    """Whether nothing listens on the loopback port, or soon nothing does. The kernel may close the port of a killed
    process a moment after the process has exited."""
    deadline = time.monotonic() + CLOSING_TIME
    while not (free := is_free(port)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return free


def is_free(port: int) -> bool:
    """Whether nothing listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
