"""Signs of life to the watchdog: how much was committed, whether there is work to do, and whether it is waited for.

Where nothing goes on, the broker is asked before the watchdog ends the worker: if it is away, that is a named wait.
When enough is enough, stream/watchdog.py decides."""

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import TopicPartition

from stream.backoff import Backoff
from stream.commits import Commits
from stream.consumer import Offsets
from stream.errors import BrokenWorker
from stream.partition import Partition
from stream.posts_topic import PostsTopic
from stream.watchdog import Signs, Watchdog
from stream.work import Done

PULSE = 0.5
"""Seconds between two signs of life."""
ASK_AFTER = 10.0
"""Seconds without progress after which the broker is asked whether it is there, and the topic still the same."""


class Pulse:
    """The pulse of one worker; `running` says whether it reads posts by now, and still does."""

    def __init__(
        self,
        watchdog: Watchdog,
        partitions: Mapping[TopicPartition, Partition[Done]],
        offsets: Offsets,
        commits: Commits,
        topic: PostsTopic,
        backoff: Backoff,
        running: Callable[[], bool],
    ) -> None:
        self._watchdog, self._partitions, self._offsets = watchdog, partitions, offsets
        self._commits, self._topic, self._backoff = commits, topic, backoff
        self._running = running

    async def beat(self) -> None:
        """Give signs of life; never ends. Raises BrokenWorker where the Kafka client has given up."""
        while True:
            running = self._running()
            if running and self._offsets.has_left:
                raise BrokenWorker("the Kafka client has left the group and does not come back")
            if running and (error := self._offsets.error):
                raise BrokenWorker(f"the Kafka client cannot join the group: {error!r}")
            behind = running and self._behind()
            self._watchdog.beat(Signs(self._commits.count, behind, bool(self._backoff.waiting)))
            if self._watchdog.stalled > ASK_AFTER:
                self._topic.ask()
            await asyncio.sleep(PULSE)

    def _behind(self) -> bool:
        """Whether there is work to do."""
        return self._offsets.reads_on(list(self._partitions)) or any(
            len(each.work) or each.done > each.committed or not each.start.done()
            for each in self._partitions.values()
        )
