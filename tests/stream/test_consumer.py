"""What is read again after a seek reaches the worker: Faust's fetching loop, run without a broker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faust.types import TP, ConsumerMessage

from stream.consumer import Offsets
from stream.faust_app import faust_app
from stream.settings import Settings

PARTITION = TP("posts", 0)


async def consume(stream: Any) -> None:
    """An agent that is never started."""


def delivered(directory: Path, with_offsets: bool, *offsets: int) -> list[int]:
    """Which of the messages fetched at `offsets` Faust hands on."""

    async def run() -> list[int]:
        app = faust_app(Settings(), directory, consume)
        if with_offsets:
            Offsets(app, "read_committed")
        consumer = app.consumer
        stopped, found = asyncio.Event(), []

        async def getmany(**_: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
            for offset in offsets:
                yield (
                    PARTITION,
                    ConsumerMessage("posts", 0, offset, 0.0, 0, None, None, b"", None, tp=PARTITION),
                )
            stopped.set()

        async def callback(message: ConsumerMessage) -> None:
            found.append(message.offset)

        consumer.getmany, consumer.callback = getmany, callback  # type: ignore[method-assign]
        await consumer._drain_messages(SimpleNamespace(_stopped=stopped))
        consumer._thread.thread_loop.close()  # its thread was never started
        return found

    return asyncio.run(run())


def test_faust_drops_what_is_below_the_offset_it_read_last(tmp_path: Path) -> None:
    """Should this fail after an upgrade, stream/consumer.py may be thought over again."""
    assert [50, 51] == delivered(tmp_path, False, 50, 51, 10, 11)


def test_what_is_read_again_after_a_seek_is_not_dropped(tmp_path: Path) -> None:
    """A seek comes while Faust is in the middle of a batch, whose rest moves its read offset on again."""
    assert [50, 51, 10, 11] == delivered(tmp_path, True, 50, 51, 10, 11)
