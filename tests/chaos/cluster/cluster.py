"""Kafka, Redis and the workers on one folder, run as an operator runs them: what ends is started again.

Two of the three workers have names (static membership, as `trimod up` gives them), the third has none; workers that
join later have none either, and one that leaves is not started again.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from stream.config.kafka import Kafka
from stream.config.local import Local
from stream.config.redis import Redis
from stream.config.settings import Settings
from stream.config.worker import Worker
from stream.kafka.topics import ensure_topics
from stream.local.redis import LocalRedis
from stream.local.server import LocalServer
from stream.local.stack import LocalKafka, free_port
from tests.chaos.cluster.managed_process import Operated
from tests.chaos.cluster.worker_process import Member

SESSION_TIMEOUT = 6.0
PARTITIONS = 8
STOP_SECONDS = 2 * SESSION_TIMEOUT
WORKERS = 3
DELAY = 0.03
"""Seconds that the fake tagger takes for a batch."""
BATCH_TOKENS = 64
"""Small batches, so that several are in work at any time."""
STALL_LIMIT, HANG_LIMIT = 30.0, 20.0
WEEK = 7 * 86400.0
"""The dedup window: an interrupted run may go on days later, and a post that comes again must count once."""
STOP_TIMEOUT = 20.0


class Cluster:
    """Everything that runs; start and look at it from the main thread."""

    def __init__(self, directory: Path) -> None:
        self.kafka_server = LocalKafka(directory / "kafka", free_port(consecutive=2), heap="256m")
        self.redis_server = LocalRedis(directory / "redis", free_port())
        self.settings = _settings(directory, self.kafka_server.bootstrap_servers, self.redis_server.url)
        self.broker = Operated(self.kafka_server.child, _starter(self.kafka_server), STOP_SECONDS)
        self.redis = Operated(self.redis_server.child, _starter(self.redis_server), STOP_SECONDS)
        self.members = [
            self._member(f"worker-{number}", f"chaos-{number}" if number < WORKERS - 1 else "")
            for number in range(WORKERS)
        ]
        self._joined = 0
        self.ends: Counter[str] = Counter()
        """How often workers ended how."""

    def start(self) -> None:
        self.redis_server.start()
        self.kafka_server.start()
        ensure_topics(self.settings.kafka)
        for member in self.members:
            member.process.start()

    def look(self) -> None:
        """Do what an operator does; call it a few times per second."""
        for operated in (self.broker, self.redis, *(member.process for member in self.members)):
            operated.look()
        gone = [each for each in self.members if not each.process.wanted and not each.process.child.alive]
        self.members = [each for each in self.members if each not in gone]

    def ask(self) -> None:
        """Ask all workers for their health; for a thread of its own."""
        for member in list(self.members):
            if member.process.child.alive:
                member.ask()
            else:
                member.health, member.partitions = {}, frozenset()

    @property
    def servers_run(self) -> bool:
        return self.broker.runs and self.redis.runs

    @property
    def well(self) -> bool:
        """Whether every worker is ready, or has no partition to be ready for, and waits for nothing."""
        said = [each.health for each in self.members if each.process.runs]
        return len(said) == len(self.members) and all(
            each and (each["ready"] or not each["partitions"]) and not each["waiting"] for each in said
        )

    def join(self) -> Member:
        """One worker more."""
        self._joined += 1
        member = self._member(f"joined-{self._joined}", "")
        member.process.start()
        self.members.append(member)
        return member

    def leave(self, victim: int) -> Member:
        """One worker less: of those that joined if there are any, else one of the three, which comes back."""
        joined = [each for each in self.members[WORKERS:] if each.process.wanted]
        member = joined[0] if joined else self.members[victim % WORKERS]
        member.process.wanted = not joined
        member.process.child.terminate()
        member.process.asked_to_end()
        return member

    def stop(self) -> dict[str, int]:
        """SIGTERM to all workers, then to the servers; how the workers ended that are there."""
        for member in self.members:
            member.process.wanted = False
            member.process.child.terminate()
        for member in self.members:
            member.process.child.stop(STOP_TIMEOUT)
        self.redis_server.stop()
        self.kafka_server.stop()
        codes = ((each.name, each.process.child.exit_code) for each in self.members)
        return {name: code for name, code in codes if code is not None}

    def _member(self, name: str, instance_id: str) -> Member:
        member = Member(self.settings, name, instance_id, DELAY, STOP_SECONDS)
        member.process.on_end = lambda code: self._note_end(member, code)
        return member

    def _note_end(self, member: Member, code: int) -> None:
        said = (member.process.child.last_lines(1) or [""])[0] if code not in (0, -9, -15) else ""
        self.ends[f"exit code {code}{': ' if said else ''}{said}"] += 1


def _starter(server: LocalServer) -> Callable[[], None]:
    """Starts the server without waiting until it answers: the workers have to wait themselves."""

    def start() -> None:
        server.prepare()
        server.child.start()

    return start


def _settings(directory: Path, bootstrap_servers: str, redis_url: str) -> Settings:
    return Settings(
        kafka=Kafka(
            bootstrap_servers=bootstrap_servers,
            group="chaos",
            partitions=PARTITIONS,
            session_timeout=SESSION_TIMEOUT,
        ),
        redis=Redis(url=redis_url, prefix="chaos", dedup_window=WEEK),
        worker=Worker(
            device="cpu",
            threads=1,
            languages=("*",),  # its posts are in none
            max_batch_tokens=BATCH_TOKENS,
            stall_limit=STALL_LIMIT,
            hang_limit=HANG_LIMIT,
        ),
        local=Local(directory=directory, metrics_port=0),
    )
