"""Whether the posts topic is still the one that we began to read."""

import asyncio

import pytest

from stream.config.kafka import Kafka
from stream.consumer import topic_identity as posts_topic
from stream.consumer.topic_identity import PostsTopic
from stream.errors import BrokenWorker
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks


def test_a_topic_that_was_made_anew_breaks_also_a_worker_without_partitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Faust's assignor would remember partitions that the new one may not have, and fail for the whole group."""
    uuids = iter(("old", "old", "new"))
    monkeypatch.setattr(posts_topic, "topic_uuid", lambda kafka, topic: next(uuids))

    async def run() -> BaseException | None:
        background = BackgroundTasks()
        topic = PostsTopic(Kafka(), Backoff(), background)
        assert ["old", "old"] == [await topic.uuid("starting"), await topic.uuid("starting")]
        monkeypatch.setattr(posts_topic, "ASK_EVERY", -1.0)
        topic.ask()
        await asyncio.wait([background.broken], timeout=5)
        return background.error

    error = asyncio.run(run())
    assert isinstance(error, BrokenWorker)
    assert "was deleted and recreated" in str(error)
