"""Faust's consumer as the worker uses it: offsets are read, committed and sought here, and nowhere else.

It lives in a thread of its own with its own event loop; every call goes there and comes back. The worker
commits by itself, because what Faust 0.15.3 commits cannot be trusted with work in flight: without its
compiled parts a stream acks the events of an old generation that it skips (streams.py, `_py_aiter`), and
`Consumer._new_offset` goes past an unprocessed offset where nothing was committed yet or where just the
first offset is missing. Hence the posts topic is read with `acks=False`, which turns all of Faust's
bookkeeping off (tests/stream/test_faust_commits.py)."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Collection, Coroutine, Mapping
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from stream.errors import PassingFault

T = TypeVar("T")

ANSWER_TIMEOUT = 10.0
"""Seconds for a commit, or to hear what is committed: aiokafka itself would try for ever, and say nothing."""
SLOW_ANSWER_TIMEOUT = 30.0
"""Seconds to hear where logs begin and end."""


class _Unfiltered(defaultdict[Any, Any]):
    """Faust's read offsets, of which Faust finds none and so drops no message below them.

    After a seek it would drop what we read again: the rest of the batch that it has in its hands moves the
    read offset forward once more. What comes twice is the partition's business (stream/partition.py)."""

    def __getitem__(self, partition: Any) -> None:
        return None


class Offsets:
    """Offsets of the partitions that are assigned to `app`, a faust.App; to be made before it is started."""

    def __init__(self, app: Any) -> None:
        self._app = app
        app.consumer._read_offset = _Unfiltered()

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> bool:
        """Commit the offset that is to be read next of each partition, and the UUID of its topic. False where
        a rebalance came first: then they are no longer ours to commit. Raises PassingFault while the broker
        is away."""
        wanted = {partition: OffsetAndMetadata(*offset) for partition, offset in offsets.items()}
        try:
            await self._call(self._consumer().commit(wanted))
        except TimeoutError:
            raise PassingFault(f"the broker takes no commits within {ANSWER_TIMEOUT:g} s") from None
        except (CommitFailedError, IllegalStateError):
            return False
        except KafkaError as error:
            raise PassingFault(f"the broker takes no commits: {error!r}") from error
        return True

    async def committed(self, partition: TopicPartition, topic_id: str) -> int | None:
        """The group's committed offset, None where there is none. One that was committed for another topic
        of the same name, deleted since, is none. Raises PassingFault."""
        coordinator = self._consumer()._coordinator
        try:
            found = (await self._call(coordinator.fetch_committed_offsets([partition]))).get(partition)
        except (KafkaError, TimeoutError) as error:
            raise PassingFault(f"the broker does not tell what is committed: {error!r}") from error
        if found is None or found.offset < 0 or found.metadata not in ("", topic_id):
            return None
        return int(found.offset)

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """Where each log begins and ends. Slow: it waits behind the long poll of a fetch. Raises PassingFault."""
        consumer = self._consumer()
        try:
            begins = await self._call(consumer.beginning_offsets(partitions), SLOW_ANSWER_TIMEOUT)
            ends = await self._call(consumer.end_offsets(partitions), SLOW_ANSWER_TIMEOUT)
        except (KafkaError, TimeoutError) as error:
            raise PassingFault(f"the broker does not tell offsets: {error!r}") from error
        return {partition: (begins[partition], ends[partition]) for partition in partitions}

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read `partition` again from `offset`, if it is still ours."""

        async def seek() -> None:
            with contextlib.suppress(IllegalStateError):  # a rebalance came first
                self._consumer().seek(partition, offset)

        await self._call(seek())

    def end(self, partition: TopicPartition) -> int | None:
        """The end of the partition's log as of the last fetch, None before the first."""
        highwater: int | None = self._consumer().highwater(partition)
        return highwater

    def reads_on(self, partitions: Collection[TopicPartition]) -> bool:
        """Whether there may be something left to fetch: posts that are in the log, a rebalance that is not
        over, a group that is not joined. Control records at a log's end are no posts: they are passed."""
        consumer = self._consumer()
        assignment = consumer._subscription.subscription.assignment
        if assignment is None or set(assignment.tps) != set(partitions):
            return True
        if consumer._coordinator.generation < 0:
            return True
        states = [assignment.state_value(partition) for partition in partitions]
        return any(
            not state.has_valid_position or state.highwater is None or state.position < state.highwater
            for state in states
        )

    @property
    def has_left(self) -> bool:
        """Whether the consumer's part that keeps us in the group has ended: it does not come back."""
        task = self._consumer()._coordinator._coordination_task
        return bool(task is not None and task.done())

    @property
    def error(self) -> BaseException | None:
        """Why the consumer waits in the middle of joining the group, until a fetch raises this: none ever does where
        no partition is assigned."""
        error: BaseException | None = self._consumer()._coordinator._pending_exception
        return error

    def _consumer(self) -> AIOKafkaConsumer:
        return self._app.consumer._thread._ensure_consumer()

    async def _call(self, work: Coroutine[Any, Any, T], seconds: float = ANSWER_TIMEOUT) -> T:
        """Run `work` in the consumer's loop. Not through Faust's method queue: its two workers wait for
        fetches. Raises TimeoutError."""
        future = asyncio.run_coroutine_threadsafe(work, self._app.consumer._thread.thread_loop)
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
