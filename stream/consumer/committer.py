"""The committer: for each partition, it commits the offset below which all posts are published and counted.

It commits every second, and once more when a partition is given up or the worker exits. stream/pipeline/partition.py
has the offset to commit; stream/consumer/offsets.py sends it to the broker."""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from aiokafka import TopicPartition

from stream.consumer.offsets import Offsets
from stream.errors import PassingFault
from stream.pipeline.item import ProcessedPost
from stream.pipeline.partition import Partition
from stream.runtime.fault_injection import fault
from stream.runtime.retry import Backoff

COMMIT_INTERVAL = 1.0
"""Seconds between commits."""
LAST_COMMIT_TIMEOUT = 2.0
"""Seconds that the last commit of a partition may delay a rebalance or the exit."""

log = logging.getLogger("trimod.worker")


class Committer:
    """The commits of one worker for `partitions`, which are assigned to it now."""

    def __init__(
        self,
        partitions: Mapping[TopicPartition, Partition[ProcessedPost]],
        offsets: Offsets,
        backoff: Backoff,
    ) -> None:
        self._partitions, self._offsets, self._backoff = partitions, offsets, backoff
        self._lock = asyncio.Lock()
        self.count = 0
        """Number of commits that the broker accepted."""

    async def commit_periodically(self) -> None:
        """Commit every COMMIT_INTERVAL; never ends."""
        while True:
            await asyncio.sleep(COMMIT_INTERVAL)
            await self._backoff.persist("committing", lambda: self._commit(self._partitions.values()))

    async def commit_last(self, partitions: Iterable[Partition[ProcessedPost]]) -> None:
        """Commit the finished posts of partitions that are given up; one short attempt."""
        try:
            await asyncio.wait_for(self._commit(list(partitions)), LAST_COMMIT_TIMEOUT)
        except (PassingFault, TimeoutError) as error:
            log.warning("the last commit failed, so some posts will be tagged again: %r", error)

    def lag(self) -> dict[str, float]:
        """Posts in the log that are not committed, per partition with a known start."""
        lags: dict[str, float] = {}
        for each in self._partitions.values():
            if start := each.begun:
                end = self._offsets.end(each.id)
                end = each.end if end is None else end
                lags[str(each.id.partition)] = max(0, end - max(each.begin, start.first, each.committed))
        return lags

    async def _commit(self, partitions: Iterable[Partition[ProcessedPost]]) -> None:
        async with self._lock:
            due = [partition for partition in partitions if partition.done > partition.committed]
            offsets = {each.id: (each.done, start.topic_id) for each in due if (start := each.begun)}
            if not offsets:
                return
            fault("acking")
            if await self._offsets.commit(offsets):
                self.count += 1
                for partition in due:
                    partition.committed = offsets[partition.id][0]
