"""What is read again after a seek reaches the worker: Faust's fetching loop, run without a broker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError, UnsupportedCodecError
from faust.types import TP, ConsumerMessage

from stream.config.settings import Settings
from stream.consumer.faust_app import faust_app, read_posts
from stream.consumer.offsets import Fetched, Offsets

PARTITION = TP("posts", 0)


async def consume(stream: Any) -> None:
    """An agent that is never started."""


def delivered(directory: Path, with_offsets: bool, *offsets: int) -> list[int]:
    """Which of the messages fetched at `offsets` Faust hands on."""

    async def run() -> list[int]:
        app = faust_app(Settings(), directory)
        read_posts(app, "posts", consume)
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
    """Should this fail after an upgrade, stream/consumer/offsets.py may be thought over again."""
    assert [50, 51] == delivered(tmp_path, False, 50, 51, 10, 11)


def test_what_is_read_again_after_a_seek_is_not_dropped(tmp_path: Path) -> None:
    """A seek comes while Faust is in the middle of a batch, whose rest moves its read offset on again."""
    assert [50, 51, 10, 11] == delivered(tmp_path, True, 50, 51, 10, 11)


class State:
    """A partition's place, as aiokafka keeps it."""

    has_valid_position = True

    def __init__(self, position: int) -> None:
        self.position = position


class Fetching:
    """Faust's consumer and aiokafka's, as far as fetching goes: `fetches` are done one after the other."""

    def __init__(self, position: int, *fetches: Any) -> None:
        self.state, self._fetches = State(position), list(fetches)
        assignment = SimpleNamespace(tps=[PARTITION], state_value=lambda partition: self.state)
        subscription = SimpleNamespace(assignment=assignment)
        self.client = SimpleNamespace(
            _subscription=SimpleNamespace(subscription=subscription, reassignment_in_progress=False),
            _coordinator=SimpleNamespace(generation=1, _pending_exception=None),
            seek_to_committed=self._seek_to_committed,
        )
        self.thread = SimpleNamespace(
            _create_consumer=lambda: self.client, _fetch_records=self._fetch, _consumer=self.client
        )
        self.offsets = Offsets(
            SimpleNamespace(consumer=SimpleNamespace(_thread=self.thread)), "read_committed"
        )
        self.thread._create_consumer()

    def run(self, times: int) -> list[Any]:
        async def run() -> list[Any]:
            return [await self.thread._fetch_records(self.client) for _ in range(times)]

        return asyncio.run(run())

    async def _fetch(self, consumer: Any) -> Any:
        return await self._fetches.pop(0)(self)

    async def _seek_to_committed(self) -> None:
        self.state.position = 500


def records(position: int, *offsets: int) -> Any:
    """A fetch of posts at these offsets, after which the next one begins at `position`."""

    async def fetch(fetching: Fetching) -> Any:
        fetching.state.position = position
        return {PARTITION: [SimpleNamespace(offset=offset) for offset in offsets]} if offsets else {}

    return fetch


def failing(error: Exception) -> Any:
    async def fetch(fetching: Fetching) -> Any:
        raise error

    return fetch


def test_how_far_was_fetched_is_noted_without_a_gap() -> None:
    fetching = Fetching(10, records(15, 10, 11), records(18), records(20, 19))
    seen = [fetching.run(1) and fetching.offsets.fetched(PARTITION, 1) for _ in range(3)]
    assert [Fetched(1, 10, 11, 15), Fetched(1, 10, 11, 18), Fetched(1, 10, 19, 20)] == seen
    assert fetching.offsets.fetched(PARTITION, 2) is None


def test_a_seek_by_faust_forgets_what_was_fetched() -> None:
    """Before a fetch, and in the middle of one."""

    async def sought(fetching: Fetching) -> Any:
        await fetching.client.seek_to_committed()
        return {}

    fetching = Fetching(10, records(12, 10, 11), sought, records(510))
    fetching.run(2)
    assert fetching.offsets.fetched(PARTITION, 1) is None
    fetching.run(1)
    assert Fetched(1, 500, -1, 510) == fetching.offsets.fetched(PARTITION, 1)


def test_nothing_is_handed_on_after_a_fetch_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka moves on from other partitions' posts that it drained before the error: they must not be passed."""
    monkeypatch.setattr("stream.consumer.offsets.ASK_AGAIN", 0.01)
    error = UnsupportedCodecError("codec 9")
    fetching = Fetching(10, records(12, 10, 11), failing(error), records(20, 15))
    assert [{}, {}] == fetching.run(3)[1:]
    assert error is fetching.offsets.error
    assert Fetched(1, 10, 11, 12) == fetching.offsets.fetched(PARTITION, 1)


def test_an_error_of_joining_the_group_does_not_end_the_fetching() -> None:
    fetching = Fetching(10, failing(KafkaError("join")), records(12, 10))
    fetching.client._coordinator._pending_exception = KafkaError("join")
    fetching.run(1)
    fetching.client._coordinator._pending_exception = None
    assert [10] == [record.offset for record in fetching.run(1)[0][PARTITION]]
    assert fetching.offsets.error is None
