"""The identity of the posts topic: its Kafka UUID, and whether that is still the same.

A topic that is deleted and recreated keeps its name, but its offsets start again. A worker that continued would drop
the first posts as already read. So the worker exits, and the next start reads from the beginning."""

import asyncio

from models.core.errors import TrimodError
from stream.config.kafka import Kafka
from stream.errors import AccessDenied, BrokenWorker, PassingFault, SettingsError
from stream.kafka.topics import topic_uuid
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks

ASK_EVERY = 10.0
"""Minimum seconds between two requests."""


class PostsTopic:
    """The posts topic as one worker reads it."""

    def __init__(self, kafka: Kafka, backoff: Backoff, background: BackgroundTasks) -> None:
        self._kafka, self._backoff, self._background = kafka, backoff, background
        self._asked_at = 0.0
        self._uuid = ""

    async def uuid(self, what: str) -> str:
        """The topic's Kafka UUID; waits for an unavailable broker, and `what` names the waiting task. Raises
        BrokenWorker if the UUID has changed, even if we own no partition of the old topic any more: Faust's assignor
        still knows its partitions, and fails if the new topic has fewer."""
        uuid = await self._backoff.persist(what, lambda: asyncio.to_thread(posts_topic_id, self._kafka))
        if self._uuid not in ("", uuid):
            raise BrokenWorker(
                f"topic {self._kafka.posts_topic} was deleted and recreated: the next start reads it from the beginning"
            )
        self._uuid = uuid
        return uuid

    def ask(self) -> None:
        """Check in the background whether the broker answers (otherwise it is a named wait) and whether the topic is
        still the same. If it is not, the worker is broken."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_at > ASK_EVERY:
            self._asked_at = now
            self._background.start(self._compare())

    async def _compare(self) -> None:
        await self.uuid("asking for the posts topic")


def posts_topic_id(kafka: Kafka) -> str:
    """Kafka's UUID of the posts topic. PassingFault also if the metadata lacks it: it existed at startup, and may be
    being recreated."""
    try:
        return topic_uuid(kafka, kafka.posts_topic)
    except (PassingFault, SettingsError, AccessDenied):
        raise
    except TrimodError as error:
        raise PassingFault(str(error)) from error
