"""A real Kafka and a real Redis without Docker, as child processes on loopback.

`trimod up`, `trimod demo` and the integration tests use them. `make kafka` and `make redis` install them; nothing is
downloaded here. Data are kept in their directory between starts. There is one of each, without replicas: for one
machine, not for a cluster.
"""

import fcntl
from collections.abc import Callable
from typing import IO

from models.core.places import in_repository
from stream.config.settings import Settings
from stream.connections.credentials import unsecured
from stream.errors import LocalServerError
from stream.kafka.topics import ensure_topics
from stream.local.kafka import LocalKafka
from stream.local.redis import LocalRedis
from stream.local.server import free_port

__all__ = ["LocalKafka", "LocalRedis", "LocalStack", "free_port"]


class LocalStack:
    """Kafka, Redis and the topics of `settings.local`; its `settings` are the given ones with their addresses."""

    def __init__(self, settings: Settings):
        local = settings.local
        self.directory = local.directory
        self.kafka = LocalKafka(local.directory / "data" / "kafka", local.kafka_port, local.kafka_heap)
        self.redis = LocalRedis(local.directory / "data" / "redis", local.redis_port)
        here = {"bootstrap_servers": self.kafka.bootstrap_servers, "replication_factor": 1}
        kafka = settings.kafka.model_copy(update=here | unsecured(settings.kafka))
        counters = settings.redis.model_copy(update={"url": self.redis.url} | unsecured(settings.redis))
        self.settings = settings.model_copy(update={"kafka": kafka, "redis": counters})
        self._lock: IO[str] | None = None

    @property
    def servers(self) -> tuple[LocalRedis, LocalKafka]:
        return self.redis, self.kafka

    def start(self, say: Callable[[str], None] = lambda line: None) -> None:
        """Start both and create the topics; if one fails, both are stopped again."""
        in_repository("make kafka", "a local Kafka")
        self._lock_directory()
        try:
            say("starting Redis")
            self.redis.start()
            say("starting Kafka (takes a few seconds)")
            self.kafka.start()
            ensure_topics(self.settings.kafka)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop Redis, then Kafka. Stop the workers first."""
        self.redis.stop()
        self.kafka.stop()
        if self._lock is not None:
            self._lock.close()

    def _lock_directory(self) -> None:
        """Prevent two servers on the same files: they would corrupt them, and Redis does not check."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise LocalServerError(
                f"Kafka and Redis in {self.directory} are already running: stop them, or set local.directory"
            ) from None
