"""When a fault has happened, and when it is over: a harness that waits for what cannot come tests nothing."""

import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from tests.chaos.faults.fault_injector import Strikes
from tests.chaos.faults.schedule import Fault
from tests.chaos.observe.failover import Takeovers


@dataclass
class Process:
    """A server or a worker that runs."""

    name: str
    pid: int = 1
    ended_at: float = 0.0
    stopped: bool = False
    wanted: bool = True
    runs: bool = True
    child: Any = field(default_factory=lambda: SimpleNamespace(alive=True))

    def end_and_start(self) -> None:
        self.pid, self.ended_at = self.pid + 1, time.time()


@dataclass
class Worker:
    """Meets what it is armed with when the test says so."""

    process: Process = field(default_factory=lambda: Process("worker"))
    instance_id: str = ""
    partitions: frozenset[int] = frozenset({0})
    line: str = ""
    met: float | None = None

    def arm(self, line: str) -> None:
        self.line, self.met = line, None

    def disarm(self) -> None:
        self.line = ""

    def met_at(self) -> float | None:
        return self.met


def armed() -> tuple[Strikes, Process, Worker]:
    """SIGKILL for Redis, armed."""
    redis, worker = Process("Redis"), Worker()
    cluster: Any = SimpleNamespace(broker=Process("Kafka"), redis=redis, members=[worker])
    strikes = Strikes(cluster, deeds=None, takeovers=Takeovers())  # type: ignore[arg-type]
    strikes.begin(Fault(1, "signal", "Redis", "kill", "publishing"))
    strikes.look()
    assert "publishing kill nth=1 pid=1" == worker.line
    return strikes, redis, worker


def test_a_kill_is_over_when_the_server_runs_again_also_if_it_did_before_we_looked() -> None:
    strikes, redis, worker = armed()
    worker.met = time.time()
    redis.end_and_start()
    strikes.look()
    [over] = strikes.look()
    assert over.happened == worker.met


def test_a_kill_that_met_a_server_already_gone_comes_again() -> None:
    strikes, redis, worker = armed()
    redis.end_and_start()  # by another fault
    time.sleep(0.01)
    worker.met = time.time()
    assert [] == strikes.look()
    strikes.look()
    assert "publishing kill nth=1 pid=2" == worker.line
    assert strikes.under_way[0].happened is None
