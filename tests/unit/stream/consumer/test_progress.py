"""The pulse finds out what the Kafka client tells nobody."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError, UnknownError

from stream.config.kafka import Kafka
from stream.consumer.progress import Lifecycle, ProgressReporter
from stream.errors import BrokenWorker
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks
from stream.runtime.watchdog import Watchdog


def pulse_of(offsets: Any, other: Any, background: Any, watchdog: Watchdog, state: str) -> ProgressReporter:
    return ProgressReporter(
        kafka=Kafka(), watchdog=watchdog, partitions={}, offsets=offsets, committer=other, topic=other,
        backoff=Backoff(), background=background, lifecycle=Lifecycle(state),
    )  # fmt: skip


def test_a_start_that_does_not_go_on_is_told_to_the_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust may wait for a group for ever, and say nothing."""
    monkeypatch.setattr("stream.consumer.progress.REPORT_INTERVAL", 0.01)
    monkeypatch.setattr("stream.consumer.progress.START_TIMEOUT", 5.0)
    offsets: Any = SimpleNamespace(has_left=False, error=None)
    told: list[BrokenWorker] = []
    other: Any = SimpleNamespace(count=0, ask=lambda: None)
    watchdog = Watchdog(1000, 120, told.append)
    progress = pulse_of(offsets, other, other, watchdog, "starting")

    async def run() -> list[float]:
        beating = asyncio.create_task(progress.beat())
        seconds = []
        while not told and watchdog.clock() < 1000:
            await asyncio.sleep(0.02)
            watchdog._seconds += 1.0  # as its thread counts them
            watchdog.look()
            seconds.append(watchdog.clock())
        beating.cancel()
        return seconds

    assert 120 < asyncio.run(run())[-1] < 160
    assert "no progress for" in str(told[0])


def test_an_error_of_the_client_that_no_fetch_raises_ends_the_worker() -> None:
    """It waits for somebody to hear of it; without partitions, nobody fetches, and it would wait for ever."""
    offsets: Any = SimpleNamespace(has_left=False, joins=True, error=ValueError("no assignment"))
    other: Any = None
    watchdog = Watchdog(60, 60, lambda error: None)
    progress = pulse_of(offsets, other, other, watchdog, "running")
    with pytest.raises(BrokenWorker, match="cannot continue: no assignment"):
        asyncio.run(asyncio.wait_for(progress.beat(), 5))


@pytest.mark.parametrize(("who", "joins"), [("", True), ("a group of type consumer", False)])
def test_an_unknown_error_is_waited_out_only_where_others_have_the_group(
    monkeypatch: pytest.MonkeyPatch, who: str, joins: bool
) -> None:
    """A fenced instance id has no class of its own either; and what a heartbeat hits does not pass by joining."""
    monkeypatch.setattr("stream.consumer.progress.who_is_in", lambda kafka: who)
    error = KafkaError(repr(UnknownError()))
    offsets: Any = SimpleNamespace(has_left=False, joins=joins, error=error, retry_join=lambda: None)
    other: Any = SimpleNamespace(count=0)
    watchdog = Watchdog(60, 60, lambda error: None)

    async def run() -> None:
        background = BackgroundTasks()
        progress = pulse_of(offsets, other, background, watchdog, "starting")
        beating = background.run(progress.beat())
        await asyncio.wait({background.broken}, timeout=5)
        beating.cancel()
        background.cancel()
        raise background.error or AssertionError("it waits")

    with pytest.raises(BrokenWorker, match="UnknownError"):
        asyncio.run(run())
