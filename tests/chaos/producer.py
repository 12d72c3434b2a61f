"""Posts onto the posts topic at a steady rate, whatever happens to the broker, and which of them it acknowledged.

In every compression, one producer after the other; a quarter of them in transactions (tests/chaos/transactions.py). The
client's event loop runs only within `look`, so that nothing here is another thread's business.
"""

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.config.kafka import Kafka
from tests.chaos.posts import post
from tests.chaos.transactions import EVERY, GROUP, Transactions

DELIVERY_TIMEOUT = 20.0
"""Seconds for which the client tries to deliver a post."""


# While the broker is away it says so hundreds of times a second.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


CODECS = (None, "gzip", "snappy", "lz4", "zstd")
POSTS_PER_PRODUCER = 200
"""After which the next one, of the next codec, goes on."""
SLICE = 0.05
"""Seconds that the client gets at each look, and that passes between two posts at most."""


class Ingest:
    """Call `look` without pause. A post that is not acknowledged is not sent again: it may be in the log or not."""

    def __init__(self, kafka: Kafka, rate: float, acknowledged: Path, first: int) -> None:
        """Numbers from `first` up; those acknowledged are added to the file, one a line."""
        self._kafka, self._rate = kafka, rate
        self._file = acknowledged.open("a", buffering=1, encoding="utf-8")
        self._loop = asyncio.new_event_loop()
        self._producer: AIOKafkaProducer | None = None
        self._under_way: set[asyncio.Future[object]] = set()
        self._failed = False
        self._due = 0.0
        self._producers = self._sent = 0
        self.transactions = Transactions(kafka, self._acknowledge)
        self.next = first
        self.paused = False
        self.idle = False
        """Whether nothing is sent, and nothing on its way."""

    def look(self) -> None:
        """Send what is due."""
        self._loop.run_until_complete(self._round())

    def close(self) -> None:
        """Once nobody calls `look` any more; what is on its way then is waited for."""
        self._loop.run_until_complete(self._discard())
        self._loop.run_until_complete(self.transactions.close())
        self._loop.close()
        self._file.close()

    async def _round(self) -> None:
        try:
            enough = self._sent >= POSTS_PER_PRODUCER
            if self._failed or enough or (self.paused and not self._under_way):
                await self._discard()  # a topic that is made anew needs another producer, too
            if (self.paused or enough) and not self.transactions.busy:
                await self.transactions.discard()
            if not self.paused:
                await self._send_due(await self._ready())
        except (KafkaError, OSError):
            self._failed = True  # the broker is away
        self.idle = self.paused and self._producer is None and self.transactions.closed
        await asyncio.sleep(SLICE)

    async def _send_due(self, producer: AIOKafkaProducer) -> None:
        now = time.monotonic()
        self._due = max(self._due, now - 1.0)
        while self._due < now and not self.paused:
            if self.next % EVERY == 0 and not self.transactions.busy:
                self.transactions.start(range(self.next, self.next + GROUP), self._codec)
                self._due, self.next = self._due + GROUP / self._rate, self.next + GROUP
                continue
            self._due += 1 / self._rate
            number, self.next, self._sent = self.next, self.next + 1, self._sent + 1
            key, value = post(number)
            confirmation = await producer.send(self._kafka.posts_topic, value, key=key)
            self._under_way.add(confirmation)
            confirmation.add_done_callback(lambda done, number=number: self._ended(number, done))

    def _ended(self, number: int, confirmation: "asyncio.Future[object]") -> None:
        self._under_way.discard(confirmation)
        if confirmation.cancelled() or confirmation.exception() is not None:
            self._failed = True  # aiokafka's idempotent producer does not recover from this
        else:
            self._acknowledge(number)

    def _acknowledge(self, number: int) -> None:
        self._file.write(f"{number}\n")

    @property
    def _codec(self) -> str | None:
        return CODECS[self._producers % len(CODECS)]

    async def _ready(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producers, self._sent = self._producers + 1, 0
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._kafka.bootstrap_servers,
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                compression_type=self._codec,
                request_timeout_ms=int(DELIVERY_TIMEOUT * 1000),
                metadata_max_age_ms=5000,
            )
            await self._producer.start()
        return self._producer

    async def _discard(self) -> None:
        """Wait until all is confirmed or has failed, at most DELIVERY_TIMEOUT, and forget the producer."""
        producer, self._producer, self._failed = self._producer, None, False
        if producer is not None:
            with suppress(KafkaError, OSError):
                await producer.stop()
