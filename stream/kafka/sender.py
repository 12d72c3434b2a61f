"""Sends records from a command: acks=all, idempotent, bounded in memory, and every failure is reported.

`ingest` and `dead replay` use it. Workers send through stream/kafka/publisher.py instead. kafka-python's own queue has
no bound: a file that is read faster than the broker accepts it would fill memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from models.core.errors import one_line
from stream.config.kafka import Kafka
from stream.connections.kafka_clients import check_broker, kafka_python_options
from stream.kafka.reader import kafka_faults
from stream.kafka.topics import CONNECT_TIMEOUT
from stream.messages.base import MAX_DEAD_BYTES

MAX_BYTES_UNDER_WAY = 32 * 2**20
"""Unconfirmed bytes at which `send` waits."""
MAX_RECORDS_UNDER_WAY = 20_000
"""Unconfirmed records, the same."""
DELIVERY_TIMEOUT = 60.0
"""Seconds for which the client retries a record."""


class Sender:
    """Sends records, counts the confirmed ones (`sent`), and collects the others (`failures`)."""

    def __init__(self, producer: KafkaProducer) -> None:
        self._producer = producer
        self._changed = threading.Condition()
        self._bytes = self._records = 0
        self.sent = 0
        """Records that the broker has confirmed."""
        self.failures: list[tuple[str, str]] = []
        """(name, reason) of each record that could not be delivered."""

    def send(self, name: str, topic: str, value: bytes | None, key: bytes | None) -> None:
        """Send one record; a failure is reported with `name`. Waits while too much is unconfirmed."""
        size = len(value or b"") + len(key or b"")
        with self._changed:
            # bounded: within the client's delivery timeout, each record is confirmed or has failed
            self._changed.wait_for(
                lambda: (
                    self._records < MAX_RECORDS_UNDER_WAY
                    and (self._bytes + size <= MAX_BYTES_UNDER_WAY or not self._records)
                )
            )
            self._records += 1
            self._bytes += size
        try:
            future = self._producer.send(topic, value=value, key=key)
        except KafkaError as error:  # refused before it was queued: too large, or no such topic in time
            self._done(size, name, error)
            return
        future.add_callback(lambda _: self._done(size, name, None))
        future.add_errback(lambda error: self._done(size, name, error))

    def finish(self) -> None:
        """Wait until every record is confirmed or has failed."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._records, timeout=2 * DELIVERY_TIMEOUT):
                self.failures.append((f"{self._records} records", "not confirmed in time"))

    def _done(self, size: int, name: str, error: BaseException | None) -> None:
        with self._changed:
            self._records -= 1
            self._bytes -= size
            if error is None:
                self.sent += 1
            else:
                self.failures.append((name, _reason(error)))
            self._changed.notify_all()


def _reason(error: BaseException) -> str:
    if isinstance(error, MessageSizeTooLargeError):
        return "larger than its topic accepts (max.message.bytes)"
    if isinstance(error, UnknownTopicOrPartitionError):
        return "its topic does not exist"
    return one_line(error)


@contextmanager
def open_sender(kafka: Kafka) -> Iterator[Sender]:
    """A sender, closed at the end. Raises PassingFault if no broker answers, AccessDenied if it refuses access."""
    check_broker(kafka)
    with kafka_faults(kafka):
        producer = KafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers.split(","),
            bootstrap_timeout_ms=int(CONNECT_TIMEOUT * 1000),
            reconnect_backoff_max_ms=1000,  # with the default, it may notice a returned broker half a minute late
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            batch_size=128 * 1024,
            max_request_size=MAX_DEAD_BYTES,
            delivery_timeout_ms=int(DELIVERY_TIMEOUT * 1000),
            max_block_ms=int(CONNECT_TIMEOUT * 1000),
            allow_auto_create_topics=False,
            metrics_enabled=False,
            **kafka_python_options(kafka),
        )
    try:
        yield Sender(producer)
    finally:
        producer.close(timeout=5)
