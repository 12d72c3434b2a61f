"""Which posts topic we read: Kafka's UUID of it, and whether it is still the same.

A topic that is deleted and made anew keeps its name and begins its offsets again: who read on would drop its first
posts as read before. So the worker ends, and its next start reads from the beginning."""

import asyncio

from models.core.errors import TrimodError
from stream.config.kafka import Kafka
from stream.errors import BrokenWorker, PassingFault, Refused, SettingsError
from stream.kafka.topics import topic_uuid
from stream.runtime.retry import Backoff
from stream.runtime.tasks import Guard

ASK_EVERY = 10.0
"""Seconds between two questions, at the least."""


class PostsTopic:
    """The posts topic as one worker reads it."""

    def __init__(self, kafka: Kafka, backoff: Backoff, guard: Guard) -> None:
        self._kafka, self._backoff, self._guard = kafka, backoff, guard
        self._asked_at = 0.0
        self._uuid = ""

    async def uuid(self, what: str) -> str:
        """Kafka's UUID of it; a broker that is away is waited for, and `what` names who is waiting. Raises
        BrokenWorker where it is not the one of before, also if no partition of that is ours any more: Faust's
        assignor still knows its partitions, and fails where the new topic has less."""
        uuid = await self._backoff.persist(what, lambda: asyncio.to_thread(posts_topic_id, self._kafka))
        if self._uuid not in ("", uuid):
            raise BrokenWorker(
                f"topic {self._kafka.posts_topic} was deleted and made anew: it is read from its beginning"
                " by the next start"
            )
        self._uuid = uuid
        return uuid

    def ask(self) -> None:
        """Have the broker asked, in the background, whether it is there (else it is waited for, by name) and
        whether the topic is still the same; if it is not, the worker is broken."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_at > ASK_EVERY:
            self._asked_at = now
            self._guard.background(self._compare())

    async def _compare(self) -> None:
        await self.uuid("asking for the posts topic")


def posts_topic_id(kafka: Kafka) -> str:
    """Kafka's UUID of the posts topic. PassingFault also where metadata lacks it: it was there at the start,
    and may be in the middle of being made anew."""
    try:
        return topic_uuid(kafka, kafka.posts_topic)
    except (PassingFault, SettingsError, Refused):
        raise
    except TrimodError as error:
        raise PassingFault(str(error)) from error
