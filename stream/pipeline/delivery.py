"""The second half of the pipeline: publishes, counts and releases finished posts of a partition in offset order.

Each partition has a separate task. A passing fault is a named wait. If a post's records are too large for their topic,
it is moved to the dead-letter topic. stream/consumer/committer.py may commit released posts."""

import asyncio
import functools
import logging
import time
from collections.abc import Sequence

from stream.config.kafka import Kafka
from stream.counters.integrity import CounterIntegrity
from stream.counters.store import Counters
from stream.errors import PassingFault
from stream.kafka.publisher import OutgoingRecord, Publisher, RecordTooLarge
from stream.pipeline.item import ProcessedPost, give_up
from stream.pipeline.metrics import Metrics
from stream.pipeline.partition import Partition
from stream.pipeline.tagging import Failed
from stream.runtime.fault_injection import fault
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks

CHUNK = 256
"""Posts of a partition that are published and counted at once."""

log = logging.getLogger("trimod.worker")


class Delivery:
    """Delivers for all partitions of one worker."""

    def __init__(
        self,
        *,
        kafka: Kafka,
        publisher: Publisher,
        counters: Counters,
        integrity: CounterIntegrity,
        metrics: Metrics,
        backoff: Backoff,
        background: BackgroundTasks,
    ) -> None:
        self._kafka, self._publisher, self._counters, self._integrity = kafka, publisher, counters, integrity
        self._metrics, self._backoff, self._background = metrics, backoff, background
        self._tasks: dict[Partition[ProcessedPost], asyncio.Task[None]] = {}
        self._delivering: dict[Partition[ProcessedPost], asyncio.Lock] = {}

    @property
    def in_work(self) -> int:
        """Posts of all partitions between intake and release."""
        return sum(len(partition.work) for partition in self._tasks)

    def open(self, partition: Partition[ProcessedPost]) -> None:
        """Start to publish and count the posts of `partition`."""
        self._delivering[partition] = asyncio.Lock()
        self._tasks[partition] = self._background.run(self._deliver_all(partition))

    def close(self, partition: Partition[ProcessedPost]) -> None:
        """Drop the posts in progress of `partition`; none of them is counted from now on."""
        partition.close()
        self._tasks.pop(partition).cancel()
        del self._delivering[partition]

    def close_all(self) -> None:
        """The same for every open partition."""
        for partition in list(self._tasks):
            self.close(partition)

    async def settle(self) -> None:
        """Start no further delivery; returns when the current ones are counted and released."""
        for lock in list(self._delivering.values()):
            await lock.acquire()

    async def _deliver_all(self, partition: Partition[ProcessedPost]) -> None:
        lock = self._delivering[partition]
        # `closed`: asyncio.wait_for of Python 3.11, which redis-py uses, may swallow a `cancel`
        while not partition.closed:
            posts = await partition.work.ready(CHUNK)
            async with lock:
                await self._deliver(partition, posts)

    async def _deliver(self, partition: Partition[ProcessedPost], posts: list[ProcessedPost]) -> None:
        began = time.monotonic()
        fault("publishing")
        posts = await self._publish(partition.name, posts)
        published = time.monotonic()
        fault("counting")
        count = functools.partial(self._count, partition, posts)
        await self._backoff.persist(f"counting {partition.name}", count)
        if partition.closed:
            return
        self._metrics.stages["publish"].observe(published - began)
        self._metrics.stages["count"].observe(time.monotonic() - published)
        self._metrics.done(post for post in posts if post.records)  # offsets without posts have none
        partition.release(posts)

    async def _publish(self, name: str, posts: list[ProcessedPost]) -> list[ProcessedPost]:
        """Send and confirm all records of `posts`. If a record is too large, a dead letter replaces its post."""
        while True:
            records = [record for post in posts for record in post.records]
            try:
                await self._backoff.persist(
                    f"publishing {name}", functools.partial(self._send, records, posts)
                )
            except RecordTooLarge as error:
                posts = self._give_up_large(posts, error)
            else:
                return posts

    async def _send(self, records: Sequence[OutgoingRecord], posts: Sequence[ProcessedPost]) -> None:
        """Publish; if its topic rejects a dead letter, this waits until the operator raises the limit."""
        try:
            await self._publisher.publish(records)
        except RecordTooLarge as error:
            post = _whose(posts, error.index)
            if post.error is None:
                raise
            raise PassingFault(
                f"{self._kafka.dead_topic} rejects the dead letter of offset {post.offset}: "
                f"raise its max.message.bytes ({error})"
            ) from error

    def _give_up_large(self, posts: Sequence[ProcessedPost], error: RecordTooLarge) -> list[ProcessedPost]:
        large = _whose(posts, error.index)
        work, failed = large.work, Failed.of(error)
        assert work.active is not None  # it was tagged: a dead letter that is too large does not get here
        log.warning("%s moved to %s: %s", work.place, self._kafka.dead_topic, failed.message)
        dead = give_up(self._kafka, work.active.model, work, failed)
        return [dead if post is large else post for post in posts]

    async def _count(self, partition: Partition[ProcessedPost], posts: Sequence[ProcessedPost]) -> None:
        topic_id, counted = posts[0].work.topic_id, [post.counted for post in posts]
        before = await self._counters.apply(topic_id, partition.id.partition, counted)
        if before < partition.done - 1:  # visible only now: later the mark is beyond the gap
            await self._integrity.doubt(
                f"{partition.name} was counted up to offset {partition.done - 1}, "
                f"but Redis knew it only up to {before}"
            )


def _whose(posts: Sequence[ProcessedPost], index: int) -> ProcessedPost:
    """The post whose record is at `index` of all their records."""
    owners = [post for post in posts for _ in post.records]
    return owners[index]
