"""The worker: Faust brings partitions and posts, the pipeline tags them, and what is counted is committed.

Its promise is at least once: an offset is committed only when all posts before it are confirmed by the
broker and counted in Redis. When a partition is taken away, what is done of it is committed, and what is
in work is dropped: its next owner reads it again, and the counters' high-water mark keeps it from counting
twice. What it cannot do any more is ended from outside: stream/watchdog.py."""

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
from stream.active import ActiveModel
from stream.backoff import Backoff
from stream.consumer import Offsets
from stream.counters import Counters
from stream.errors import BrokenWorker, PassingFault, Refused, SettingsError, WorkEndedIt
from stream.faults import fault
from stream.faust_app import faust_app
from stream.health import Health
from stream.image_urls import ImageUrls
from stream.metrics import Metrics
from stream.model_switch import CheckpointSource, ModelSwitch
from stream.partition import Partition, Start, Verdict
from stream.pipeline import Pipeline
from stream.publish import Publisher
from stream.records import now
from stream.serve_metrics import serve
from stream.settings import Kafka, Settings
from stream.tagging import PostTagger
from stream.topics import topic_uuid
from stream.trust import Trust
from stream.watchdog import Signs, Watchdog
from stream.work import Done, Work

COMMIT_INTERVAL = 1.0
"""Seconds between commits."""
REVOKE_TIMEOUT = 2.0
"""Seconds that the last commit of a partition may hold up a rebalance."""
PULSE = 0.5
"""Seconds between two signs of life to the watchdog."""
LOOK_AT_COUNTERS = 10.0
"""Seconds between two looks at whether Redis still knows what was counted."""
ASK_AFTER = 10.0
"""Seconds without progress after which the broker is asked whether it is there, and the topic still the same."""
DRAIN_TIMEOUT = 3.5
"""Seconds that posts in work get to be finished at the end."""
SETTLE_TIMEOUT = 1.0
"""Seconds that what is published then gets to be counted."""
LEAVE_TIMEOUT = 2.0
"""Seconds that Faust gets to leave the group, and the connections to be closed."""
END_TIMEOUT = 9.5
"""Seconds after SIGTERM at which the process ends, however far it got."""
EXIT_TIMEOUT = 1.0
"""Seconds that threads get after the end: one that hangs must not keep the process."""

log = logging.getLogger("trimod.worker")


class Worker:
    """One process's worker; `run` it once, inside a running event loop."""

    def __init__(
        self,
        settings: Settings,
        tagger: PostTagger[Any],
        source: CheckpointSource,
        image_urls: ImageUrls | None = None,
    ) -> None:
        """`tagger` came from `source`, which may later have another."""
        self._settings = settings
        active = ActiveModel(tagger)
        self._metrics = Metrics(active.model)
        self._counters = Counters(settings.redis, settings.kafka.group)
        self._trust = Trust(self._counters)
        self._backoff = Backoff()
        self._watchdog = Watchdog(
            settings.worker.hang_limit, settings.worker.stall_limit, self._fail_from_thread
        )
        self._publisher = Publisher(settings.kafka)
        self._pipeline = Pipeline(
            settings,
            active,
            self._counters,
            self._trust,
            self._publisher,
            self._metrics,
            image_urls or ImageUrls(settings.fetch),
            self._backoff,
            self._watchdog.busy,
        )
        self._switch = ModelSwitch(source, self._pipeline, self._metrics)
        self._partitions: dict[TopicPartition, Partition[Done]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._commit_lock = asyncio.Lock()
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._commits = 0
        self._asked_at = 0.0
        self._state = "starting"
        self._metrics.gauges(
            "trimod_queue_depth",
            "Posts waiting, per stage; `work`: all in work.",
            "stage",
            self._pipeline.depths,
        )
        self._metrics.gauges("trimod_lag", "Posts in the log that are not committed.", "partition", self._lag)
        self._metrics.gauges(
            "trimod_waiting",
            "1 for each that waits for a passing fault to pass.",
            "who",
            lambda: dict.fromkeys(self._backoff.waiting, 1.0),
        )
        self._metrics.gauges(
            "trimod_counters_trusted",
            "0 where Redis lost counts: `trimod counters rebuild` mends it.",
            "group",
            lambda: {settings.kafka.group: float(not self._trust.lost)},
        )

    async def run(self) -> None:
        """Work until SIGTERM, SIGINT or `stop`. Raises BrokenWorker where it cannot go on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._on_signal, number)
        with tempfile.TemporaryDirectory(prefix="trimod-worker-") as datadir:
            self._app = faust_app(self._settings, Path(datadir), self._consume)
            self._offsets = Offsets(self._app)
            self._app.on_partitions_assigned.connect(self._on_assigned)
            self._app.on_partitions_revoked.connect(self._on_revoked)
            async with serve(self._settings.worker, self._metrics.registry, self._health):
                self._pipeline.start()
                self._watchdog.start()
                try:
                    await self._work()
                except BrokenWorker as error:
                    self._watchdog.end_within(END_TIMEOUT, error.exit_code)
                    raise
                finally:
                    await self._close()
                    self._watchdog.end_within(EXIT_TIMEOUT, self._exit_code())

    def stop(self) -> None:
        """Finish what is in work, commit, and end."""
        self._stop.set()

    async def _work(self) -> None:
        self._background(self._pulse())
        stopping = asyncio.create_task(self._stop.wait())
        starting = asyncio.create_task(self._app.start())
        await self._first_of(stopping, starting)
        if starting.done():
            starting.result()
            self._state = "running"
            self._background(self._commit_regularly())
            self._background(self._look_at_counters())
            self._background(self._switch.watch())
            crashed = asyncio.create_task(self._app._crashed.wait())
            await self._first_of(stopping, crashed)
            crashed.cancel()
        stopping.cancel()
        if self._pipeline.broken.done() or not self._stop.is_set():
            raise self._cause()

    async def _first_of(self, *tasks: asyncio.Task[Any]) -> None:
        """Return when one of these is done, or the worker is broken."""
        await asyncio.wait({*tasks, self._pipeline.broken}, return_when=asyncio.FIRST_COMPLETED)

    def _cause(self) -> BrokenWorker:
        if not self._pipeline.broken.done():
            return BrokenWorker(f"worker cannot go on: Faust crashed: {self._app.crash_reason!r}")
        error = self._pipeline.broken.exception()
        if isinstance(error, BrokenWorker):
            return error
        return BrokenWorker(f"worker cannot go on: {error!r}")

    def _broken(self) -> BaseException | None:
        return self._pipeline.broken.exception() if self._pipeline.broken.done() else None

    def _exit_code(self) -> int:
        error = self._broken()
        if isinstance(error, TrimodError):
            return error.exit_code
        return 0 if self._stop.is_set() and error is None else BrokenWorker.exit_code

    async def _close(self) -> None:
        """Finish what is in work if this is an orderly end, commit what is done, and leave the group."""
        orderly = self._stop.is_set() and self._broken() is None
        self._state = "draining" if orderly else "broken"
        if orderly:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained(), DRAIN_TIMEOUT)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._pipeline.settle(), SETTLE_TIMEOUT)
        partitions = list(self._partitions.values())
        await self._commit_at_last(partitions)
        if not isinstance(self._broken(), WorkEndedIt):
            await self._pipeline.let_go(partitions)
        self._partitions.clear()  # a rebalance may still come, and has nothing more to say about them
        for task in self._tasks:
            task.cancel()
        await self._pipeline.stop()
        ends = (self._app.stop(), self._publisher.close(), self._counters.close())
        await asyncio.gather(*(asyncio.wait_for(end, LEAVE_TIMEOUT) for end in ends), return_exceptions=True)
        log.info("stopped")

    async def _drained(self) -> None:
        for partition in list(self._partitions.values()):
            await partition.work.empty()

    def _on_signal(self, number: int) -> None:
        log.info("%s: finishing what is in work", signal.Signals(number).name)
        self._loop.remove_signal_handler(number)  # the next one ends the process at once
        self._watchdog.end_within(END_TIMEOUT, BrokenWorker.exit_code)
        self.stop()

    def _fail_from_thread(self, error: BrokenWorker) -> None:
        self._loop.call_soon_threadsafe(self._pipeline.fail, error)

    async def _consume(self, stream: Any) -> None:
        """The agent. Nothing may escape it: a dead agent would go unnoticed while the process heartbeats
        on."""
        try:
            async for event in stream.events():
                await self._take(event.message)
        except Exception as error:
            if not isinstance(error, TrimodError):
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
        if verdict is Verdict.DROP and message.offset < partition.entered:
            self._ask_the_broker()  # a topic that was made anew begins its offsets again
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
        await self._backoff.persist(f"reading {name}", functools.partial(self._look_at_bounds, [partition]))
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
        await self._pipeline.let_go(gone)

    async def _look_up(self, partitions: list[Partition[Done]]) -> None:
        """Find out what must be known of partitions before their posts are taken in."""
        persist = self._backoff.persist
        topic_id = await persist("starting", lambda: asyncio.to_thread(posts_topic_id, self._settings.kafka))
        for partition in partitions:
            await persist(f"starting {_name(partition)}", functools.partial(self._begin, partition, topic_id))
        await persist("checking the counters", functools.partial(self._check_marks, partitions))

    async def _begin(self, partition: Partition[Done], topic_id: str) -> None:
        if not partition.closed:
            start = Start(topic_id, await self._offsets.committed(partition.id, topic_id))
            await self._pipeline.claim(partition, topic_id, start.first)
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
                await self._trust.doubt(
                    f"{_name(partition)} was counted up to offset {counted}, but is committed up to "
                    f"{start.committed} of {partition.end}"
                )

    async def _look_at_bounds(self, partitions: list[Partition[Done]]) -> None:
        bounds = await self._offsets.bounds([partition.id for partition in partitions])
        for partition in partitions:
            partition.begin, partition.end = bounds[partition.id]

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_INTERVAL)
            await self._backoff.persist("committing", lambda: self._commit(self._partitions.values()))

    async def _look_at_counters(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AT_COUNTERS)
            await self._backoff.persist("checking the counters", self._compare_marks)

    async def _compare_marks(self) -> None:
        """Notice what Redis lost, also where nothing comes that would be counted; and what a rebuild mended."""
        counted = {
            f"{start.topic_id}:{partition.id.partition}": (partition, partition.done - 1)
            for partition in self._partitions.values()
            if partition.done > 0 and partition.start.done() and (start := partition.start.result())
        }
        marks = await self._counters.marks()
        for field, (partition, offset) in counted.items():
            if marks.get(field, -1) < offset:
                await self._trust.doubt(
                    f"{_name(partition)} was counted up to offset {offset}, of which Redis knows only up to "
                    f"{marks.get(field, -1)}"
                )
        await self._trust.look()

    async def _pulse(self) -> None:
        """Tell the watchdog how it goes; ask the broker what is the matter where nothing goes on."""
        while True:
            running = self._state == "running"
            if running and self._offsets.has_left:
                raise BrokenWorker("the Kafka client has left the group and does not come back")
            behind = running and self._behind()
            self._watchdog.beat(Signs(self._commits, behind, bool(self._backoff.waiting)))
            if self._watchdog.stalled > ASK_AFTER:
                self._ask_the_broker()
            await asyncio.sleep(PULSE)

    def _behind(self) -> bool:
        """Whether there is work to do."""
        return self._offsets.reads_on(list(self._partitions)) or any(
            len(each.work) or each.done > each.committed or not each.start.done()
            for each in self._partitions.values()
        )

    def _ask_the_broker(self) -> None:
        """Whether it is there (else we wait for it, by name) and whether the posts topic is still the same."""
        now_ = self._loop.time()
        if now_ - self._asked_at > ASK_AFTER:
            self._asked_at = now_
            self._background(self._compare_topic())

    async def _compare_topic(self) -> None:
        topic_id = await self._backoff.persist(
            "asking for the posts topic", lambda: asyncio.to_thread(posts_topic_id, self._settings.kafka)
        )
        starts = [each.start.result() for each in self._partitions.values() if each.start.done()]
        if any(start is not None and start.topic_id != topic_id for start in starts):
            raise BrokenWorker(
                f"topic {self._settings.kafka.posts_topic} was deleted and made anew: it is read from its beginning"
                " by the next start"
            )

    async def _commit_at_last(self, partitions: Iterable[Partition[Done]]) -> None:
        try:
            await asyncio.wait_for(self._commit(list(partitions)), REVOKE_TIMEOUT)
        except (PassingFault, TimeoutError) as error:
            log.warning("the last commit failed, so some posts will be tagged again: %r", error)

    async def _commit(self, partitions: Iterable[Partition[Done]]) -> None:
        async with self._commit_lock:
            due = [partition for partition in partitions if partition.done > partition.committed]
            offsets = {each.id: (each.done, start.topic_id) for each in due if (start := each.start.result())}
            if not offsets:
                return
            fault("acking")
            if await self._offsets.commit(offsets):
                self._commits += 1
                for partition in due:
                    partition.committed = offsets[partition.id][0]

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

    def _health(self) -> Health:
        model = self._pipeline.active.model
        partitions = self._partitions.values()
        error = self._broken()
        return Health(
            state=self._state,
            model=model.name,
            version=model.version,
            partitions=sorted(each.id.partition for each in partitions),
            unknown=sorted(each.id.partition for each in partitions if not each.start.done()),
            broken=str(error) if isinstance(error, TrimodError) else repr(error) if error else "",
            waiting=dict(self._backoff.waiting),
            counters=self._trust.lost,
            refused=self._switch.refused,
        )

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._pipeline.guarded(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def posts_topic_id(kafka: Kafka) -> str:
    """Kafka's UUID of the posts topic. PassingFault also where metadata lacks it: it was there at the start,
    and may be in the middle of being made anew."""
    try:
        return topic_uuid(kafka, kafka.posts_topic)
    except (PassingFault, SettingsError, Refused):
        raise
    except TrimodError as error:
        raise PassingFault(str(error)) from error


def _name(partition: Partition[Done]) -> str:
    return f"{partition.id.topic}:{partition.id.partition}"


def _numbers(partitions: Iterable[TopicPartition]) -> str:
    return " ".join(str(number) for number in sorted(id_.partition for id_ in partitions)) or "none"
