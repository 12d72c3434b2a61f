"""One run: the faults that are left, one after the other and across each other, with a check every so often.

A check lets the faults under way be over, stops the ingest, waits until every post is committed and compares all that
the topics say with Redis. Where workers said that the counters are not to be trusted, they are rebuilt first, as the
operator is told to do: this is counted, and what differs without being said is a violation.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from stream.counters.rebuild import rebuild
from stream.counters.store import Counters
from stream.kafka.topics import topic_uuid
from tests.chaos.cluster.background_thread import Background
from tests.chaos.cluster.cluster import Cluster
from tests.chaos.faults.fault_injector import Strike, Strikes
from tests.chaos.faults.schedule import Fault
from tests.chaos.faults.topic_operations import TopicDeeds, load_deleted
from tests.chaos.observe import invariants as verify
from tests.chaos.observe.failover import Takeovers
from tests.chaos.observe.stuck_workers import Sight, Zombies
from tests.chaos.observe.topic_reader import Tail
from tests.chaos.observe.topic_state import Facts, Place
from tests.chaos.producer import Ingest
from tests.chaos.run_state import Record, State

TICK = 0.1
"""Seconds between two looks of the operator."""
DRAIN_WITHIN = 240.0
"""Seconds after which what is not committed is lost."""
READY_WITHIN = 60.0
"""Seconds that the workers get to have all partitions, at first."""
TERM_WITHIN = 15.0
"""Seconds from SIGTERM to the end: 10 s, and what a machine adds that has more to do than it can."""
FRESH = 6.0
"""Seconds for which what was read last tells how things are now."""


class Harness:
    """Runs on `directory`; `say` gets a line now and then."""

    def __init__(self, directory: Path, state: State, rate: float, say: Callable[[str], None]) -> None:
        self.directory, self.state, self.say = directory, state, say
        self.cluster = Cluster(directory)
        kafka = self.cluster.settings.kafka
        self.facts = Facts()
        self.takeovers = Takeovers()
        self.zombies = Zombies()
        self.tail = Tail(kafka, self.facts, self._on_receipt)
        self._acknowledged = directory / "acknowledged.txt"
        self.ingest = Ingest(kafka, rate, self._acknowledged, state.next_post)
        deeds = TopicDeeds(kafka, self.tail, self.ingest, directory)
        self.strikes = Strikes(self.cluster, deeds, self.takeovers)
        self._threads = [
            Background("tail", self.tail.look, 0.5),
            Background("ingest", self.ingest.look, 0.0),
            Background("health", self.cluster.ask, 1.0),
        ]
        self._began = time.monotonic()
        self._next_at = 0.0
        self._saved_takeovers = 0

    def start(self) -> None:
        """Kafka, Redis and workers, with what they have from before."""
        self.cluster.start()
        kafka = self.cluster.settings.kafka
        topic_id = topic_uuid(kafka, kafka.posts_topic)
        load_deleted(self.directory, self.facts, topic_id)
        self.tail.bind(topic_id)
        self.tail.look()
        self.ingest.next = max([self.state.next_post - 1, *self.facts.written]) + 1
        for thread in self._threads:
            thread.start()
        self._wait(self._all_owned, READY_WITHIN, "the workers have all partitions")

    def run(self, faults: list[Fault], check_every: int) -> None:
        """Carry out the faults; return when all are over and everything was checked at the end."""
        for number, fault in enumerate(faults):
            if number and number % check_every == 0:
                self.check()
            self._wait(lambda: time.monotonic() >= self._next_at and self.strikes.may_begin(fault))  # noqa: B023
            self.strikes.begin(fault)
            self._next_at = time.monotonic() + fault.pause
        self.check()

    def check(self) -> None:
        """Drain, and compare everything."""
        self._wait(lambda: not self.strikes.under_way, DRAIN_WITHIN, "all faults are over")
        self.ingest.paused = True
        self._wait(lambda: self.ingest.idle, DRAIN_WITHIN, "every post sent is acknowledged or refused")
        looks = self.tail.looks
        self._wait(
            lambda: self.tail.looks > looks + 1 and self.tail.drained(), DRAIN_WITHIN, "all is committed"
        )
        self._wait(self._all_owned, READY_WITHIN, "the workers have all partitions")
        self._rebuild_if_told()
        for line in self._broken():
            self.state.violate(line)
        self.state.checks += 1
        self._save()
        self.say(f"checked: {len(self.facts.tagged)} tagged, {len(self.state.violations)} violations")
        self.ingest.paused = False

    def stop(self) -> None:
        """End everything; the workers in order."""
        self.ingest.paused = True
        for thread in self._threads:
            thread.stop()
        self.tail.close()
        self.ingest.close()
        for name, code in self.cluster.stop().items():
            if code != 0:
                self.say(f"{name} ended with exit code {code}")
        self._save()

    def acknowledged(self) -> set[int]:
        return {int(line) for line in self._acknowledged.read_text(encoding="utf-8").split()}

    def _broken(self) -> list[str]:
        """What does not hold."""
        with self.tail.lock:
            facts = self.facts
            return [
                *verify.lost(facts),
                *verify.unwritten(facts, self.acknowledged()),
                *verify.phantoms(facts),
                *verify.wrong_deaths(facts),
                *verify.torn_events(facts),
                *verify.uncommitted(self.tail.committed, self.tail.ends),
                *verify.drift(facts, self._counts()),
                *facts.disagreements,
            ]

    def _counts(self) -> verify.Counts:
        async def read() -> verify.Counts:
            counters = Counters(self.cluster.settings.redis, self.cluster.settings.kafka.group)
            try:
                return verify.Counts(await counters.totals(), await counters.tallies())
            finally:
                await counters.close()

        return asyncio.run(read())

    def _rebuild_if_told(self) -> None:
        """Nothing is evicted here: whoever says so gives a false alarm, which would hide what is counted wrong."""
        doubts = {str(each.health["counters"]) for each in self.cluster.members if each.health} - {"trusted"}
        for doubt in doubts:
            if doubt.startswith("Redis evicted"):
                self.state.violate(f"false alarm: {doubt}")
        if doubts:
            asyncio.run(rebuild(self.cluster.settings))
            self.state.rebuilds += sorted(doubts)
            self.say(f"counters rebuilt: {doubts}")

    def _wait(self, condition: Callable[[], bool], seconds: float | None = None, what: str = "") -> None:
        """Be the operator until the condition holds. What does not come in time is a violation."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not condition():
            self._look()
            if deadline is not None and time.monotonic() > deadline:
                self.state.violate(f"not within {seconds:.0f} s: {what} (lag {self.tail.lag})")
                return
            time.sleep(TICK)

    def _look(self) -> None:
        for thread in self._threads:
            thread.check()
        self.cluster.look()
        for strike in self.strikes.look():
            self._note(strike)
        fresh = time.monotonic() - self.tail.read_at < FRESH
        if fresh and not self.strikes.changing_topic:
            committed = {
                log[1]: at for log, at in dict(self.tail.committed).items() if log[0] == self.tail.topic_id
            }
            sights = [
                Sight(
                    each.name,
                    each.process.runs and each.process.child.age > 10,
                    bool(each.health),
                    each.partitions,
                    bool(each.health.get("waiting")),
                )
                for each in self.cluster.members
            ]
            self.zombies.look(time.monotonic(), self.cluster.servers_run, sights, committed, self.tail.lag)
        for line in [*self.zombies.found, *self.tail.passed]:
            self.state.violate(line)

    def _note(self, strike: Strike) -> None:
        fault = strike.fault
        if strike.failed or strike.happened is None or strike.over is None:
            self.state.violate(
                f"fault {fault.number} ({fault.name}) never happened: no worker passed its point"
            )
            return
        record = Record(
            fault.number,
            fault.name,
            fault.kind,
            round(strike.happened - strike.began, 1),
            round(strike.over - strike.happened, 1),
            strike.seconds_to_end,
        )
        self.state.records.append(record)
        if record.ended is not None and record.ended > TERM_WITHIN:
            self.state.violate(f"fault {fault.number}: the worker ended {record.ended} s after SIGTERM")
        self._save()
        who = strike.target.name if strike.target else ""
        lag, workers = sum(self.tail.lag.values()), sum(each.process.runs for each in self.cluster.members)
        self.say(
            f"fault {fault.number}: {fault.name} {who}, came after {record.waited} s, over after {record.lasted} s; "
            f"lag {lag}, {workers} workers run"
        )

    def _save(self) -> None:
        state, now = self.state, time.monotonic()
        state.seconds += now - self._began
        self._began = now
        state.next_post = self.ingest.next
        over = self.takeovers.over
        state.takeovers += [asdict(each) | {"waiting": []} for each in over[self._saved_takeovers :]]
        self._saved_takeovers = len(over)
        ends = self.cluster.ends
        state.ends = dict(Counter(state.ends) + ends)
        ends.clear()
        state.longest_stall = max(state.longest_stall, self.zombies.longest)
        state.save(self.directory)

    def _all_owned(self) -> bool:
        """Whether every worker is ready, and every partition some worker's."""
        owned = [part for member in self.cluster.members for part in member.partitions]
        all_ = sorted(part for _, part in self.tail.ends)
        return self.cluster.well and bool(all_) and sorted(owned) == all_

    def _on_receipt(self, place: Place, timestamp: int) -> None:
        if place[0] == self.tail.topic_id:
            self.takeovers.progress(place[1], timestamp)
