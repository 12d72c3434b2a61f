"""Posts onto the posts topic at a steady rate, whatever happens to the broker, and which of them it acknowledged."""

import threading
import time
from contextlib import suppress
from pathlib import Path

from kafka import KafkaProducer
from kafka.errors import KafkaError

from stream.settings import Kafka
from tests.chaos.posts import post

DELIVERY_TIMEOUT = 20.0
"""Seconds for which the client tries to deliver a post."""
STUCK_AFTER = 25.0
"""Seconds after which it is not believed to do so."""


class Ingest:
    """Call `look` often. A post that is not acknowledged is not sent again: it may be in the log or not."""

    def __init__(self, kafka: Kafka, rate: float, acknowledged: Path, first: int) -> None:
        """Numbers from `first` up; those acknowledged are added to the file, one a line."""
        self._kafka, self._rate = kafka, rate
        self._file = acknowledged.open("a", buffering=1, encoding="utf-8")
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._under_way: dict[int, float] = {}
        """Number -> when (monotonic) it was sent."""
        self._due = 0.0
        self.next = first
        self.paused = False

    def look(self) -> None:
        """Send what is due."""
        if self._stuck() or (self.paused and not self._under_way):
            self._discard()  # a topic that is made anew needs another producer, too
        if self.paused:
            return
        try:
            producer = self._ready()
            now = time.monotonic()
            self._due = max(self._due, now - 1.0)
            while self._due < now and not self.paused:
                self._due += 1 / self._rate
                self._send(producer)
        except (KafkaError, TimeoutError, OSError):
            time.sleep(0.5)  # the broker is away

    @property
    def idle(self) -> bool:
        """Whether nothing is sent, and nothing on its way."""
        return self.paused and not self._under_way and self._producer is None

    def close(self) -> None:
        """Once nobody calls `look` any more; what is on its way is not acknowledged."""
        self._discard()
        self._file.close()

    def _stuck(self) -> bool:
        """Whether the client still has what it should have given up, as sometimes after a broker was killed."""
        with self._lock:
            oldest = next(iter(self._under_way.values()), time.monotonic())
        return time.monotonic() > oldest + STUCK_AFTER

    def _discard(self) -> None:
        if self._producer is not None:
            with suppress(KafkaError):
                if self._under_way:  # else `close` waits for it, fails, and leaves a thread behind
                    self._producer._sender.force_close()
                self._producer.close(timeout=5)
        self._producer = None
        with self._lock:
            self._under_way.clear()

    def _send(self, producer: KafkaProducer) -> None:
        number, self.next = self.next, self.next + 1
        key, value = post(number)
        with self._lock:
            self._under_way[number] = time.monotonic()
        try:
            future = producer.send(self._kafka.posts_topic, value=value, key=key)
        except (KafkaError, TimeoutError):
            self._ended(number, False)
            raise
        future.add_callback(lambda _: self._ended(number, True))
        future.add_errback(lambda _: self._ended(number, False))

    def _ended(self, number: int, acknowledged: bool) -> None:
        with self._lock:
            self._under_way.pop(number, None)
            if acknowledged and not self._file.closed:
                self._file.write(f"{number}\n")

    def _ready(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._kafka.bootstrap_servers,
                bootstrap_timeout_ms=3000,
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                delivery_timeout_ms=int(DELIVERY_TIMEOUT * 1000),
                request_timeout_ms=10_000,
                max_block_ms=3000,
                metadata_max_age_ms=5000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        return self._producer
