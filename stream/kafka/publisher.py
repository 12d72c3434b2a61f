"""Publishes records with confirmation (idempotent, acks=all): sends all, then waits for all.

Any error is a PassingFault (send everything again), except a record that is too large for its topic. After a fault the
producer is discarded: aiokafka's idempotent producer does not recover once one of its batches has expired. It is
stopped before the next producer sends, so none of its records arrives late."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from models.core.errors import one_line
from stream.config.kafka import Kafka
from stream.connections.kafka_clients import aiokafka_options, check_broker
from stream.errors import PassingFault
from stream.messages.base import MAX_DEAD_BYTES

REQUEST_TIMEOUT = 30.0
"""Seconds after which an unconfirmed record is a fault."""
STOP_TIMEOUT = 3.0
"""Seconds for a producer to stop."""
RELEASE_TIMEOUT = 1.0
"""Seconds after a producer stopped in which its senders must learn what became of their records."""
BATCH_BYTES = 256 * 2**10
"""Bytes of one batch: aiokafka sends one batch per partition at a time, so its default of 16 KiB is too
slow. It is well under a topic's `max.message.bytes`, so only a single record can be too large."""

log = logging.getLogger("trimod.worker")


class RecordTooLarge(Exception):
    """The record at `index` is larger than its topic accepts."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


async def _stop(producer: AIOKafkaProducer) -> None:
    """Returns when each of its records is confirmed or has failed, after at most REQUEST_TIMEOUT."""
    with contextlib.suppress(KafkaError, OSError):
        await producer.stop()


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """One record to send. `headers` as aiokafka takes them."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Publisher:
    """One producer for all partitions, started at its first use."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None
        self._sending: set[asyncio.Timeout] = set()
        """Time limits of the current senders, which would otherwise wait forever if the producer is stopped."""
        self._lock = asyncio.Lock()

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """Return when the broker has confirmed every record.

        Raises RecordTooLarge, AccessDenied if the broker refuses access, or PassingFault. After a PassingFault, some
        records may have been written, and all should be sent again."""
        producer = await self._ready()
        limit = asyncio.timeout(None)
        try:
            async with limit, self._released_with(limit):
                await self._send(producer, records)
        except RecordTooLarge:
            await self._discard(producer)  # a refused record leaves a gap in the sequence numbers
            raise
        except (KafkaError, OSError) as error:  # the TimeoutError of `limit`, too
            await self._discard(producer)
            cause = "their producer was stopped after another error" if limit.expired() else one_line(error)
            raise PassingFault(f"the broker did not confirm records: {cause}") from error

    async def close(self) -> None:
        """Stop the producer; unconfirmed records are not counted, and their posts are redelivered."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._discard(self._producer), STOP_TIMEOUT)

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[OutgoingRecord]) -> None:
        sent: list[asyncio.Future[object]] = []
        refused: RecordTooLarge | None = None
        for index, record in enumerate(records):
            try:
                confirmation = await producer.send(
                    record.topic, record.value, key=record.key, headers=list(record.headers)
                )
            except MessageSizeTooLargeError as error:  # over the producer's own limit
                refused = RecordTooLarge(index, one_line(error))
                break
            sent.append(confirmation)
        results = await asyncio.gather(*sent, return_exceptions=True)
        errors = [
            (index, result) for index, result in enumerate(results) if isinstance(result, BaseException)
        ]
        for index, failure in errors:
            if isinstance(failure, MessageSizeTooLargeError):
                raise RecordTooLarge(index, one_line(failure))
        if errors:
            raise errors[0][1]
        if refused:
            raise refused

    async def _ready(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._kafka.bootstrap_servers,
                    client_id=f"{self._kafka.group}-worker",
                    acks="all",
                    enable_idempotence=True,
                    max_request_size=MAX_DEAD_BYTES,
                    max_batch_size=BATCH_BYTES,
                    request_timeout_ms=int(REQUEST_TIMEOUT * 1000),
                    **aiokafka_options(self._kafka),
                )
                try:
                    await producer.start()
                except (KafkaError, OSError) as error:
                    await _stop(producer)
                    await asyncio.to_thread(check_broker, self._kafka)  # waiting does not fix a refusal
                    raise PassingFault(f"the broker does not accept records: {one_line(error)}") from error
                self._producer = producer
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer | None) -> None:
        async with self._lock:
            if producer is not None and self._producer is producer:
                await _stop(producer)
                self._producer = None
                self._release_all()

    @contextlib.asynccontextmanager
    async def _released_with(self, limit: asyncio.Timeout) -> AsyncIterator[None]:
        self._sending.add(limit)
        try:
            yield
        finally:
            self._sending.discard(limit)

    def _release_all(self) -> None:
        """Senders of the stopped producer get a moment to see what became of their records, then stop waiting: a `send`
        that asks for a topic's metadata when aiokafka 0.14 closes its client never gets an answer."""
        for limit in self._sending:
            limit.reschedule(asyncio.get_running_loop().time() + RELEASE_TIMEOUT)
        self._sending = set()
