"""Faust's consumer as the worker uses it: offsets are read, committed and sought here, and nowhere else.

It lives in a thread of its own with its own event loop; every call goes there and comes back. The worker
commits by itself, because what Faust 0.15.3 commits cannot be trusted with work in flight: without its
compiled parts a stream acks the events of an old generation that it skips (streams.py, `_py_aiter`), and
`Consumer._new_offset` goes past an unprocessed offset where nothing was committed yet or where just the
first offset is missing. Hence the posts topic is read with `acks=False`, which turns all of Faust's
bookkeeping off (tests/unit/stream/consumer/test_faust_commits.py).

Faust reads uncommitted posts unless it is in `exactly_once`, which commits by the acks that are off here: the isolation
level is set on aiokafka's consumer as it is made. How far each fetch has read is noted as well, because the end of a
log may hold no posts: the markers of transactions, and what was aborted."""

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
"""Seconds for a commit, or to hear what is committed: aiokafka itself would try for ever, and say nothing."""


SLOW_ANSWER_TIMEOUT = 30.0
"""Seconds to hear where logs begin and end."""


ASK_AGAIN = 1.0
"""Seconds between two fetches that are refused, as something has failed."""


class _Unfiltered(defaultdict[Any, Any]):
    """Faust's read offsets, of which Faust finds none and so drops no message below them.

    After a seek it would drop what we read again: the rest of the batch that it has in its hands moves the
    read offset forward once more. What comes twice is the partition's business (stream/pipeline/partition.py)."""

    def __getitem__(self, partition: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Fetched:
    """How far a partition was fetched in one generation of the group."""

    generation: int
    first: int
    """Offset from which on nothing was left out: fetched without a seek between."""
    last_post: int
    """Offset of the last post that was handed to Faust; -1 where none was."""
    position: int
    """Offset to fetch next: what lies between the last post, or `first`, and this holds no posts."""


class Offsets:
    """Offsets of the partitions that are assigned to `app`, a faust.App; to be made before it is started.

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
            if (
                self._refused
            ):  # what was fetched together with what failed is lost: nothing more may be handed on
                await asyncio.sleep(ASK_AGAIN)
                return {}
            seeks, positions = self._seeks, self._positions(consumer)
            try:
                records = await fetch(consumer, *arguments, **options)
            except KafkaError as error:
                # Faust would crash, with a page of tracebacks: here, whoever looks at `error` decides
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
        """Where each log begins and ends, open transactions included. Slow: it waits behind the long poll of a fetch.
        Raises PassingFault."""
        consumer = self._consumer()
        whole = copy.copy(consumer._fetcher)  # the consumer's own tells the end of what is committed
        whole._isolation_level = READ_UNCOMMITTED
        timeout_ms = int(SLOW_ANSWER_TIMEOUT * 1000)
        try:
            begins = await self._call(consumer.beginning_offsets(partitions), SLOW_ANSWER_TIMEOUT)
            ends = await self._call(whole.end_offsets(partitions, timeout_ms), SLOW_ANSWER_TIMEOUT)
        except (KafkaError, TimeoutError) as error:
            raise PassingFault(f"the broker does not tell offsets: {error!r}") from error
        return {partition: (begins[partition], ends[partition]) for partition in partitions}

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read `partition` again from `offset`, if it is still ours."""

        async def seek() -> None:
            with contextlib.suppress(IllegalStateError):  # a rebalance came first
                self._consumer().seek(partition, offset)
                self._forget()

        await self._call(seek())

    def pause(self, partition: TopicPartition) -> None:
        """Fetch nothing more of `partition`, if it is still ours, until `resume`; what Faust has of it still comes."""
        self._tell(lambda consumer: consumer.pause(partition))

    def resume(self, partition: TopicPartition) -> None:
        """Fetch `partition` again, if it is still ours."""
        self._tell(lambda consumer: consumer.resume(partition))

    def retry_join(self) -> None:
        """Have the consumer try again to join the group, after an error that it waits with (`error`)."""

        def retry(consumer: AIOKafkaConsumer) -> None:
            with contextlib.suppress(KafkaError):
                consumer._coordinator.check_errors()  # raises the error, and so lets the coordinator go on

        self._tell(retry)

    def end(self, partition: TopicPartition) -> int | None:
        """The end of what may be read of the partition's log as of the last fetch, None before the first."""
        assignment = self._consumer()._subscription.subscription.assignment
        if assignment is None or partition not in assignment.tps:
            return None
        return self._end(assignment.state_value(partition))

    def reads_on(self, partitions: Collection[TopicPartition]) -> bool:
        """Whether there may be something left to fetch: posts that are in the log, a rebalance that is not
        over, a group that is not joined. Control records at a log's end are no posts: they are passed. Posts of
        a transaction that is open are not to be read yet."""
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
        """Whether a rebalance, or the first joining, is under way."""
        subscription = getattr(self._app.consumer._thread._consumer, "_subscription", None)
        return subscription is None or bool(subscription.reassignment_in_progress)

    @property
    def has_left(self) -> bool:
        """Whether the consumer's part that keeps us in the group has ended: it does not come back."""
        task = getattr(self._coordinator, "_coordination_task", None)
        return bool(task is not None and task.done())

    @property
    def error(self) -> BaseException | None:
        """Why the consumer cannot fetch, or waits in the middle of joining the group (`retry_join` lets it go on)."""
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
        """Somebody seeks, in the consumer's loop: what was fetched before tells nothing of what comes."""
        self._seeks += 1
        self._fetched.clear()

    def _positions(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Offset to fetch next of each partition that is ours now; none while that is open."""
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
        """Note how far `records` go, which were fetched from the positions `began`; in the consumer's loop, before
        anything else happens there."""
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

    def _tell(self, what: Callable[[AIOKafkaConsumer], None]) -> None:
        """Do `what` in the consumer's loop, soon; calls stay in order."""

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
