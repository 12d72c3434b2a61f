"""Posts in transactions, some of which are aborted, whatever happens to the broker meanwhile.

One transaction at a time. Where it fails, the producer is thrown away: the next one, of the same name, ends what it
left open, and so does the broker after TRANSACTION_TIMEOUT.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.config.kafka import Kafka
from tests.chaos.posts import post

GROUP = 5
"""Posts of one transaction."""
EVERY = 20
"""One begins at every post whose number is a multiple of this."""
ABORTED = 3
"""One of so many is aborted."""
PATIENCE = 20.0
"""Seconds for one transaction."""
TRANSACTION_TIMEOUT = 10.0
"""Seconds after which the broker aborts what its producer left open."""


class Transactions:
    """Inside the event loop that runs them; `acknowledge` is told the posts of each that is committed."""

    def __init__(self, kafka: Kafka, acknowledge: Callable[[int], None]) -> None:
        self._kafka, self._acknowledge = kafka, acknowledge
        self._producer: AIOKafkaProducer | None = None
        self._task: asyncio.Task[None] | None = None
        self.committed = self.aborted = self.failed = 0

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def closed(self) -> bool:
        return not self.busy and self._producer is None

    def start(self, numbers: Sequence[int], codec: str | None) -> None:
        """Send these posts in a transaction, by a producer of this codec where there is none yet."""
        self._task = asyncio.create_task(self._run(numbers, codec))

    async def close(self) -> None:
        """Wait for what is busy, and forget the producer."""
        if self._task is not None:
            await self._task
        await self.discard()

    async def discard(self) -> None:
        """Forget the producer; not while one is busy."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), PATIENCE)

    async def _run(self, numbers: Sequence[int], codec: str | None) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._transact(numbers, codec)
        except (KafkaError, OSError, TimeoutError):
            self.failed += 1
            await self.discard()

    async def _transact(self, numbers: Sequence[int], codec: str | None) -> None:
        producer = await self._ready(codec)
        await producer.begin_transaction()
        sent = []
        for number in numbers:
            key, value = post(number)
            sent.append(await producer.send(self._kafka.posts_topic, value, key=key))
        await asyncio.gather(*sent)
        if numbers[0] // EVERY % ABORTED == 0:
            await producer.abort_transaction()
            self.aborted += 1
            return
        await producer.commit_transaction()
        self.committed += 1
        for number in numbers:
            self._acknowledge(number)

    async def _ready(self, codec: str | None) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._kafka.bootstrap_servers,
                transactional_id="chaos",
                transaction_timeout_ms=int(TRANSACTION_TIMEOUT * 1000),
                compression_type=codec,
                request_timeout_ms=int(PATIENCE * 1000),
                metadata_max_age_ms=5000,
            )
            await self._producer.start()
        return self._producer
