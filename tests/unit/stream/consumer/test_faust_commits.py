"""Why the worker commits by itself: what Faust's own bookkeeping does with acks, shown on its consumer.

No broker is needed: what would be committed is asked of the consumer. If one of the first tests fails after
an upgrade, Faust has changed, and stream/consumer/offsets.py may be thought over again.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
from faust.types import TP, ConsumerMessage

from stream.config.settings import Settings
from stream.consumer.faust_app import faust_app, read_posts

PARTITION = TP("posts", 0)


async def consume(stream: Any) -> None:
    """An agent that is never started."""


def message(offset: int) -> ConsumerMessage:
    return ConsumerMessage("posts", 0, offset, 0.0, 0, None, None, b"", None, tp=PARTITION)


def acking_app(directory: Path) -> faust.App:
    """An app as Faust's manual has it, its topic acked."""
    app = faust.App("test", datadir=str(directory), web_enabled=False)
    app.finalize()
    app.topics._acking_topics.add("posts")
    return app


def committable(make: Callable[[], faust.App], committed: int | None, *acked: int) -> int | None:
    """What Faust would commit, where `committed` was and those offsets are acked."""

    async def ask() -> int | None:
        consumer = make().consumer
        consumer._committed_offset[PARTITION] = committed
        for offset in acked:
            consumer.ack(message(offset))
        new: int | None = consumer._new_offset(PARTITION)
        consumer._thread.thread_loop.close()  # its thread was never started
        return new

    return asyncio.run(ask())


def test_faust_commits_past_an_unprocessed_offset_where_just_the_first_is_missing(tmp_path: Path) -> None:
    assert 12 == committable(lambda: acking_app(tmp_path), 10, 11)  # 10 was never acked


def test_faust_commits_past_everything_where_nothing_was_committed_yet(tmp_path: Path) -> None:
    assert 16 == committable(lambda: acking_app(tmp_path), None, 15)  # 0 to 14 were never acked


def test_our_app_has_no_bookkeeping_of_faust(tmp_path: Path) -> None:
    def app() -> faust.App:
        ours = faust_app(Settings(), tmp_path)
        read_posts(ours, "posts", consume)
        for agent in ours.agents.values():  # as the conductor does at the start
            ours.topics._acking_topics.update(name for name in agent.channel.topics if agent.channel.acks)
        return ours

    assert committable(app, None, 0, 1, 15) is None
