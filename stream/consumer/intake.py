"""From Faust's stream into the pipeline: each post once, and in offset order.

The agent only sorts. Each partition has an inbox (stream/consumer/inbox.py) and a task that reads from it, so a full or
new partition does not block the others. A record is taken in only for the assignment that it was fetched for, once the
start offset of that is known. Other records are dropped without being committed, so the owner of the partition reads
them again. stream/pipeline/partition.py judges what to do with an offset; this file does it. Offsets without posts
(transaction markers, aborted posts) are passed, so that they are counted and committed too. Otherwise the partition
would have lag forever."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition

from models.core.errors import TrimodError
from stream.consumer.inbox import Inbox
from stream.consumer.offsets import Offsets
from stream.consumer.topic_identity import PostsTopic
from stream.counters.store import CountUpdate
from stream.pipeline.item import ProcessedPost, Work
from stream.pipeline.partition import Partition, Start, Verdict
from stream.pipeline.records import now
from stream.pipeline.stages import Pipeline
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks

PASS_EVERY = 0.5
"""Seconds between two checks for offsets without posts."""

log = logging.getLogger("trimod.worker")


class Intake:
    """Takes in posts of `partitions`, which are assigned to this worker now, until `stop` is set."""

    def __init__(
        self,
        *,
        partitions: Mapping[TopicPartition, Partition[ProcessedPost]],
        offsets: Offsets,
        pipeline: Pipeline,
        topic: PostsTopic,
        backoff: Backoff,
        background: BackgroundTasks,
        stop: asyncio.Event,
    ) -> None:
        self._partitions, self._offsets, self._pipeline = partitions, offsets, pipeline
        self._topic, self._backoff, self._background = topic, backoff, background
        self._stop = stop
        self._inboxes: dict[Partition[ProcessedPost], Inbox] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, partition: Partition[ProcessedPost]) -> None:
        """Take in the posts of `partition`."""
        pause = functools.partial(self._offsets.pause, partition.id)
        resume = functools.partial(self._offsets.resume, partition.id)
        inbox = self._inboxes[partition] = Inbox(pause, resume)
        task = self._background.run(self._take_all(partition, inbox))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self, partition: Partition[ProcessedPost]) -> None:
        """Drop the waiting posts of `partition`: its next owner reads them again. A post that is being taken in is not
        interrupted: if it is processed alone, it must stay alone."""
        self._inboxes.pop(partition).close()

    def close_all(self) -> None:
        """The worker exits: close every partition at once."""
        for partition in list(self._inboxes):
            self.close(partition)
        for task in self._tasks:
            task.cancel()

    def waiting(self) -> int:
        """Posts of all partitions that are delivered but not taken in yet."""
        return sum(map(len, self._inboxes.values()))

    async def consume(self, stream: Any) -> None:
        """The agent. It must catch all errors: nobody would notice a dead agent, because the process still sends
        heartbeats."""
        try:
            async for event in stream.events():
                self._sort(event.message)
        except Exception as error:
            if not isinstance(error, TrimodError):
                log.exception("the Faust agent failed")
            self._background.fail(error)

    async def pass_gaps(self) -> None:
        """Pass offsets without posts; never ends."""
        while True:
            await asyncio.sleep(PASS_EVERY)
            for partition, inbox in list(self._inboxes.items()):
                if not len(inbox):
                    await self._pass_gap(partition)

    def _sort(self, message: Any) -> None:
        partition = self._partitions.get(TopicPartition(message.topic, message.partition))
        if partition is not None and message.generation_id == partition.generation:
            self._inboxes[partition].put(message)  # others are not committed: the next owner reads them again

    async def _take_all(self, partition: Partition[ProcessedPost], inbox: Inbox) -> None:
        start = await asyncio.shield(partition.start)
        # `closed`: asyncio.wait_for of Python 3.11, which redis-py uses, may swallow a `cancel`
        while start is not None and not partition.closed:
            message = await inbox.get()
            if message is not None and not self._stop.is_set():
                await self._take(partition, start, message)

    async def _take(self, partition: Partition[ProcessedPost], start: Start, message: Any) -> None:
        verdict = partition.judge(start, message.offset)
        if verdict is Verdict.DROP and message.offset < partition.entered:
            self._topic.ask()  # the offsets of a recreated topic start again
        if verdict is Verdict.SEEK:
            verdict = await self._judge_jump(partition, start, message.offset)
        if verdict is Verdict.TAKE:
            await self._pipeline.take_in(partition, _work(partition, start, message))

    async def _pass_gap(self, partition: Partition[ProcessedPost]) -> None:
        start, fetched = partition.begun, self._offsets.fetched(partition.id, partition.generation)
        if start is None or fetched is None or len(partition.work) or partition.closed or self._stop.is_set():
            return
        expected = partition.expected(start)
        if fetched.position <= expected or fetched.last_post >= expected:
            return
        if fetched.first > expected:
            # A fetch was not noted: aiokafka started elsewhere (a commit for a deleted topic), or fetched while a
            # rebalance set the positions. Read the rest again; duplicate posts are dropped.
            with contextlib.suppress(TimeoutError):  # the next check retries
                await self._offsets.seek(partition.id, expected)
            return
        log.debug("%s: offsets %d to %d contain no posts", partition.name, expected, fetched.position - 1)
        work = Work(partition, start.topic_id, fetched.position - 1, None, None, now())
        counted = CountUpdate(work.offset, "", "", work.timestamp, now(), ())
        partition.skip(fetched.position, ProcessedPost(work, (), counted))

    async def _judge_jump(self, partition: Partition[ProcessedPost], start: Start, offset: int) -> Verdict:
        """The verdict on a post after missing ones, once we know whether the log still has these; reads them again if
        so."""
        name = partition.name
        await self._backoff.persist(f"reading {name}", functools.partial(self._look_at_bounds, partition))
        verdict = partition.judge(start, offset)
        if verdict is Verdict.SEEK:
            log.warning("%s: expected offset %d, got %d: reading again", name, start.first, offset)
            await self._offsets.seek(partition.id, partition.seek_before(start, offset))
        elif start.committed is not None:
            log.warning(
                "%s: offsets %d to %d were deleted before they were read", name, start.first, offset - 1
            )
        return verdict

    async def _look_at_bounds(self, partition: Partition[ProcessedPost]) -> None:
        bounds = await self._offsets.bounds([partition.id])
        partition.begin, partition.end = bounds[partition.id]


def _work(partition: Partition[ProcessedPost], start: Start, message: Any) -> Work:
    """`message` is Faust's: its time is in seconds, and zero or less if it has none."""
    timestamp = round(message.timestamp * 1000) if message.timestamp and message.timestamp > 0 else now()
    return Work(partition, start.topic_id, message.offset, message.key, message.value, timestamp)
