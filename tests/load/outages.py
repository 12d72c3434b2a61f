"""Redis, then the broker, away for a minute at a steady 20 posts/s: `python -m tests.load.outages`; see `--help`.

Real Kafka, Redis and two workers. For each: posts that are lost, whether the counts are exact, the seconds from the
server's first answer until the workers had caught up, and what the wait cost in memory. Exit code 1 where something is
lost or wrong, or catching up takes longer than 30 s.
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from stream.config.base import ROOT
from stream.local.server import LocalServer
from tests.load.local_stack import Running, Say, running
from tests.load.report.outcomes import Outcomes
from tests.load.report.process_sampler import rss_mib
from tests.load.report.report import Counts
from tests.load.run import SEED, count, wait_until_done
from tests.load.traffic.posts import Posts
from tests.load.traffic.producer import Load

SERVERS = ("redis", "kafka")
RATE = 20.0
"""Posts per second."""
BEFORE, AFTER = 45.0, 45.0
"""Seconds of load before the outage, and after it at least."""
LIMIT = 30.0
"""Seconds that catching up may take."""
PATIENCE = 180.0
"""Seconds after which we wait for it no longer."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage; memory in MiB per worker."""

    server: str
    away: float
    seconds_until_caught_up: float
    usually_behind: int
    """The most posts in work at once before the outage: with no more than these, the workers have caught up."""
    behind_at_return: int
    counts: Counts
    memory_before: list[float]
    memory_peak: list[float]
    memory_after: list[float]
    named: bool
    """Whether every worker said what it waited for."""

    @property
    def failures(self) -> list[str]:
        failures = self.counts.failures
        if self.seconds_until_caught_up > LIMIT:
            failures.append(f"catching up took more than {LIMIT:.0f} s")
        if not self.named:
            failures.append("a worker did not say what it waited for")
        return failures

    def __str__(self) -> str:
        counts = self.counts
        memory = ", ".join(
            f"{before:.0f} -> at most {peak:.0f} -> {after:.0f}"
            for before, peak, after in zip(
                self.memory_before, self.memory_peak, self.memory_after, strict=True
            )
        )
        return (
            f"{self.server} away for {self.away:.0f} s at {RATE:.0f} posts/s: {counts.lost} of {counts.sent} posts "
            f"lost, counts {'exact' if counts.totals_exact else 'WRONG'}, {counts.duplicates} tagged twice; "
            f"{self.behind_at_return} behind at its return (usually {self.usually_behind}), "
            f"caught up {self.seconds_until_caught_up:.1f} s later; "
            f"RSS of the workers: {memory} MiB"
        )


class Run:
    """The load on one running stack, and its workers' memory."""

    def __init__(self, here: Running, load: Load, outcomes: Outcomes) -> None:
        self.here, self.load, self.outcomes = here, load, outcomes
        self.peak = self.memory()

    def memory(self) -> list[float]:
        return [rss_mib(worker.pid) for worker in self.here.workers if worker.pid]

    def watch(self, seconds: float) -> int:
        """Let time pass; the most posts that were behind in the second half of it."""
        began, most = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            time.sleep(0.5)
            self.look()
            most = max(most, self.behind() if passed > seconds / 2 else 0)
        return most

    def look(self) -> None:
        self.here.check()
        self.peak = list(map(max, self.peak, self.memory()))

    def behind(self) -> int:
        """Posts sent, or waiting in the client, that are not done. Not by the committed offsets: every question to the
        broker takes time from the workers, which share the processors with us."""
        return self.load.sent - len(self.outcomes.done)

    def catch_up(self, usual: int) -> float:
        """The seconds until no more than the `usual` number of posts is behind: some are always in work."""
        began = time.monotonic()
        while self.behind() > usual and time.monotonic() < began + PATIENCE:
            time.sleep(0.3)
            self.look()
        return time.monotonic() - began

    def named(self) -> bool:
        return all(self.here.health(number)["waiting"] for number in range(len(self.here.workers)))


def outage(directory: Path, name: str, away: float, kind: Sequence[str], say: Say) -> Outage:
    """`name` (redis or kafka) away for some seconds; `kind` of worker: see tests/load/worker.py."""
    with running(directory, say, lambda number: kind) as here:
        server: LocalServer = here.stack.redis if name == "redis" else here.stack.kafka
        load = Load(here.settings.kafka, posts := Posts(SEED, here.picture_port))
        outcomes, stop = Outcomes(here.settings.kafka), threading.Event()
        sending = threading.Thread(target=load.steady, args=(RATE, float("inf"), stop), daemon=True)
        sending.start()
        run = Run(here, load, outcomes)
        usual = run.watch(BEFORE)
        before = run.memory()
        say(f"{server.name} goes away")
        server.stop()
        run.watch(away)
        named = run.named()
        server.start()
        behind = run.behind()
        seconds = run.catch_up(usual)
        say(f"{server.name} is back, caught up after {seconds:.1f} s")
        run.watch(AFTER)
        stop.set()
        sending.join()
        load.close()
        wait_until_done(load, outcomes)
        outcomes.close()
        outcomes.check()
        after = run.memory()
        here.stop_workers()
        counts = count(here.settings, load, posts, outcomes)
        return Outage(server.name, away, seconds, usual, behind, counts, before, run.peak, after, named)


@click.command()
@click.option("--tagger", type=click.Choice(["shipped", "fake"]), default="shipped", show_default=True)
@click.option(
    "--server", "servers", type=click.Choice(SERVERS), multiple=True, default=SERVERS, help="Both by default."
)
@click.option("--away", default=60.0, show_default=True, help="Seconds for which each server is away.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=ROOT / ".local" / "soak",
    help="Folder of the report, outage.json.",
)
def main(tagger: str, servers: Sequence[str], away: float, out: Path) -> None:
    """Take Redis, then the broker, away for a minute while posts go on coming, and see what it costs."""
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for name in servers:
        with tempfile.TemporaryDirectory(prefix="trimod-outage-") as folder:
            found.append(outage(Path(folder), name, away, [tagger], lambda line: print(line, flush=True)))
        print(found[-1], flush=True)
    failures = [f"{each.server}: {failure}" for each in found for failure in each.failures]
    report = {
        "tagger": tagger,
        "rate": RATE,
        "outages": [asdict(each) for each in found],
        "failures": failures,
    }
    (out / "outage.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
