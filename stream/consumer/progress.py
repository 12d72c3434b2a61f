"""Signs of life to the watchdog: how much was committed, whether there is work to do, and whether it is waited for.

The start counts as work that is to be done. Where nothing goes on, the broker is asked before the watchdog ends the
worker: if it is away, that is a named wait. When enough is enough, stream/runtime/watchdog.py decides. A group that
others use is a named wait as well, and joined as soon as they have left."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from stream.config.kafka import Kafka
from stream.consumer.committer import Commits
from stream.consumer.group import explain, may_be_in_use, who_is_in
from stream.consumer.offsets import Offsets
from stream.consumer.topic_identity import PostsTopic
from stream.errors import BrokenWorker, PassingFault
from stream.pipeline.item import Done
from stream.pipeline.partition import Partition
from stream.runtime.retry import Backoff
from stream.runtime.tasks import Guard
from stream.runtime.watchdog import Signs, Watchdog

PULSE = 0.5
"""Seconds between two signs of life."""


JOINING = "joining the group"
"""Who waits for others to leave the group, as /health names it: not ready meanwhile."""
START_TIMEOUT = 60.0
"""Seconds that joining the group may take before it counts as work that does not go on."""


ASK_AFTER = 10.0
"""Seconds without progress after which the broker is asked whether it is there, and the topic still the same."""


@dataclass(slots=True)
class Life:
    """How far the worker's life is, as /health tells it."""

    state: str = "starting"
    """starting, running, draining or broken."""


class Pulse:
    """The pulse of one worker."""

    def __init__(
        self,
        *,
        kafka: Kafka,
        watchdog: Watchdog,
        partitions: Mapping[TopicPartition, Partition[Done]],
        offsets: Offsets,
        commits: Commits,
        topic: PostsTopic,
        backoff: Backoff,
        guard: Guard,
        life: Life,
    ) -> None:
        self._kafka, self._watchdog, self._partitions, self._offsets = kafka, watchdog, partitions, offsets
        self._commits, self._topic, self._backoff, self._guard = commits, topic, backoff, guard
        self._life = life
        self._joining = False

    async def beat(self) -> None:
        """Give signs of life; never ends. Raises a TrimodError where the Kafka client has given up for good."""
        began = self._watchdog.clock()
        while True:
            state = self._life.state
            if state in ("starting", "running"):
                self._look_at_group()
            late = state == "starting" and self._watchdog.clock() - began > START_TIMEOUT
            behind = late or (state == "running" and self._behind())
            self._watchdog.beat(Signs(self._commits.count, behind, bool(self._backoff.waiting)))
            if self._watchdog.stalled > ASK_AFTER:
                self._topic.ask()
            await asyncio.sleep(PULSE)

    def _look_at_group(self) -> None:
        if self._offsets.has_left:
            raise BrokenWorker("the Kafka client has left the group and does not come back")
        error = self._offsets.error
        if error is None or self._joining:
            return
        if not (self._offsets.joins and may_be_in_use(error)):
            raise explain(error, self._kafka)
        self._joining = True
        self._guard.background(self._join())

    async def _join(self) -> None:
        """Try to join until it works."""
        try:
            await self._backoff.persist(JOINING, self._try_to_join)
        finally:
            self._joining = False

    async def _try_to_join(self) -> None:
        """Have the client try again where its last try failed; raises PassingFault where others have the group."""
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
        raise PassingFault(
            f"group {self._kafka.group} is in use by another kind of consumer: stop it, or set kafka.group"
            f" ({who or 'it has just left'})"
        )

    def _behind(self) -> bool:
        """Whether there is work to do."""
        return self._offsets.reads_on(list(self._partitions)) or any(
            len(each.work) or each.done > each.committed or not each.start.done()
            for each in self._partitions.values()
        )
