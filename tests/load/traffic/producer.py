"""Posts onto the posts topic at a steady rate, or all at once; what the broker confirmed is remembered.

A post's `created_at` is the moment at which it was due, also where it was sent late: so a stream that falls behind
cannot flatter its latency. The producer tries for minutes: a broker that is away loses nothing here.
"""

import threading
import time
from typing import Any

from kafka import KafkaProducer

from stream.config.kafka import Kafka
from tests.load.traffic.posts import Posts

DELIVERY_TIMEOUT = 600.0
"""Seconds for which a record is tried: longer than any outage here."""
RECONNECT_MS = 1000
"""Between two tries to reach a broker that is away; kafka-python would wait up to 30 s, and we measure others."""


class Load:
    """To be closed. From one thread at a time."""

    def __init__(self, kafka: Kafka, posts: Posts) -> None:
        self._topic, self._posts = kafka.posts_topic, posts
        self._producer = KafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            delivery_timeout_ms=int(DELIVERY_TIMEOUT * 1000),
            max_block_ms=int(DELIVERY_TIMEOUT * 1000),
            max_request_size=9 * 2**20,
            reconnect_backoff_max_ms=RECONNECT_MS,
            metrics_enabled=False,
        )
        self._lock = threading.Lock()
        self.sent = 0
        """Posts given to the client."""
        self.confirmed: set[tuple[int, int]] = set()
        """(partition, offset) of those that the broker has."""
        self.failures: list[str] = []

    def burst(self, count: int) -> None:
        """`count` posts at once; returns when the broker has them."""
        for _ in range(count):
            self._send(time.time())
        self._producer.flush()

    def steady(self, rate: float, until: float, stop: threading.Event) -> None:
        """`rate` posts per second until the monotonic clock says `until`, or `stop`."""
        due = time.monotonic()
        while due < until and not stop.wait(max(0.0, due - time.monotonic())):
            self._send(time.time() + due - time.monotonic())
            due += 1 / rate

    def close(self) -> None:
        """Returns when everything is confirmed or has failed."""
        self._producer.flush()
        self._producer.close()

    def _send(self, due: float) -> None:
        key, value = self._posts.next(round(due * 1000))
        self.sent += 1
        future = self._producer.send(self._topic, value, key=key.encode())
        future.add_callback(self._confirm)
        future.add_errback(lambda error: self.failures.append(repr(error)))

    def _confirm(self, metadata: Any) -> None:
        with self._lock:
            self.confirmed.add((metadata.partition, metadata.offset))
