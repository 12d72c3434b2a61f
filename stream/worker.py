"""The worker: Faust brings partitions and posts, the pipeline tags them, and what is counted is committed.

Its promise is at least once: an offset is committed only when all posts before it are confirmed by the
broker and counted in Redis. When a partition is taken away, what is done of it is committed, and what is
in work is dropped: its next owner reads it again, and the counters' high-water mark keeps it from counting
twice."""

import asyncio
import contextlib
import functools
import logging
import signal
import tempfile
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from models.errors import TrimodError
from stream.backoff import persist
from stream.consumer import Offsets
from stream.counters import Counters
from stream.errors import BrokenWorker, PassingFault, SettingsError
from stream.faust_app import faust_app
from stream.metrics import Metrics
from stream.partition import Partition, Start, Verdict
from stream.pipeline import Pipeline
from stream.publish import Publisher
from stream.records import Model, now
from stream.serve_metrics import serve
from stream.settings import Kafka, Settings
from stream.tagging import PostTagger
from stream.topics import topic_uuid
from stream.work import Done, Work

COMMIT_INTERVAL = 1.0
"""Seconds between commits."""
REVOKE_TIMEOUT = 3.0
"""Seconds that the last commit of a partition may hold up a rebalance."""
DRAIN_TIMEOUT = 4.0
"""Seconds that posts in work get to be finished at the end."""
LEAVE_TIMEOUT = 4.0
"""Seconds that Faust gets to leave the group."""

log = logging.getLogger("trimod.worker")


class Worker:
    """One process's worker; `run` it once, inside a running event loop."""

    def __init__(self, settings: Settings, tagger: PostTagger[Any]) -> None:
        self._settings = settings
        self._model = Model(tagger.name, tagger.version)
        self._metrics = Metrics(self._model)
        self._counters = Counters(settings.redis, settings.kafka.group)
        self._publisher = Publisher(settings.kafka)
        self._pipeline = Pipeline(settings, tagger, self._counters, self._publisher, self._metrics)
        self._partitions: dict[TopicPartition, Partition[Done]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._commit_lock = asyncio.Lock()
        self._stop = asyncio.Event()
        self._state = "starting"
        self._metrics.gauges(
            "trimod_queue_depth",
            "Posts waiting, per stage; `work`: all in work.",
            "stage",
            self._pipeline.depths,
        )
        self._metrics.gauges("trimod_lag", "Posts in the log that are not committed.", "partition", self._lag)

    async def run(self) -> None:
        """Work until SIGTERM, SIGINT or `stop`. Raises BrokenWorker where it cannot go on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        with tempfile.TemporaryDirectory(prefix="trimod-worker-") as datadir:
            self._app = faust_app(self._settings, Path(datadir), self._consume)
            self._offsets = Offsets(self._app)
            self._app.on_partitions_assigned.connect(self._on_assigned)
            self._app.on_partitions_revoked.connect(self._on_revoked)
            async with serve(self._settings.worker, self._metrics.registry, self._health):
                self._pipeline.start()
                try:
                    await self._work()
                finally:
                    await self._close()

    def stop(self) -> None:
        """Finish what is in work, commit, and end."""
        self._stop.set()

    async def _work(self) -> None:
        await self._app.start()
        self._state = "running"
        self._background(self._commit_regularly())
        stopping = asyncio.create_task(self._stop.wait())
        crashed = asyncio.create_task(self._app._crashed.wait())
        await asyncio.wait({stopping, crashed, self._pipeline.broken}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        crashed.cancel()
        if not self._stop.is_set():
            raise BrokenWorker(f"worker cannot go on: {self._cause()}")

    def _cause(self) -> str:
        if self._pipeline.broken.done():
            return repr(self._pipeline.broken.exception())
        return f"Faust crashed: {self._app.crash_reason!r}"

    async def _close(self) -> None:
        """Finish what is in work if this is an orderly end, commit what is done, and leave the group."""
        self._state = "draining" if self._stop.is_set() else "broken"
        if self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained(), DRAIN_TIMEOUT)
        await self._commit_at_last(self._partitions.values())
        self._partitions.clear()  # a rebalance may still come, and has nothing more to say about them
        for task in self._tasks:
            task.cancel()
        await self._pipeline.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._app.stop(), LEAVE_TIMEOUT)
        await self._publisher.close()
        await self._counters.close()
        log.info("stopped")

    async def _drained(self) -> None:
        for partition in list(self._partitions.values()):
            await partition.work.empty()

    def _on_signal(self, number: int) -> None:
        log.info("%s: finishing what is in work", signal.Signals(number).name)
        asyncio.get_running_loop().remove_signal_handler(number)  # the next one ends the process at once
        self.stop()

    async def _consume(self, stream: Any) -> None:
        """The agent. Nothing may escape it: a dead agent would go unnoticed while the process heartbeats
        on."""
        try:
            async for event in stream.events():
                await self._take(event.message)
        except Exception as error:
            log.exception("the agent failed")
            self._pipeline.fail(error)

    async def _take(self, message: Any) -> None:
        partition = self._partitions.get(TopicPartition(message.topic, message.partition))
        if self._stop.is_set() or partition is None or message.generation_id != partition.generation:
            return  # never committed: whoever gets the partition reads it again
        start = await asyncio.shield(partition.start)
        if start is None or partition.closed:
            return
        verdict = partition.judge(start, message.offset)
        if verdict is Verdict.SEEK:
            verdict = await self._judge_jump(partition, start, message.offset)
        if verdict is Verdict.TAKE:
            timestamp = (
                round(message.timestamp * 1000) if message.timestamp and message.timestamp > 0 else now()
            )
            work = Work(partition, start.topic_id, message.offset, message.key, message.value, timestamp)
            await self._pipeline.take_in(partition, work)

    async def _judge_jump(self, partition: Partition[Done], start: Start, offset: int) -> Verdict:
        """The verdict on a post before which some are missing, now that we ask whether they are still there;
        reads them again if so."""
        name = _name(partition)
        await persist(f"reading {name}", functools.partial(self._look_at_bounds, [partition]))
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

    async def _on_assigned(self, app: Any, assigned: Iterable[Any], **_: Any) -> None:
        if self._state in ("draining", "broken"):
            return  # nobody would end what is begun now
        for tp in assigned:
            if tp.topic != self._settings.kafka.posts_topic:
                continue
            worker = self._settings.worker
            partition = Partition[Done](
                TopicPartition(tp.topic, tp.partition),
                app.consumer_generation_id,
                worker.max_partition_posts,
                worker.max_partition_bytes,
            )
            self._partitions[partition.id] = partition
            self._pipeline.open(partition)
        if self._partitions:
            self._background(self._look_up(list(self._partitions.values())))
        log.info("assigned partitions: %s", _numbers(self._partitions))

    async def _on_revoked(self, app: Any, revoked: Iterable[Any], **_: Any) -> None:
        gone = [self._partitions.pop(tp) for tp in list(self._partitions) if tp in set(map(tuple, revoked))]
        if not gone:
            return
        log.info("revoked partitions: %s", _numbers(partition.id for partition in gone))
        for partition in gone:
            self._pipeline.close(partition)
        await self._commit_at_last(gone)

    async def _look_up(self, partitions: list[Partition[Done]]) -> None:
        """Find out what must be known of partitions before their posts are taken in."""
        topic_id = await persist("starting", lambda: asyncio.to_thread(posts_topic_id, self._settings.kafka))
        for partition in partitions:
            await persist(f"starting {_name(partition)}", functools.partial(self._begin, partition, topic_id))
        await persist("checking the counters", functools.partial(self._check_marks, partitions))

    async def _begin(self, partition: Partition[Done], topic_id: str) -> None:
        if not partition.closed:
            start = Start(topic_id, await self._offsets.committed(partition.id))
            if not partition.start.done():  # else it was closed meanwhile
                partition.start.set_result(start)

    async def _check_marks(self, partitions: list[Partition[Done]]) -> None:
        """Say so where the counters do not fit the log: they lost counts, or the log was replaced."""
        opened = [partition for partition in partitions if not partition.closed]
        await self._look_at_bounds(opened)
        for partition in opened:
            start = partition.start.result()
            if start is None:
                continue
            mark = await self._counters.mark(start.topic_id, partition.id.partition)
            counted = -1 if mark is None else mark
            behind = start.committed is not None and counted + 1 < start.committed
            if behind or counted >= partition.end:
                log.warning(
                    "%s was counted up to offset %d, but is committed up to %s of %d: the counters are not "
                    "to be trusted before `trimod counters rebuild`; tagging goes on",
                    _name(partition), counted, start.committed, partition.end,
                )  # fmt: skip

    async def _look_at_bounds(self, partitions: list[Partition[Done]]) -> None:
        bounds = await self._offsets.bounds([partition.id for partition in partitions])
        for partition in partitions:
            partition.begin, partition.end = bounds[partition.id]

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_INTERVAL)
            await persist("committing", lambda: self._commit(self._partitions.values()))

    async def _commit_at_last(self, partitions: Iterable[Partition[Done]]) -> None:
        try:
            await asyncio.wait_for(self._commit(list(partitions)), REVOKE_TIMEOUT)
        except (PassingFault, TimeoutError) as error:
            log.warning("the last commit failed, so some posts will be tagged again: %r", error)

    async def _commit(self, partitions: Iterable[Partition[Done]]) -> None:
        async with self._commit_lock:
            due = [partition for partition in partitions if partition.done > partition.committed]
            offsets = {partition.id: partition.done for partition in due}
            if offsets and await self._offsets.commit(offsets):
                for partition in due:
                    partition.committed = offsets[partition.id]

    def _lag(self) -> dict[str, float]:
        lags: dict[str, float] = {}
        for partition in self._partitions.values():
            start = partition.start.result() if partition.start.done() else None
            if start is not None:
                end = max(partition.end, self._offsets.end(partition.id) or 0)
                lags[str(partition.id.partition)] = end - max(
                    partition.begin, start.first, partition.committed
                )
        return lags

    def _health(self) -> dict[str, Any]:
        return {
            "state": self._state,
            "model": self._model.name,
            "version": self._model.version,
            "partitions": sorted(partition.partition for partition in self._partitions),
        }

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._pipeline.guarded(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def posts_topic_id(kafka: Kafka) -> str:
    """Kafka's UUID of the posts topic. PassingFault also where metadata lacks it: it was there at the start,
    and may be in the middle of being made anew."""
    try:
        return topic_uuid(kafka, kafka.posts_topic)
    except (PassingFault, SettingsError):
        raise
    except TrimodError as error:
        raise PassingFault(str(error)) from error


def _name(partition: Partition[Done]) -> str:
    return f"{partition.id.topic}:{partition.id.partition}"


def _numbers(partitions: Iterable[TopicPartition]) -> str:
    return " ".join(str(number) for number in sorted(id_.partition for id_ in partitions)) or "none"
