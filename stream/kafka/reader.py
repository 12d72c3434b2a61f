"""Reads a topic from a command: all partitions, no consumer group, bounded waits, one-line errors.

`tail`, `dead`, `counters rebuild` and `lag` use it. Workers read through Faust instead.

`merge` returns the records of several partitions ordered by time, in bounded memory. Within a partition, the order of
offsets is kept. This file does not depend on what the records contain.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import AuthorizationError, CorruptRecordError, KafkaError, UnsupportedCodecError

from models.core.errors import TrimodError
from stream.config.kafka import Kafka
from stream.connections.kafka_clients import check_broker, kafka_python_options
from stream.errors import PassingFault
from stream.kafka.topics import CONNECT_TIMEOUT, REQUEST_TIMEOUT
from stream.messages.base import MAX_DEAD_BYTES

STALL_TIMEOUT = 30.0
"""Seconds without an expected record after which the broker counts as unavailable."""


def _partition(record: Any) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


class TopicReader:
    """All partitions of one topic, read from where the last `seek` put them (at first: the beginning)."""

    def __init__(self, consumer: KafkaConsumer, kafka: Kafka, topic: str) -> None:
        self.consumer = consumer
        self.kafka = kafka
        self.topic = topic
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise TrimodError(
                f"no topic {topic} at {kafka.bootstrap_servers}: create it with `trimod topics --create`"
            )
        self.partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(self.partitions)
        self.seek(self.beginnings())

    def beginnings(self) -> dict[TopicPartition, int]:
        """First offset that is still kept, per partition."""
        found: dict[TopicPartition, int] = self.consumer.beginning_offsets(
            self.partitions, timeout_ms=int(REQUEST_TIMEOUT * 1000)
        )
        return found

    def ends(self) -> dict[TopicPartition, int]:
        """End offset per partition; if transactions are open, the first of their offsets
        (kafka.isolation_level)."""
        found: dict[TopicPartition, int] = self.consumer.end_offsets(
            self.partitions, timeout_ms=int(REQUEST_TIMEOUT * 1000)
        )
        return found

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Continue reading from these offsets."""
        for partition, offset in offsets.items():
            self.consumer.seek(partition, offset)

    def poll(self, seconds: float) -> list[Any]:
        """The next records (kafka.ConsumerRecord), at least one unless `seconds` pass without any."""
        found = self.consumer.poll(timeout_ms=int(seconds * 1000), max_records=2000)
        return [record for records in found.values() for record in records]

    def remaining(self, ends: Mapping[TopicPartition, int]) -> int:
        """Offsets from here to `ends`."""
        return sum(max(0, ends[part] - self.position(part)) for part in self.partitions)

    def position(self, partition: TopicPartition) -> int:
        """Offset of the next record to be read."""
        found = self.consumer.position(partition, timeout_ms=int(REQUEST_TIMEOUT * 1000))
        if found is None:
            raise PassingFault(
                f"Kafka at {self.kafka.bootstrap_servers} did not return the start offset of {self.topic}"
            )
        return int(found)

    def read_only(self, partitions: Collection[TopicPartition]) -> None:
        """Pause the other partitions until called again."""
        self.consumer.resume(*partitions)
        self.consumer.pause(*(part for part in self.partitions if part not in partitions))

    def next_records(self, ends: Mapping[TopicPartition, int]) -> list[Any]:
        """Records below `ends`, which must exist; later ones stay unread.

        Empty if only gaps were passed (compaction and transactions leave some). Raises PassingFault if no record
        arrives for too long.
        """
        before = self.remaining(ends)
        deadline = time.monotonic() + STALL_TIMEOUT
        while True:
            records = self.poll(0.5)
            wanted = [record for record in records if record.offset < ends[_partition(record)]]
            if len(wanted) < len(records):
                self.seek({part: ends[part] for part in self.partitions if self.position(part) > ends[part]})
            if wanted or self.remaining(ends) < before:
                return wanted
            if time.monotonic() > deadline:
                raise PassingFault(
                    f"Kafka at {self.kafka.bootstrap_servers} sends no more records of {self.topic}"
                )

    def until(self, ends: Mapping[TopicPartition, int]) -> Iterator[list[Any]]:
        """Batches of records from here up to `ends`."""
        while self.remaining(ends):
            if records := self.next_records(ends):
                yield records


@contextmanager
def kafka_faults(kafka: Kafka) -> Iterator[None]:
    """Turn kafka-python's errors into ours, with the address. A broker that does not answer is a PassingFault; an
    unusable answer is not."""
    servers = kafka.bootstrap_servers
    try:
        yield
    except UnsupportedCodecError as error:
        raise TrimodError(
            f"Kafka at {servers} has records with an unknown compression codec: {error}"
        ) from error
    except (CorruptRecordError, AuthorizationError) as error:
        raise TrimodError(f"Kafka at {servers} answers, but its records cannot be read: {error}") from error
    except KafkaError as error:
        raise PassingFault(f"no answer from Kafka at {servers} (kafka.bootstrap_servers): {error}") from error


@contextmanager
def open_topic(kafka: Kafka, topic: str) -> Iterator[TopicReader]:
    """A reader of `topic`, closed at the end. Raises PassingFault if no broker answers, AccessDenied if it refuses
    access."""
    check_broker(kafka)
    with kafka_faults(kafka):
        consumer = KafkaConsumer(
            bootstrap_servers=kafka.bootstrap_servers.split(","),
            bootstrap_timeout_ms=int(CONNECT_TIMEOUT * 1000),
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # also if retention deletes records before we read them
            allow_auto_create_topics=False,
            isolation_level=kafka.isolation_level,
            fetch_max_wait_ms=200,
            max_partition_fetch_bytes=MAX_DEAD_BYTES + 2**20,
            metrics_enabled=False,
            **kafka_python_options(kafka),
        )
        try:
            yield TopicReader(consumer, kafka, topic)
        finally:
            consumer.close(autocommit=False, timeout_ms=2000)


BUFFERED = 50_000
"""Maximum number of records waiting for slower partitions before the faster ones are paused."""

_T = TypeVar("_T")


def merge(
    reader: TopicReader,
    ends: Mapping[TopicPartition, int],
    decode: Callable[[bytes | None], _T | None],
    time: Callable[[_T], int],
) -> Iterator[_T]:
    """Every record from the position of `reader` up to `ends`, decoded; always the earliest of the partitions' next.

    Records that decode to None are left out. Records beyond `ends` stay unread: a later call continues there.
    """
    waiting: dict[TopicPartition, deque[_T]] = {part: deque() for part in reader.partitions}
    open_ = {part for part in reader.partitions if reader.position(part) < ends[part]}
    while True:
        while all(waiting[part] for part in open_) and any(waiting.values()):
            yield min(
                (queue for queue in waiting.values() if queue), key=lambda queue: time(queue[0])
            ).popleft()
        if not open_:
            return
        full = sum(map(len, waiting.values())) > BUFFERED
        reader.read_only({part for part in open_ if not (full and waiting[part])})
        for record in reader.next_records(ends):
            if (item := decode(record.value)) is not None:
                waiting[TopicPartition(record.topic, record.partition)].append(item)
        open_ = {part for part in open_ if reader.position(part) < ends[part]}


def follow(
    kafka: Kafka, from_beginning: bool, unread: Callable[[], bool] = lambda: False
) -> Generator[bytes, None, None]:
    """The bytes of each event as it arrives, from now on or from the first that is kept.

    Ends soon after `unread` reports that the output has no reader.
    """
    with open_topic(kafka, kafka.entities_topic) as reader:
        if not from_beginning:
            reader.seek(reader.ends())
        while not unread():
            for record in reader.poll(0.5):
                yield record.value or b""
