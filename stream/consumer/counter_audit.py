"""Whether Redis still knows what was counted: its high-water marks, beside what is committed and what we counted.

A Redis that was emptied or restored from an older state has marks that are behind; a log that was replaced ends before
them; a Redis whose memory was full may have evicted counts and kept the marks. Each is said by
stream/counters/integrity.py, and mended by `trimod counters rebuild` alone: nothing is counted here."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from stream.counters.integrity import Trust
from stream.counters.store import Counters
from stream.pipeline.item import Done
from stream.pipeline.partition import Partition
from stream.runtime.retry import Backoff

LOOK = 10.0
"""Seconds between two looks at whether Redis still knows what was counted."""


class Marks:
    """The marks of `partitions`, those that are assigned to this worker now."""

    def __init__(
        self,
        partitions: Mapping[TopicPartition, Partition[Done]],
        counters: Counters,
        trust: Trust,
        backoff: Backoff,
    ) -> None:
        self._partitions, self._counters = partitions, counters
        self._trust, self._backoff = trust, backoff

    async def counted(self, begun: Sequence[Partition[Done]]) -> list[int]:
        """The last offset counted of each, by whichever worker; -1 for none. Raises PassingFault."""
        marks = await self._counters.marks()
        starts = [(partition.begun, partition.id.partition) for partition in begun]
        return [marks.get(f"{start.topic_id}:{number}", -1) if start else -1 for start, number in starts]

    async def check(self, begun: Sequence[Partition[Done]], counted_of: Sequence[int]) -> None:
        """Doubt the counters where a mark does not fit the log that an assignment begins with. The log's bounds must
        have been asked for after the marks: it grows, and what comes is counted. Raises PassingFault."""
        for partition, counted in zip(begun, counted_of, strict=True):
            start = partition.begun
            if start is None:
                continue
            behind = start.committed is not None and counted + 1 < start.committed
            if behind or counted >= partition.end:
                await self._trust.doubt(
                    f"{partition.name} was counted up to offset {counted}, but is committed up to "
                    f"{start.committed} of {partition.end}"
                )

    async def watch(self) -> None:
        """Notice what Redis loses, also where nothing comes that would be counted; never ends."""
        while True:
            await asyncio.sleep(LOOK)
            await self._backoff.persist("checking the counters", self._compare)

    async def _compare(self) -> None:
        counted = {
            f"{start.topic_id}:{partition.id.partition}": (partition.name, partition.done - 1)
            for partition in self._partitions.values()
            if partition.done > 0 and (start := partition.begun)
        }
        marks = await self._counters.marks()
        for field, (name, offset) in counted.items():
            known = marks.get(field, -1)
            if known < offset:
                await self._trust.doubt(
                    f"{name} was counted up to offset {offset}, of which Redis knows only up to {known}"
                )
        gone, one = await self._counters.evicted()
        if gone:
            await self._trust.doubt(f"Redis evicted {gone} keys of ours, such as {one} (maxmemory-policy)")
        await self._trust.look()
