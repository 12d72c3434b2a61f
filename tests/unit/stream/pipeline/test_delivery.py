"""A partition that is given up while its posts are counted: in Python 3.11 its task may not hear of it at once."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition

from stream.config.kafka import Kafka
from stream.counters.store import CountUpdate
from stream.kafka.publisher import OutgoingRecord
from stream.pipeline.delivery import Delivery
from stream.pipeline.item import ProcessedPost, Work
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import Model
from stream.pipeline.partition import Partition
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks, cancel_all


class DeafSink:
    """Kafka and Redis, which swallow a cancellation while they count, as asyncio.wait_for of Python 3.11 does."""

    def __init__(self) -> None:
        self.counting, self.go_on = asyncio.Event(), asyncio.Event()

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        pass

    async def apply(self, topic_id: str, partition: int, posts: Sequence[CountUpdate]) -> int:
        self.counting.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self.go_on.wait()
        return -1


def test_a_partition_that_is_closed_while_it_is_counted_breaks_nothing() -> None:
    async def run() -> BaseException | None:
        background, sink = BackgroundTasks(), DeafSink()
        anything: Any = sink
        metrics = Metrics(Model("fake", "1"))
        delivery = Delivery(
            kafka=Kafka(),
            publisher=anything,
            counters=anything,
            integrity=anything,
            metrics=metrics,
            backoff=Backoff(),
            background=background,
        )
        partition = Partition[ProcessedPost](TopicPartition("posts", 0), 1, 10, 1000)
        delivery.open(partition)
        (task,) = delivery._tasks.values()
        partition.enter(0, 1)
        partition.work.finish(
            0, ProcessedPost(Work(partition, "id", 0, None, b"", 1), [], CountUpdate(0, "", "", 1, 1, ()))
        )
        await sink.counting.wait()
        delivery.close(partition)
        await asyncio.wait([task], timeout=5)
        assert task.done()
        assert -1 == partition.done  # it is not ours any more: nothing is to be committed
        return background.error

    assert asyncio.run(run()) is None


def test_a_task_that_does_not_hear_is_cancelled_again() -> None:
    async def deaf() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    async def run() -> bool:
        task = asyncio.create_task(deaf())
        await asyncio.sleep(0)
        await asyncio.wait_for(cancel_all([task]), 5)
        return task.cancelled()

    assert asyncio.run(run())
