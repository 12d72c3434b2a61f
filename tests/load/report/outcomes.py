"""What came of the posts, read live from the receipts and dead letters: latencies, duplicates, and the counts that
Redis must have in the end.

A post's latency is from its `created_at` to the receipt's own time on the topic, which the worker's producer set.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from kafka import KafkaConsumer, TopicPartition

from stream.config.kafka import Kafka
from tests.load.traffic.producer import RECONNECT_MS


@dataclass(frozen=True, slots=True)
class Tagged:
    """A receipt: when it came, epoch seconds, and how long its post took."""

    at: float
    latency: float


class Outcomes:
    """Reads in a thread of its own until `close`."""

    def __init__(self, kafka: Kafka) -> None:
        self._dead_topic = kafka.dead_topic
        self._consumer = KafkaConsumer(
            bootstrap_servers=kafka.bootstrap_servers,
            fetch_max_wait_ms=200,
            reconnect_backoff_max_ms=RECONNECT_MS,
            metrics_enabled=False,
        )
        topics = (kafka.tagged_topic, kafka.dead_topic)
        places = [
            TopicPartition(topic, number)
            for topic in topics
            for number in self._consumer.partitions_for_topic(topic) or ()
        ]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning()
        self._ids: set[tuple[str, str]] = set()
        self._totals: dict[str, Counter[str]] = defaultdict(Counter)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="outcomes", daemon=True)
        self.done: set[tuple[int, int]] = set()
        """(partition, offset) of every post that has a receipt or is dead."""
        self.tagged: list[Tagged] = []
        """Of first receipts."""
        self.versions: Counter[str] = Counter()
        self.receipts = self.dead = self.duplicates = 0
        self._thread.start()

    @property
    def totals(self) -> Mapping[str, Mapping[str, int]]:
        """Type -> canonical -> mentions of the first receipt of each post: what Redis must say."""
        return {type_: dict(counts) for type_, counts in self._totals.items()}

    def check(self) -> None:
        """Raise what has ended the reading, if anything has."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for place, records in self._consumer.poll(500).items():
                    take = self._bury if place.topic == self._dead_topic else self._take
                    for record in records:
                        take(record)
        except BaseException as error:
            self._error = error

    def _bury(self, record: Any) -> None:
        headers = dict(record.headers)
        place = int(headers["partition"]), int(headers["offset"])
        self.dead += place not in self.done
        self.done.add(place)

    def _take(self, record: Any) -> None:
        receipt = orjson.loads(record.value)
        place = receipt["origin"]["partition"], receipt["origin"]["offset"]
        self.receipts += 1
        self.versions[receipt["model_version"]] += 1
        if place in self.done:
            self.duplicates += 1
            return
        at = record.timestamp / 1000
        self.tagged.append(Tagged(at, at - receipt["created_at"] / 1000))
        identity = receipt["source"], receipt["post_id"]
        if identity not in self._ids:
            self._ids.add(identity)
            for mention in receipt["mentions"]:
                self._totals[mention["type"]][mention["canonical"]] += 1
        self.done.add(place)
