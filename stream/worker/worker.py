"""The worker: the life of its process, from the first partition to an end in order.

Its promise is at least once: an offset is committed only when all posts before it are confirmed by the broker and
counted in Redis. Faust brings partitions (stream/consumer/assignment.py) and posts (stream/consumer/intake.py), the
pipeline tags them (stream/pipeline/stages.py, stream/pipeline/delivery.py), and what is counted is committed
(stream/consumer/committer.py). What cannot end in order any more is ended from outside (stream/runtime/watchdog.py)."""

import asyncio
import contextlib
import functools
import logging
import signal
import tempfile
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from models.core.errors import TrimodError
from stream.config.settings import Settings
from stream.consumer.assignment import Assignment
from stream.consumer.committer import Commits
from stream.consumer.counter_audit import Marks
from stream.consumer.faust_app import faust_app
from stream.consumer.group import explain
from stream.consumer.intake import Intake
from stream.consumer.offsets import Offsets
from stream.consumer.progress import Pulse
from stream.consumer.topic_identity import PostsTopic
from stream.counters.eviction import Eviction
from stream.counters.group_types import GroupLabels, types_of
from stream.counters.integrity import Trust
from stream.counters.store import Counters
from stream.errors import BrokenWorker, PassingFault, Refused, WorkEndedIt
from stream.images.url_fetcher import ImageUrls
from stream.kafka.publisher import Publisher
from stream.pipeline.delivery import Delivery
from stream.pipeline.item import Done
from stream.pipeline.journal import Journal
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import ActiveModel, PostTagger
from stream.pipeline.partition import Partition
from stream.pipeline.stages import Pipeline
from stream.runtime.retry import Backoff
from stream.runtime.tasks import Guard
from stream.runtime.watchdog import Watchdog
from stream.worker.http import serve
from stream.worker.model_switch import CheckpointSource, ModelSwitch
from stream.worker.status import Health, register_gauges

DRAIN_TIMEOUT = 3.5
"""Seconds that posts in work get to be finished at the end."""


SETTLE_TIMEOUT = 1.0
"""Seconds that what is published then gets to be counted."""


LEAVE_TIMEOUT = 2.0
"""Seconds that Faust gets to leave the group, and the connections to be closed."""


END_TIMEOUT = 9.5
"""Seconds after SIGTERM at which the process ends, however far it got."""


LABELS_LOOK = 10.0
"""Seconds between two looks at the group's entity types."""


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
        self._loop = asyncio.get_running_loop()
        self._state = "starting"
        self._failed: TrimodError | None = None
        self._stop = asyncio.Event()
        self._partitions: dict[TopicPartition, Partition[Done]] = {}
        self._guard = Guard()
        self._backoff = Backoff()
        worker = settings.worker
        self._watchdog = Watchdog(worker.hang_limit, worker.stall_limit, self._fail_from_thread)
        active = ActiveModel(tagger)
        self._metrics = Metrics(active.model)
        self._counters = Counters(settings.redis, settings.kafka.group)
        self._trust = Trust(self._counters)
        self._eviction = Eviction(self._counters, self._backoff)
        self._labels = GroupLabels(self._counters)
        self._types = types_of(tagger.labels)
        self._publisher = Publisher(settings.kafka)
        self._delivery = Delivery(
            settings.kafka,
            self._publisher,
            self._counters,
            self._trust,
            self._metrics,
            self._backoff,
            self._guard,
        )
        self._journal = Journal(self._counters)
        images = image_urls or ImageUrls(settings.fetch)
        self._pipeline = Pipeline(
            settings, active, self._journal, self._metrics, images, self._watchdog.busy, self._guard
        )
        self._switch = ModelSwitch(source, self._pipeline, self._metrics)

    async def run(self) -> None:
        """Work until SIGTERM, SIGINT or `stop`. Raises BrokenWorker where it cannot go on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._on_signal, number)
        with tempfile.TemporaryDirectory(prefix="trimod-worker-") as datadir:
            self._connect(faust_app(self._settings, Path(datadir), self._consume))
            async with serve(self._settings.worker, self._metrics.registry, self._health):
                self._pipeline.start()
                self._watchdog.start()
                try:
                    await self._work()
                except TrimodError as error:
                    self._failed = error
                    self._watchdog.end_within(END_TIMEOUT, error.exit_code)
                    raise
                finally:
                    await self._close()
                    self._watchdog.end_within(EXIT_TIMEOUT, self._exit_code())

    def stop(self) -> None:
        """Finish what is in work, commit, and end."""
        self._stop.set()

    def _connect(self, app: Any) -> None:
        """Put together what `app`, a faust.App that is not started yet, brings partitions and posts to."""
        partitions, backoff, guard = self._partitions, self._backoff, self._guard
        self._app = app
        self._offsets = offsets = Offsets(app, self._settings.kafka.isolation_level)
        self._commits = Commits(partitions, offsets, backoff)
        self._marks = Marks(partitions, self._counters, self._trust, backoff)
        topic = PostsTopic(self._settings.kafka, backoff, guard)
        self._intake = Intake(partitions, offsets, self._pipeline, topic, backoff, guard, self._stop)
        self._assignment = Assignment(
            self._settings,
            partitions,
            offsets,
            self._intake,
            self._delivery,
            self._journal,
            self._commits,
            self._marks,
            topic,
            backoff,
            guard,
        )
        app.on_partitions_assigned.connect(self._assignment.on_assigned)
        app.on_partitions_revoked.connect(self._assignment.on_revoked)
        self._pulse = Pulse(
            self._settings.kafka,
            self._watchdog,
            partitions,
            offsets,
            self._commits,
            topic,
            backoff,
            guard,
            lambda: self._state,
        )
        register_gauges(
            self._metrics,
            self._settings.kafka.group,
            self._intake,
            self._pipeline,
            self._delivery,
            self._commits,
            backoff,
            self._trust,
            self._eviction,
        )

    async def _work(self) -> None:
        self._guard.background(self._pulse.beat())
        self._guard.background(self._eviction.watch())
        stopping = asyncio.create_task(self._stop.wait())
        starting = asyncio.create_task(self._join())
        crashed = asyncio.create_task(self._app._crashed.wait())
        await self._first_of(stopping, starting, crashed)
        if starting.done():
            self._check_start(starting)
            self._state = "running"
            self._guard.background(self._commits.regularly())
            self._guard.background(self._intake.pass_gaps())
            self._guard.background(self._marks.watch())
            self._guard.background(self._watch_labels())
            self._guard.background(self._switch.watch())
            await self._first_of(stopping, crashed)
        for task in (crashed, stopping, starting):
            task.cancel()
        if self._guard.broken.done() or not self._stop.is_set():
            raise self._cause()

    async def _join(self) -> None:
        """Begin to read as a member of the group; not before it is known that we emit what it emits."""
        await self._check_labels()
        await self._app.start()

    async def _check_labels(self) -> None:
        check = functools.partial(self._labels.check, self._settings.kafka.group, self._types)
        await self._backoff.persist("checking the group's entity types", check)

    async def _watch_labels(self) -> None:
        """Notice others in a group whose types Redis had lost, or were changed; never ends."""
        while True:
            await asyncio.sleep(LABELS_LOOK)
            await self._check_labels()

    def _check_start(self, starting: asyncio.Task[Any]) -> None:
        """Raises PassingFault where the broker went away since we asked for the topics, and what no restart changes as
        what it is."""
        try:
            starting.result()
        except (KafkaError, OSError) as error:
            found = explain(error, self._settings.kafka)
            if found.exit_code == Refused.exit_code:
                raise found from error
            servers = self._settings.kafka.bootstrap_servers
            raise PassingFault(f"the broker at {servers} does not let the worker begin: {error!r}") from error

    async def _consume(self, stream: Any) -> None:
        await self._intake.consume(stream)

    async def _first_of(self, *tasks: asyncio.Task[Any]) -> None:
        """Return when one of these is done, or the worker is broken."""
        await asyncio.wait({*tasks, self._guard.broken}, return_when=asyncio.FIRST_COMPLETED)

    def _cause(self) -> TrimodError:
        """Why it cannot go on; its exit code says whether a restart may help."""
        if not self._guard.broken.done():
            reason = self._app.crash_reason
            if isinstance(reason, KafkaError):
                return explain(reason, self._settings.kafka)
            return BrokenWorker(f"worker cannot go on: Faust crashed: {reason!r}")
        error = self._guard.error
        if isinstance(error, TrimodError):
            return error
        return BrokenWorker(f"worker cannot go on: {error!r}")

    def _exit_code(self) -> int:
        error = self._failed or self._guard.error
        if isinstance(error, TrimodError):
            return error.exit_code
        return 0 if self._stop.is_set() and error is None else BrokenWorker.exit_code

    async def _close(self) -> None:
        """Finish what is in work if this is an orderly end, commit what is done, and leave the group."""
        orderly = self._stop.is_set() and self._guard.error is None
        self._state = "draining" if orderly else "broken"
        self._assignment.begin_no_more()
        if orderly:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained(), DRAIN_TIMEOUT)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._delivery.settle(), SETTLE_TIMEOUT)
        await self._assignment.close(blameless=not isinstance(self._guard.error, WorkEndedIt))
        self._guard.cancel()
        self._intake.close_all()
        self._delivery.close_all()
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
        self._loop.call_soon_threadsafe(self._guard.fail, error)

    def _health(self) -> Health:
        model = self._pipeline.active.model
        partitions = self._partitions.values()
        error = self._guard.error
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
            eviction=self._eviction.warning,
        )
