"""Reads the four topics as they grow, and what is committed, and looks whether that is past an unprocessed post.

Of the posts, those that may be read: the end of a log is where the first open transaction begins.

What is committed is read before the topics: so a post below it must by then have a receipt or be dead. While the
broker is away there is nothing to read; everything goes on from where it was.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream.config.kafka import Kafka
from stream.kafka.topics import topic_names
from tests.chaos.observe.topic_state import Facts, Log, Place

TIMEOUT_MS = 5_000
"""For one request: the broker may be stopped."""
PATIENCE = 15.0
"""Seconds that one reading may take before the connection is made anew."""


class Away(Exception):
    """The broker does not tell."""


class Tail:
    """Reads into `facts`; hold `lock` to look at them, and while topics are changed."""

    def __init__(self, kafka: Kafka, facts: Facts, on_receipt: Callable[[Place, int], None]) -> None:
        self._kafka, self.facts, self._on_receipt = kafka, facts, on_receipt
        self.lock = threading.RLock()
        self.topic_id = ""
        """Kafka's UUID of the posts topic."""
        self.committed: dict[Log, int] = {}
        self.ends: dict[Log, int] = {}
        """Of the posts topic as it is now."""
        self.open = False
        """Whether a transaction was open then: what lies behind it could not be read."""
        self.read_at = 0.0
        """When (monotonic) the last reading was complete."""
        self.passed: list[str] = []
        """Commits that went past a post which was neither tagged nor dead."""
        self.looks = 0
        self._passed: set[Log] = set()
        self._checked: dict[Log, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._consumer: KafkaConsumer | None = None
        self._whole: KafkaConsumer | None = None
        self._admin: KafkaAdminClient | None = None

    def bind(self, topic_id: str) -> None:
        """The posts topic has this UUID from now on, or other partitions than before."""
        with self.lock:
            self.close()
            if topic_id != self.topic_id:
                posts = self._kafka.posts_topic
                self._positions = {key: at for key, at in self._positions.items() if key.topic != posts}
                self.topic_id, self.ends = topic_id, {}

    def close(self) -> None:
        with self.lock:
            for client in (self._consumer, self._whole, self._admin):
                if client is not None:
                    with suppress(KafkaError, TimeoutError, OSError):
                        client.close()
            self._consumer = self._whole = self._admin = None

    def look(self) -> None:
        """Read everything that is there now, unless the broker is away."""
        with self.lock:
            try:
                self._read()
            except (KafkaError, TimeoutError, OSError, Away):
                self.close()

    @property
    def lag(self) -> dict[int, int]:
        """Partition -> posts of the topic as it is now that are not committed."""
        ends = dict(self.ends)
        return {log[1]: end - self.committed.get(log, 0) for log, end in ends.items()}

    def drained(self) -> bool:
        """Whether every post is done and committed, as of the last reading."""
        with self.lock:
            return bool(self.ends) and not self.open and not any(self.lag.values())

    def _read(self) -> None:
        consumer, whole_consumer = self._ready()
        committed = self._read_committed()
        parts = sorted(consumer.assignment())
        ends = consumer.end_offsets(parts, timeout_ms=TIMEOUT_MS)
        whole = whole_consumer.end_offsets(parts, timeout_ms=TIMEOUT_MS)
        if not ends or not whole or min(len(ends), len(whole)) < len(parts):
            raise Away
        self._read_up_to(consumer, ends)
        self.committed.update(committed)
        self.open = any(whole[part] > end for part, end in ends.items())
        posts = self._kafka.posts_topic
        self.ends = {
            (self.topic_id, part.partition): end for part, end in ends.items() if part.topic == posts
        }
        for log, offset in committed.items():
            self._check(log, offset)
        self.looks += 1
        self.read_at = time.monotonic()

    def _read_up_to(self, consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        deadline = time.monotonic() + PATIENCE
        while any(self._positions.get(part, 0) < end for part, end in ends.items()):
            for part, records in consumer.poll(timeout_ms=500, max_records=5000).items():
                for record in records:
                    if record.offset >= self._positions.get(part, 0):
                        self._take(record)
                        self._positions[part] = record.offset + 1
            for part in ends:  # past the markers of transactions
                self._positions[part] = max(
                    self._positions.get(part, 0), consumer.position(part, TIMEOUT_MS) or 0
                )
            if time.monotonic() > deadline:
                raise Away

    def _read_committed(self) -> dict[Log, int]:
        assert self._admin is not None
        found = self._admin.list_group_offsets(self._kafka.group)[self._kafka.group]
        return {
            (each.metadata, part.partition): each.offset
            for part, each in found.items()
            if part.topic == self._kafka.posts_topic and each.offset >= 0
        }

    def _check(self, log: Log, offset: int) -> None:
        """What is committed must not be past a post that is neither tagged nor dead."""
        if offset > self.ends.get(log, offset) and log not in self._passed:
            self._passed.add(log)
            self.passed.append(f"partition {log[1]} was committed to {offset}, past what may be read")
        checked = self._checked.get(log, 0)
        while checked < offset and self.facts.done(log, checked):
            checked += 1
        self._checked[log] = checked
        if checked < offset and log not in self._passed:
            self._passed.add(log)
            self.passed.append(f"partition {log[1]} was committed to {offset}, but {checked} is not done")

    def _take(self, record: Any) -> None:
        kafka = self._kafka
        if record.topic == kafka.posts_topic:
            self.facts.add_post((self.topic_id, record.partition), record.offset, record.value)
        elif record.topic == kafka.tagged_topic:
            self._on_receipt(self.facts.add_receipt(record.value, record.timestamp), record.timestamp)
        elif record.topic == kafka.dead_topic:
            self.facts.add_dead(record.value, dict(record.headers))
        else:
            self.facts.add_event(record.value)

    def _ready(self) -> tuple[KafkaConsumer, KafkaConsumer]:
        """Who reads what is committed, and who knows where the logs end."""
        if self._consumer is None or self._whole is None:
            servers = self._kafka.bootstrap_servers
            self._admin = KafkaAdminClient(
                bootstrap_servers=servers, bootstrap_timeout_ms=2000, request_timeout_ms=TIMEOUT_MS
            )
            options = {
                "bootstrap_servers": servers,
                "bootstrap_timeout_ms": 2000,
                "request_timeout_ms": TIMEOUT_MS,
                "enable_auto_commit": False,
                "auto_offset_reset": "none",
                "allow_auto_create_topics": False,
                "fetch_max_wait_ms": 100,
                "metrics_enabled": False,
            }
            self._whole = KafkaConsumer(isolation_level="read_uncommitted", **options)
            consumer = KafkaConsumer(isolation_level="read_committed", **options)
            self._consumer = consumer
            self._assign(consumer)
        return self._consumer, self._whole

    def _assign(self, consumer: KafkaConsumer) -> None:
        parts = []
        for topic in topic_names(self._kafka):
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                raise Away
            parts += [TopicPartition(topic, number) for number in numbers]
        consumer.assign(parts)
        for part in parts:
            consumer.seek(part, self._positions.get(part, 0))
