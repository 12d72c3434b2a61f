"""The partitions that the group assigns to this worker, from assignment to revocation.

For a new partition, the worker finds out where reading starts, whether its posts killed earlier workers, and whether
the counters match its log. Its posts wait for the first two. When a partition is revoked, finished posts are committed
and posts in progress are dropped. The next owner reads them again, and the counters' high-water mark prevents double
counting."""

import functools
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import TopicPartition

from stream.config.settings import Settings
from stream.consumer.committer import Committer
from stream.consumer.counter_audit import CounterAudit
from stream.consumer.intake import Intake
from stream.consumer.offsets import Offsets
from stream.consumer.topic_identity import PostsTopic
from stream.pipeline.delivery import Delivery
from stream.pipeline.item import ProcessedPost
from stream.pipeline.journal import Journal
from stream.pipeline.partition import Partition, Start
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks

log = logging.getLogger("trimod.worker")


class Assignment:
    """Owns `partitions`, which all other parts only read."""

    def __init__(
        self,
        *,
        settings: Settings,
        partitions: dict[TopicPartition, Partition[ProcessedPost]],
        offsets: Offsets,
        intake: Intake,
        delivery: Delivery,
        journal: Journal,
        committer: Committer,
        counter_audit: CounterAudit,
        topic: PostsTopic,
        backoff: Backoff,
        background: BackgroundTasks,
    ) -> None:
        self._settings, self._partitions, self._offsets = settings, partitions, offsets
        self._intake, self._delivery = intake, delivery
        self._journal, self._committer, self._counter_audit = journal, committer, counter_audit
        self._topic, self._backoff, self._background = topic, backoff, background
        self._closing = False

    async def on_assigned(self, app: Any, assigned: Iterable[Any], **_: Any) -> None:
        """Faust's signal: these are now ours too. Returns at once; slow work continues in the background."""
        if self._closing:
            return  # nothing would stop tasks that are started now
        for tp in assigned:
            if tp.topic != self._settings.kafka.posts_topic:
                continue
            worker = self._settings.worker
            partition = Partition[ProcessedPost](
                TopicPartition(tp.topic, tp.partition),
                app.consumer_generation_id,
                worker.max_partition_posts,
                worker.max_partition_bytes,
            )
            self._partitions[partition.id] = partition
            self._intake.open(partition)
            self._delivery.open(partition)
        if self._partitions:
            self._background.start(self._look_up(list(self._partitions.values())))
        log.info("assigned partitions: %s", _numbers(self._partitions))

    async def on_revoked(self, app: Any, revoked: Iterable[Any], **_: Any) -> None:
        """Faust's signal: these are no longer ours. The whole group waits until it returns."""
        gone = [self._partitions.pop(tp) for tp in list(self._partitions) if tp in set(map(tuple, revoked))]
        if not gone:
            return
        log.info("revoked partitions: %s", _numbers(partition.id for partition in gone))
        for partition in gone:
            self._intake.close(partition)
            self._delivery.close(partition)
        await self._committer.commit_last(gone)
        await self._release(gone)

    def begin_no_more(self) -> None:
        """The worker is stopping: new partitions are left to others."""
        self._closing = True

    async def close(self, blameless: bool) -> None:
        """Commit finished posts, and give up all partitions; `blameless` if the worker does not exit because of a post
        in progress."""
        partitions = list(self._partitions.values())
        await self._committer.commit_last(partitions)
        if blameless:
            await self._release(partitions)
        self._partitions.clear()  # a rebalance may still come, and has nothing more to say about them

    async def _release(self, partitions: Sequence[Partition[ProcessedPost]]) -> None:
        """Posts in progress of these partitions are dropped cleanly: they are not suspects."""
        await self._journal.let_go([(each.claim, each.first) for each in partitions if each.claim])

    async def _look_up(self, partitions: Sequence[Partition[ProcessedPost]]) -> None:
        """Find out what must be known about partitions before their posts are taken in."""
        persist = self._backoff.persist
        topic_id = await self._topic.uuid("starting")
        for partition in partitions:
            await persist(f"starting {partition.name}", functools.partial(self._begin, partition, topic_id))
        await persist("checking the counters", functools.partial(self._audit_counters, partitions))

    async def _begin(self, partition: Partition[ProcessedPost], topic_id: str) -> None:
        if not partition.closed:
            start = Start(topic_id, await self._offsets.committed(partition.id, topic_id))
            partition.claim = await self._journal.claim(topic_id, partition.id.partition, start.first)
            if not partition.start.done():  # otherwise it was closed meanwhile
                partition.start.set_result(start)

    async def _audit_counters(self, partitions: Sequence[Partition[ProcessedPost]]) -> None:
        opened = [partition for partition in partitions if not partition.closed]
        counted = await self._counter_audit.counted(opened)
        bounds = await self._offsets.bounds([partition.id for partition in opened])
        for partition in opened:
            partition.begin, partition.end = bounds[partition.id]
        await self._topic.uuid("checking the counters")  # otherwise these may be another topic's bounds
        await self._counter_audit.check(opened, counted)


def _numbers(partitions: Iterable[TopicPartition]) -> str:
    return " ".join(str(number) for number in sorted(id_.partition for id_ in partitions)) or "none"
