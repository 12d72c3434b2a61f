"""Progress reports to the watchdog: the number of commits, whether posts are pending, and whether the worker waits.

Startup counts as pending work. If there is no progress, the broker is asked before the watchdog stops the worker: if it
is unavailable, that is a named wait. stream/runtime/watchdog.py has the limits. A group that others use is a named wait
too, and is joined as soon as they have left."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from stream.config.kafka import Kafka
from stream.consumer.committer import Committer
from stream.consumer.group import explain, in_use, may_be_in_use, who_is_in
from stream.consumer.offsets import Offsets
from stream.consumer.topic_identity import PostsTopic
from stream.errors import BrokenWorker, PassingFault
from stream.pipeline.item import ProcessedPost
from stream.pipeline.partition import Partition
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks
from stream.runtime.watchdog import Liveness, Watchdog

REPORT_INTERVAL = 0.5
"""Seconds between two reports."""
JOINING = "joining the group"
"""The task that waits for others to leave the group, as named on /health; not ready meanwhile."""
START_TIMEOUT = 60.0
"""Seconds for joining the group before it counts as no progress."""
ASK_AFTER = 10.0
"""Seconds without progress after which we check whether the broker answers and the topic is still the same."""


@dataclass(slots=True)
class Lifecycle:
    """The worker's state, as shown on /health."""

    state: str = "starting"
    """starting, running, draining or broken."""


class ProgressReporter:
    """The progress reports of one worker."""

    def __init__(
        self,
        *,
        kafka: Kafka,
        watchdog: Watchdog,
        partitions: Mapping[TopicPartition, Partition[ProcessedPost]],
        offsets: Offsets,
        committer: Committer,
        topic: PostsTopic,
        backoff: Backoff,
        background: BackgroundTasks,
        lifecycle: Lifecycle,
    ) -> None:
        self._kafka, self._watchdog, self._partitions, self._offsets = kafka, watchdog, partitions, offsets
        self._committer, self._topic, self._backoff, self._background = committer, topic, backoff, background
        self._lifecycle = lifecycle
        self._joining = False

    async def beat(self) -> None:
        """Report progress; never ends. Raises a TrimodError if the Kafka client has given up."""
        began = self._watchdog.clock()
        while True:
            state = self._lifecycle.state
            if state in ("starting", "running"):
                self._look_at_group()
            late = state == "starting" and self._watchdog.clock() - began > START_TIMEOUT
            behind = late or (state == "running" and self._behind())
            self._watchdog.beat(Liveness(self._committer.count, behind, bool(self._backoff.waiting)))
            if self._watchdog.stalled > ASK_AFTER:
                self._topic.ask()
            await asyncio.sleep(REPORT_INTERVAL)

    def _look_at_group(self) -> None:
        if self._offsets.has_left:
            raise BrokenWorker("the Kafka client has left the group and will not rejoin")
        error = self._offsets.error
        if error is None or self._joining:
            return
        if not (self._offsets.joins and may_be_in_use(error)):
            raise explain(error, self._kafka)
        self._joining = True
        self._background.start(self._join())

    async def _join(self) -> None:
        """Retry until joining works."""
        try:
            await self._backoff.persist(JOINING, self._try_to_join)
        finally:
            self._joining = False

    async def _try_to_join(self) -> None:
        """Let the client retry if its last attempt failed; raises PassingFault if others use the group."""
        error = self._offsets.error
        if error is None:
            return
        try:
            who = await asyncio.to_thread(who_is_in, self._kafka)
        finally:
            self._offsets.retry_join()
        found = explain(error, self._kafka)
        if not (self._offsets.joins and may_be_in_use(error) and (who or isinstance(found, PassingFault))):
            raise found
        raise PassingFault(f"{in_use(self._kafka)} ({who or 'it has just left'})")

    def _behind(self) -> bool:
        """Whether posts are pending."""
        return self._offsets.reads_on(list(self._partitions)) or any(
            len(each.work) or each.done > each.committed or not each.start.done()
            for each in self._partitions.values()
        )
