"""Images by URL in the pipeline: posts overtake those that wait, leave in order, and their number is bounded."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from aiokafka import TopicPartition

from models.vision.decoding import Picture, decode_image
from stream.config.images import Fetch
from stream.config.settings import Settings
from stream.images import url_fetcher as image_urls
from stream.images.url_fetcher import ImageUrls
from stream.pipeline.item import ProcessedPost, Work
from stream.pipeline.partition import Partition
from stream.worker.model_switch import CheckpointSource
from stream.worker.wiring import WorkerComponents, wire
from tests.support.fake_tagger import FakeTagger
from tests.support.image_servers import ImageServer, downloading, png, serving
from tests.support.stub_app import StubApp


class Line:
    """A worker's pipeline with one partition; what would be published and counted is only noted."""

    def __init__(self, parts: WorkerComponents, server: ImageServer, release: asyncio.Event) -> None:
        self.pipeline, self.delivery = parts.pipeline, parts.delivery
        self.background, self.server, self.release = parts.background, server, release
        self.activity = parts.watchdog.activity
        self.partition: Partition[ProcessedPost] = Partition(TopicPartition("posts", 0), 1, 512, 2**20)
        self.delivery.open(self.partition)
        self._offset = 0

    async def take_in(self, path: str = "") -> None:
        url = f"http://images.test:{self.server.port}/{path}?{self._offset}"
        fields = {"id": str(self._offset), "text": "Paris", "images": [{"url": url}] if path else []}
        work = Work(self.partition, "id", self._offset, b"", orjson.dumps(fields), 0)
        self._offset += 1
        await self.pipeline.take_in(self.partition, work)


@asynccontextmanager
async def line(**fetch: int) -> AsyncIterator[Line]:
    """At `/slow` the server waits for `release`."""
    release = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(body=png(), content_type="image/png")

    settings = Settings(fetch=Fetch(seconds_per_post=30, **fetch))
    async with serving({"/slow": slow}) as server, downloading(server.port) as downloader:
        source = CheckpointSource(Path("none"), FakeTagger)
        urls, app = ImageUrls(settings.fetch, downloader), StubApp()
        parts = wire(settings=settings, tagger=FakeTagger(), source=source, app=app, image_urls=urls)
        parts.publisher.publish = _accept  # type: ignore[method-assign]
        parts.counters.apply = _accept  # type: ignore[method-assign,assignment]
        parts.pipeline.start()
        try:
            yield Line(parts, server, release)
        finally:
            release.set()
            parts.delivery.close_all()
            await parts.pipeline.stop()


async def _accept(*_: object) -> int:
    return 10**9


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the pipeline has no event for it
            await asyncio.sleep(0.01)


def test_posts_overtake_one_that_waits_for_its_image_and_leave_in_order() -> None:
    async def run() -> None:
        async with line() as it:
            for path in ("", "slow", "fast", "", ""):
                await it.take_in(path)
            await until(lambda: 1 == it.partition.done)
            await until(lambda: [False, True, True, True] == _finished(it))
            assert (1, 1) == (it.partition.done, it.pipeline.depths()["download"])
            it.release.set()
            await until(lambda: 5 == it.partition.done)

    asyncio.run(run())


def _finished(it: Line) -> list[bool]:
    return [slot.result is not None for slot in it.partition.work._slots]


def test_no_more_posts_wait_than_may() -> None:
    async def run() -> None:
        async with line(posts_at_once=2) as it:
            for _ in range(2):
                await it.take_in("slow")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(it.take_in("slow"), 0.3)
            assert 2 == it.pipeline.depths()["download"]
            it.release.set()
            await until(lambda: 2 == it.partition.done)

    asyncio.run(run())


def test_a_partition_that_is_taken_away_and_an_end_leave_nothing_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Downloads are ended before their connections are closed: an end in order is no fault in the log."""

    async def run() -> set[str]:
        async with line() as it:
            for path in ("slow", "slow", ""):
                await it.take_in(path)
            await until(lambda: 2 == len(it.server.requests))
            it.delivery.close(it.partition)
            await it.pipeline.stop()
            assert not it.background.broken.done()
            assert 0 == it.pipeline.depths()["download"]
        return {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}

    assert (set(), []) == (asyncio.run(run()), caplog.messages)


def test_an_image_by_url_whose_decoding_hangs_is_seen_by_the_watchdog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it would end the worker as a stall, for which the journal blames no post: time and again."""
    decoding, goes_on = threading.Event(), threading.Event()

    def hang(data: bytes) -> Picture:
        decoding.set()
        goes_on.wait(20)
        return decode_image(data)

    async def run() -> None:
        async with line() as it:
            await it.take_in("fast")
            await until(decoding.is_set)
            assert "decoding an image" == it.activity.longest()[1]
            goes_on.set()
            await until(lambda: 1 == it.partition.done)
            assert "" == it.activity.longest()[1]

    monkeypatch.setattr(image_urls, "decode_image", hang)
    asyncio.run(run())
