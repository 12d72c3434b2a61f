"""Reports when each worker of this machine is ready, and why one is not after some time. Asks `/ready` of each."""

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence

from stream.config.local import Local
from stream.config.worker import Worker
from stream.local.process import Child
from stream.local.server import LOOPBACK

ASK_EVERY = 1.0
"""Seconds between two requests to one worker."""
PATIENCE = 60.0
"""Seconds after its start until the reason is reported why a worker is not ready."""
TIMEOUT = 0.5
"""Seconds for an answer."""


class Readiness:
    """The workers' children, and what was reported of each; `clock` returns seconds."""

    def __init__(
        self,
        workers: Sequence[Child],
        local: Local,
        worker: Worker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = (
            worker.metrics_host if worker.metrics_host.strip(":.0") else LOOPBACK
        )  # not of all addresses
        self._ports = {
            child.name: local.metrics_port and local.metrics_port + n for n, child in enumerate(workers)
        }
        self._workers, self._clock = workers, clock
        self._reported: dict[str, int | None] = {}
        self._late: dict[str, int | None] = {}
        self._asked = 0.0

    def news(self) -> Iterator[str]:
        """A line for each worker that became ready, or is not ready for too long; call it a few times per second."""
        if self._clock() - self._asked < ASK_EVERY:
            return
        self._asked = self._clock()
        for child in self._workers:
            if child.alive and self._reported.get(child.name) != child.pid:
                yield from self._news_of(child)

    def _news_of(self, child: Child) -> Iterator[str]:
        ready, reasons = self._ask(child)
        if ready:
            again = " again" if child.name in self._reported else ""
            self._reported[child.name] = child.pid
            yield f"{child.name} is ready{again} ({child.age:.0f} s after its start)"
        elif child.age > PATIENCE and self._late.get(child.name) != child.pid:
            self._late[child.name] = child.pid
            yield f"{child.name} is not ready after {child.age:.0f} s: {reasons} (log: {child.log})"

    def _ask(self, child: Child) -> tuple[bool, str]:
        """Whether it is ready, and why not."""
        port = self._ports[child.name] or _port_in(child)
        if not port:
            return False, "it is loading"
        link = http.client.HTTPConnection(self._host, port, timeout=TIMEOUT)
        try:
            link.request("GET", "/ready")
            answer = json.loads(link.getresponse().read())
            reasons = answer.get("reasons") or [f"the worker is {answer.get('state', 'starting')}"]
            return bool(answer["ready"]), "; ".join(map(str, reasons))
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            return False, "it is loading"
        finally:
            link.close()


def _port_in(child: Child) -> int:
    """The port that the worker has logged in this run; 0 if it has not yet."""
    found = re.search(r"metrics at http://\S+:(\d+)/metrics", child.output())
    return int(found[1]) if found else 0
