"""Whether Redis still knows all counts: compares its high-water marks with committed offsets and our own counts.

If Redis was emptied or restored from an older state, its marks are behind. If a log was replaced, it ends before them.
If Redis's memory was full, it may have evicted counts and kept the marks. After an upgrade, it may have counts of an
older version. stream/counters/integrity.py reports each case, and only `trimod counters rebuild` fixes it. This file
counts nothing."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from stream.counters.integrity import CounterIntegrity
from stream.counters.store import OLDER, Counters
from stream.pipeline.item import ProcessedPost
from stream.pipeline.partition import Partition
from stream.runtime.retry import Backoff

LOOK = 10.0
"""Seconds between two checks whether Redis still knows all counts."""


class CounterAudit:
    """The marks of `partitions`, which are assigned to this worker now."""

    def __init__(
        self,
        partitions: Mapping[TopicPartition, Partition[ProcessedPost]],
        counters: Counters,
        integrity: CounterIntegrity,
        backoff: Backoff,
    ) -> None:
        self._partitions, self._counters = partitions, counters
        self._integrity, self._backoff = integrity, backoff

    async def counted(self, begun: Sequence[Partition[ProcessedPost]]) -> list[int]:
        """The last counted offset of each, by any worker; -1 for none. Raises PassingFault."""
        marks = await self._counters.marks()
        starts = [(partition.begun, partition.id.partition) for partition in begun]
        return [marks.get(f"{start.topic_id}:{number}", -1) if start else -1 for start, number in starts]

    async def check(self, begun: Sequence[Partition[ProcessedPost]], counted_of: Sequence[int]) -> None:
        """Report lost counts if a mark does not match the log at the start of an assignment. The log's bounds must be
        read after the marks: the log grows, and new posts are counted. Raises PassingFault."""
        await self._look_for_older()
        for partition, counted in zip(begun, counted_of, strict=True):
            start = partition.begun
            if start is None:
                continue
            behind = start.committed is not None and counted + 1 < start.committed
            if behind or counted >= partition.end:
                await self._integrity.doubt(
                    f"{partition.name} was counted up to offset {counted}, but is committed up to "
                    f"{start.committed} of {partition.end}"
                )

    async def watch(self) -> None:
        """Notice what Redis loses, even if no new posts are counted; never ends."""
        while True:
            await asyncio.sleep(LOOK)
            await self._backoff.persist("checking the counters", self._compare)

    async def _look_for_older(self) -> None:
        if await self._counters.older():
            await self._integrity.doubt(OLDER)

    async def _compare(self) -> None:
        await self._look_for_older()
        counted = {
            f"{start.topic_id}:{partition.id.partition}": (partition.name, partition.done - 1)
            for partition in self._partitions.values()
            if partition.done > 0 and (start := partition.begun)
        }
        marks = await self._counters.marks()
        for field, (name, offset) in counted.items():
            known = marks.get(field, -1)
            if known < offset:
                await self._integrity.doubt(
                    f"{name} was counted up to offset {offset}, but Redis knows it only up to {known}"
                )
        gone, one = await self._counters.evicted()
        if gone:
            await self._integrity.doubt(f"Redis evicted {gone} of our keys, such as {one} (maxmemory-policy)")
        await self._integrity.refresh()
