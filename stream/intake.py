"""From Faust's stream into the pipeline: each post once, in offset order, and none before its turn.

A record is taken in only for the assignment that it was fetched for, and only once it is known where that begins;
whatever else Faust delivers is dropped without being committed, so that whoever has the partition reads it again.
What is to be done with an offset, stream/partition.py judges; here it is done."""

import asyncio
import functools
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition

from models.errors import TrimodError
from stream.backoff import Backoff
from stream.consumer import Offsets
from stream.guard import Guard
from stream.partition import Partition, Start, Verdict
from stream.pipeline import Pipeline
from stream.posts_topic import PostsTopic
from stream.records import now
from stream.work import Done, Work

log = logging.getLogger("trimod.worker")


class Intake:
    """Takes in posts of `partitions`, those that are assigned to this worker now, until `stop` is set."""

    def __init__(
        self,
        partitions: Mapping[TopicPartition, Partition[Done]],
        offsets: Offsets,
        pipeline: Pipeline,
        topic: PostsTopic,
        backoff: Backoff,
        guard: Guard,
        stop: asyncio.Event,
    ) -> None:
        self._partitions, self._offsets, self._pipeline = partitions, offsets, pipeline
        self._topic, self._backoff, self._guard = topic, backoff, guard
        self._stop = stop

    async def consume(self, stream: Any) -> None:
        """The agent. Nothing may escape it: a dead agent would go unnoticed while the process heartbeats
        on."""
        try:
            async for event in stream.events():
                await self._take(event.message)
        except Exception as error:
            if not isinstance(error, TrimodError):
                log.exception("the agent failed")
            self._guard.fail(error)

    async def _take(self, message: Any) -> None:
        partition = self._partitions.get(TopicPartition(message.topic, message.partition))
        if self._stop.is_set() or partition is None or message.generation_id != partition.generation:
            return  # never committed: whoever gets the partition reads it again
        start = await asyncio.shield(partition.start)
        if start is None or partition.closed:
            return
        verdict = partition.judge(start, message.offset)
        if verdict is Verdict.DROP and message.offset < partition.entered:
            self._topic.ask()  # a topic that was made anew begins its offsets again
        if verdict is Verdict.SEEK:
            verdict = await self._judge_jump(partition, start, message.offset)
        if verdict is Verdict.TAKE:
            await self._pipeline.take_in(partition, _work(partition, start, message))

    async def _judge_jump(self, partition: Partition[Done], start: Start, offset: int) -> Verdict:
        """The verdict on a post before which some are missing, now that we ask whether they are still there;
        reads them again if so."""
        name = partition.name
        await self._backoff.persist(f"reading {name}", functools.partial(self._look_at_bounds, partition))
        verdict = partition.judge(start, offset)
        if verdict is Verdict.SEEK:
            log.warning(
                "%s starts at offset %d where %d was expected: reading again", name, offset, start.first
            )
            await self._offsets.seek(partition.id, partition.seek_before(start, offset))
        elif start.committed is not None:
            log.warning(
                "%s: offsets %d to %d were deleted before they were read", name, start.first, offset - 1
            )
        return verdict

    async def _look_at_bounds(self, partition: Partition[Done]) -> None:
        bounds = await self._offsets.bounds([partition.id])
        partition.begin, partition.end = bounds[partition.id]


def _work(partition: Partition[Done], start: Start, message: Any) -> Work:
    """`message` is Faust's: its time is in seconds, and zero or less where it has none."""
    timestamp = round(message.timestamp * 1000) if message.timestamp and message.timestamp > 0 else now()
    return Work(partition, start.topic_id, message.offset, message.key, message.value, timestamp)
