"""Faust's consumer as the worker uses it: only this file reads, commits and seeks offsets.

The consumer runs in a separate thread with its own event loop; every call is sent there. The worker commits on its own,
because Faust 0.15.3 does not commit correctly while posts are in progress. Without its compiled parts, a stream acks
the events of an old generation that it skips (streams.py, `_py_aiter`). And `Consumer._new_offset` passes an
unprocessed offset if nothing was committed yet, or if only the first offset is missing. So the posts topic is read with
`acks=False`, which turns off all of Faust's bookkeeping (tests/unit/stream/consumer/test_faust_commits.py).

Faust reads uncommitted posts unless it runs in `exactly_once`, which does not work. So the isolation level is set on
aiokafka's consumer when that is created. The position after each fetch is noted too, because the end of a log may have
no posts: only transaction markers and aborted posts."""

import asyncio
import contextlib
import copy
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from stream.errors import PassingFault

T = TypeVar("T")

ANSWER_TIMEOUT = 10.0
"""Seconds to commit, or to read the committed offset: aiokafka itself would retry forever without a report."""
SLOW_ANSWER_TIMEOUT = 30.0
"""Seconds to read where logs begin and end."""
ASK_AGAIN = 1.0
"""Seconds between two fetches that are refused after a failure."""


class _Unfiltered(defaultdict[Any, Any]):
    """Faust's read offsets. Faust finds none here, and so drops no message below them.

    After a seek it would drop what we read again: the rest of its current batch moves the read offset forward once
    more. The partition handles repeated posts (stream/pipeline/partition.py)."""

    def __getitem__(self, partition: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Fetched:
    """How far a partition was fetched in one generation of the group."""

    generation: int
    first: int
    """Offset from which nothing was left out: fetched without a seek in between."""
    last_post: int
    """Offset of the last post given to Faust; -1 if there was none."""
    position: int
    """Offset to fetch next: there are no posts between the last post, or `first`, and this."""


class Offsets:
    """Offsets of the partitions assigned to `app`, a faust.App; create it before the app is started.

    `isolation_level` is Kafka's: `read_committed` or `read_uncommitted`."""

    def __init__(self, app: Any, isolation_level: str) -> None:
        self._app = app
        self._committed_only = isolation_level == "read_committed"
        self._fetched: dict[TopicPartition, Fetched] = {}
        self._refused: KafkaError | None = None
        self._seeks = 0
        app.consumer._read_offset = _Unfiltered()
        thread = app.consumer._thread
        create, fetch = thread._create_consumer, thread._fetch_records

        def create_isolated(*arguments: Any, **options: Any) -> AIOKafkaConsumer:
            consumer = create(*arguments, **options)
            consumer._isolation_level = isolation_level  # read when it is started
            seek_to_committed = consumer.seek_to_committed  # Faust's, in the middle of rebalances

            async def seek_and_forget(*partitions: Any) -> Any:
                self._forget()
                try:
                    return await seek_to_committed(*partitions)
                finally:
                    self._forget()

            consumer.seek_to_committed = seek_and_forget
            return consumer

        async def fetch_and_note(consumer: AIOKafkaConsumer, *arguments: Any, **options: Any) -> Any:
            if self._refused:  # records fetched together with the failed ones are lost: pass on no others
                await asyncio.sleep(ASK_AGAIN)
                return {}
            seeks, positions = self._seeks, self._positions(consumer)
            try:
                records = await fetch(consumer, *arguments, **options)
            except KafkaError as error:
                # Faust would crash with a page of tracebacks; here, the reader of `error` decides
                self._refused = None if consumer._coordinator._pending_exception else error
                return {}
            if seeks == self._seeks:
                self._note(consumer, positions, records)
            return records

        thread._create_consumer, thread._fetch_records = create_isolated, fetch_and_note

    def fetched(self, partition: TopicPartition, generation: int) -> Fetched | None:
        """How far `partition` was fetched; None before the first fetch of this generation, or since a seek."""
        found = self._fetched.get(partition)
        return found if found is not None and found.generation == generation else None

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> bool:
        """Commit the next offset to read of each partition, with the UUID of its topic. False if a rebalance came
        first: then the partitions are no longer ours. Raises PassingFault while the broker is unavailable."""
        wanted = {partition: OffsetAndMetadata(*offset) for partition, offset in offsets.items()}
        try:
            await self._call(self._consumer().commit(wanted))
        except TimeoutError:
            raise PassingFault(f"the broker did not accept a commit within {ANSWER_TIMEOUT:g} s") from None
        except (CommitFailedError, IllegalStateError):
            return False
        except KafkaError as error:
            raise PassingFault(f"the broker does not accept commits: {error!r}") from error
        return True

    async def committed(self, partition: TopicPartition, topic_id: str) -> int | None:
        """The group's committed offset, or None. An offset of another topic of the same name, deleted since, does not
        count. Raises PassingFault."""
        coordinator = self._consumer()._coordinator
        try:
            found = (await self._call(coordinator.fetch_committed_offsets([partition]))).get(partition)
        except (KafkaError, TimeoutError) as error:
            raise PassingFault(f"the broker did not return the committed offset: {error!r}") from error
        if found is None or found.offset < 0 or found.metadata not in ("", topic_id):
            return None
        return int(found.offset)

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """Where each log begins and ends, open transactions included. Slow: it waits behind the long poll of a fetch.
        Raises PassingFault."""
        consumer = self._consumer()
        whole = copy.copy(consumer._fetcher)  # the original returns the end of committed records
        whole._isolation_level = READ_UNCOMMITTED
        timeout_ms = int(SLOW_ANSWER_TIMEOUT * 1000)
        try:
            begins = await self._call(consumer.beginning_offsets(partitions), SLOW_ANSWER_TIMEOUT)
            ends = await self._call(whole.end_offsets(partitions, timeout_ms), SLOW_ANSWER_TIMEOUT)
        except (KafkaError, TimeoutError) as error:
            raise PassingFault(f"the broker did not return the first and last offsets: {error!r}") from error
        return {partition: (begins[partition], ends[partition]) for partition in partitions}

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read `partition` again from `offset`, if it is still ours."""

        async def seek() -> None:
            with contextlib.suppress(IllegalStateError):  # a rebalance came first
                self._consumer().seek(partition, offset)
                self._forget()

        await self._call(seek())

    def pause(self, partition: TopicPartition) -> None:
        """Stop fetching `partition`, if it is still ours, until `resume`; posts that Faust already has still arrive."""
        self._run_later(lambda consumer: consumer.pause(partition))

    def resume(self, partition: TopicPartition) -> None:
        """Fetch `partition` again, if it is still ours."""
        self._run_later(lambda consumer: consumer.resume(partition))

    def retry_join(self) -> None:
        """Let the consumer retry to join the group, after the error at which it waits (`error`)."""

        def retry(consumer: AIOKafkaConsumer) -> None:
            with contextlib.suppress(KafkaError):
                consumer._coordinator.check_errors()  # raises the error, and so lets the coordinator continue

        self._run_later(retry)

    def end(self, partition: TopicPartition) -> int | None:
        """The end of the readable part of the partition's log at the last fetch; None before the first."""
        assignment = self._consumer()._subscription.subscription.assignment
        if assignment is None or partition not in assignment.tps:
            return None
        return self._end(assignment.state_value(partition))

    def reads_on(self, partitions: Collection[TopicPartition]) -> bool:
        """Whether there may be something left to fetch: posts in the log, an unfinished rebalance, a group not joined
        yet. Control records at the end of a log are not posts: they are passed. Posts of an open transaction cannot be
        read yet."""
        consumer = self._consumer()
        assignment = consumer._subscription.subscription.assignment
        if assignment is None or set(assignment.tps) != set(partitions):
            return True
        if consumer._coordinator.generation < 0:
            return True
        states = [assignment.state_value(partition) for partition in partitions]
        return any(
            not state.has_valid_position or (end := self._end(state)) is None or state.position < end
            for state in states
        )

    @property
    def joins(self) -> bool:
        """Whether a rebalance, or the first join, is in progress."""
        subscription = getattr(self._app.consumer._thread._consumer, "_subscription", None)
        return subscription is None or bool(subscription.reassignment_in_progress)

    @property
    def has_left(self) -> bool:
        """Whether the part of the consumer that keeps us in the group has ended: it does not restart."""
        task = getattr(self._coordinator, "_coordination_task", None)
        return bool(task is not None and task.done())

    @property
    def error(self) -> BaseException | None:
        """Why the consumer cannot fetch, or waits while joining the group (`retry_join` lets it continue)."""
        error: BaseException | None = getattr(self._coordinator, "_pending_exception", None)
        return error or self._refused

    @property
    def _coordinator(self) -> Any:
        """None before the consumer is started."""
        return getattr(self._app.consumer._thread._consumer, "_coordinator", None)

    def _end(self, state: Any) -> int | None:
        end: int | None = state.lso if self._committed_only else state.highwater
        return end

    def _forget(self) -> None:
        """A seek happens, in the consumer's loop: earlier fetches say nothing about later ones."""
        self._seeks += 1
        self._fetched.clear()

    def _positions(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Next offset to fetch of each partition that is ours now; empty during a rebalance."""
        subscriptions = consumer._subscription
        assignment = subscriptions.subscription and subscriptions.subscription.assignment
        if assignment is None or subscriptions.reassignment_in_progress:
            return {}
        states = {partition: assignment.state_value(partition) for partition in assignment.tps}
        return {partition: state.position for partition, state in states.items() if state.has_valid_position}

    def _note(
        self,
        consumer: AIOKafkaConsumer,
        began: Mapping[TopicPartition, int],
        records: Mapping[TopicPartition, Any],
    ) -> None:
        """Note the positions after `records`, which were fetched from the positions `began`; in the consumer's loop,
        before anything else happens there."""
        generation = consumer._coordinator.generation
        for partition, position in self._positions(consumer).items():
            found = records.get(partition, ())
            last = found[-1].offset if found else -1
            first = began.get(partition, found[0].offset if found else position)
            before = self.fetched(partition, generation)
            if before is not None:
                last = max(last, before.last_post)
                first = before.first if before.position == first else first
            self._fetched[partition] = Fetched(generation, first, last, position)

    def _run_later(self, what: Callable[[AIOKafkaConsumer], None]) -> None:
        """Run `what` in the consumer's loop, soon; calls stay in order."""

        def do() -> None:
            with contextlib.suppress(IllegalStateError):  # a rebalance came first
                what(self._consumer())

        self._app.consumer._thread.thread_loop.call_soon_threadsafe(do)

    def _consumer(self) -> AIOKafkaConsumer:
        return self._app.consumer._thread._ensure_consumer()

    async def _call(self, work: Coroutine[Any, Any, T], seconds: float = ANSWER_TIMEOUT) -> T:
        """Run `work` in the consumer's loop. Not through Faust's method queue: its two workers wait for
        fetches. Raises TimeoutError."""
        future = asyncio.run_coroutine_threadsafe(work, self._app.consumer._thread.thread_loop)
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
