"""Runs the demo: a separate Kafka, Redis and two workers tag the sample posts, and are then stopped.

The servers use free ports and a temporary directory, so they do not conflict with a running `trimod up`. The result is
an Outcome, which stream/demo/tables.py shows. For other posts, use `trimod up` and `trimod ingest`.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from models.posts.lines import read_lines
from stream.config.base import ROOT
from stream.config.kafka import Kafka
from stream.config.local import Local
from stream.config.settings import Settings
from stream.counters.store import Counters
from stream.errors import BrokenWorker, PassingFault
from stream.kafka.dead_letters import DeadLetter, all_dead
from stream.kafka.lag import read_lag
from stream.kafka.reader import TopicReader, open_topic
from stream.local.process import Child
from stream.local.stack import LocalStack, free_port
from stream.local.supervisor import Service, Supervisor, worker_children
from stream.messages.events import EntityEvent
from stream.messages.receipts import Receipt
from stream.sources.base import SourcePost
from stream.sources.ingest import Report, ingest_lines

SAMPLES = ROOT / "deploy" / "samples"
"""Sample posts (posts.jsonl) and the root of their images."""
READY_TIMEOUT = 240.0
"""Seconds for the workers to load the model and share the partitions."""
STALL_TIMEOUT = 120.0
"""Seconds without a new receipt or dead letter after which the demo gives up."""
TOP = 6
"""Entities of each type that are ranked."""

Say = Callable[[str], None]
Ranking = dict[str, list[tuple[str, int]]]


@dataclass(frozen=True)
class Outcome:
    """The result for all posts.

    posts: number of records sent. tagged: number of receipts. dead: posts that could not be tagged.
    entities: one event per mention; duplicates from a repeated post are dropped by event id.
    ranking: type -> (form seen most often, mentions) as counted by Redis.
    seconds: from the first send to the last receipt or dead letter; the workers were ready before.
    """

    posts: int
    tagged: int
    dead: list[DeadLetter]
    entities: list[EntityEvent]
    ranking: Ranking
    seconds: float

    @property
    def summary(self) -> str:
        """The demo's last line."""
        rate = self.posts / self.seconds if self.seconds > 0 else 0.0
        return (
            f"demo: posts={self.posts} tagged={self.tagged} dead={len(self.dead)} "
            f"entities={len(self.entities)} posts_per_s={rate:.1f}"
        )


def run_demo(settings: Settings, say: Say) -> Outcome:
    """Start everything, tag the samples, stop everything; main thread only.

    If that fails, raises a TrimodError with the reason; the logs are kept then, and their directory is reported.
    """
    with _own_folder(say) as folder:
        stack = LocalStack(_own_settings(settings, folder))
        workers = worker_children(stack.settings, stack.settings.local.workers)
        supervisor = Supervisor(workers, say)
        try:
            stack.start(say)
            say(f"starting {len(workers)} workers (loading the model)")
            supervisor.start()
            return _Run(stack, workers, say).outcome()
        finally:
            say("stopping")
            supervisor.stop()
            stack.stop()


@contextmanager
def _own_folder(say: Say) -> Iterator[Path]:
    """A directory that is removed afterwards, except for the logs of workers that failed."""
    folder = Path(tempfile.mkdtemp(prefix="trimod-demo-"))
    logs = folder / "logs"
    failed = False
    try:
        yield folder
    except Exception:
        failed = logs.exists()
        if failed:
            say(f"the workers' logs are kept in {logs}")
        raise
    finally:
        shutil.rmtree(folder / "data" if failed else folder)


def _own_settings(settings: Settings, folder: Path) -> Settings:
    """Two workers over eight partitions on free ports; the user chooses model and device. Samples in all languages are
    tagged."""
    kafka_port = free_port(consecutive=2)
    local = Local(
        directory=folder,
        kafka_port=kafka_port,
        kafka_heap=settings.local.kafka_heap,
        redis_port=free_port(),
        workers=2,
        metrics_port=0,
    )
    worker = settings.worker.model_copy(
        update={"images_root": SAMPLES, "metrics_port": 0, "languages": ("*",)}
    )
    return Settings(kafka=Kafka(partitions=8), worker=worker, local=local)


class _Run:
    """The part of the demo in which servers and workers run."""

    def __init__(self, stack: LocalStack, workers: Sequence[Child], say: Say) -> None:
        self.stack, self.workers, self.say = stack, workers, say
        self.settings = stack.settings
        self.kafka = stack.settings.kafka

    def outcome(self) -> Outcome:
        self._wait_for_workers()
        report, first_sent = self._send()
        tagged, last_done = self._wait_for_posts(report.sent)
        self._wait_for_commits()
        self.say("reading the results")
        return Outcome(
            posts=report.sent,
            tagged=tagged,
            dead=list({letter.origin: letter for letter in all_dead(self.kafka)}.values()),
            entities=self._events(),
            ranking=asyncio.run(self._ranking()),
            seconds=last_done - first_sent,
        )

    def _wait_for_workers(self) -> None:
        """Until every partition has an owner: the time measured next is tagging, not startup."""
        deadline = time.monotonic() + READY_TIMEOUT
        while True:
            with suppress(PassingFault):  # a new broker has no group coordinator for a moment
                lag = read_lag(self.kafka)
                owners = {partition.member for partition in lag.partitions}
                if lag.state == "Stable" and len(owners) == len(self.workers) and None not in owners:
                    return
            self._check(deadline, f"the workers are not ready after {READY_TIMEOUT:.0f} s")
            time.sleep(0.5)

    def _send(self) -> tuple[Report, float]:
        """What was sent, and when the first was (epoch seconds)."""
        times: list[float] = []

        def sent(post: SourcePost) -> None:
            times.append(time.time())

        with (SAMPLES / "posts.jsonl").open("rb") as posts:
            self.say("sending the sample posts")
            report = ingest_lines(read_lines(posts), self.kafka, images_root=SAMPLES, progress=sent)
        if report.problems:
            name, reason = report.problems[0]
            raise BrokenWorker(f"not sent: {len(report.problems)} posts; first failure: {name}: {reason}")
        return report, times[0]

    def _wait_for_posts(self, sent: int) -> tuple[int, float]:
        """How many posts have a receipt, and when the last of all was done (epoch seconds)."""
        done: dict[str, bool] = {}  # origin -> whether tagged; a redelivered post counts once
        last = 0.0
        deadline = time.monotonic() + STALL_TIMEOUT
        with (
            open_topic(self.kafka, self.kafka.tagged_topic) as receipts,
            open_topic(self.kafka, self.kafka.dead_topic) as dead,
        ):
            while len(done) < sent:
                for reader in (receipts, dead):
                    for origin, tagged, moment in _new(reader, tagged=reader is receipts):
                        done.setdefault(origin, tagged)
                        last = max(last, moment)
                        deadline = time.monotonic() + STALL_TIMEOUT
                self.say(f"{len(done)} of {sent} posts are tagged or in posts.dead")
                missing = sent - len(done)
                self._check(deadline, f"{missing} of {sent} posts have neither a receipt nor a dead letter")
        return sum(done.values()), last

    def _wait_for_commits(self) -> None:
        """A receipt comes before its counts in Redis, a commit after them."""
        deadline = time.monotonic() + STALL_TIMEOUT
        while read_lag(self.kafka).total:
            self._check(deadline, "the workers did not commit the posts that they tagged")
            time.sleep(0.3)

    def _events(self) -> list[EntityEvent]:
        found: dict[str, EntityEvent] = {}
        with open_topic(self.kafka, self.kafka.entities_topic) as reader:
            for records in reader.until(reader.ends()):
                for record in records:
                    event = EntityEvent.model_validate_json(record.value)
                    found.setdefault(event.event_id, event)
        return list(found.values())

    async def _ranking(self) -> Ranking:
        counters = Counters(self.settings.redis, self.kafka.group)
        try:
            ranking = await counters.most_mentioned(None, None, TOP)
            return {kind: [(each.text, each.mentions) for each in rows] for kind, rows in ranking.items()}
        finally:
            await counters.close()

    def _check(self, deadline: float, complaint: str) -> None:
        """Raise BrokenWorker if a server or worker has exited, or if the deadline is over."""
        running: list[Service] = [*self.stack.servers, *self.workers]
        for service in running:
            if not service.alive:
                raise BrokenWorker(service.why_it_ended())
        if time.monotonic() > deadline:
            said = (
                f"last log lines of {worker.name}: {' | '.join(worker.last_lines())}"
                for worker in self.workers
            )
            raise BrokenWorker("; ".join((complaint, *said)))


def _new(reader: TopicReader, tagged: bool) -> Iterator[tuple[str, bool, float]]:
    """(origin, whether tagged, epoch seconds) of the records that arrived since the last call."""
    for record in reader.poll(0.1):
        if tagged:
            origin = Receipt.model_validate_json(record.value).origin
            name = f"{origin.topic}:{origin.partition}:{origin.offset}"
        else:
            headers = dict(record.headers)
            name = ":".join(headers[part].decode() for part in ("topic", "partition", "offset"))
        yield name, tagged, record.timestamp / 1000
