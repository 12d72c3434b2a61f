"""A model is not loaded while a suspect post is handled alone, nor the other way round: a process that is killed for
memory would else condemn a post for what the load took."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aiokafka import TopicPartition

from stream.config.settings import Settings
from stream.images.url_fetcher import ImageUrls
from stream.pipeline.item import ProcessedPost, Work
from stream.pipeline.journal import JournalEntry, Suspicion
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import ActiveModel
from stream.pipeline.partition import Partition
from stream.pipeline.stages import Pipeline
from stream.runtime.tasks import BackgroundTasks
from stream.runtime.watchdog import ActivityTracker
from stream.worker.model_switch import CheckpointSource, ModelSwitch
from tests.support.fake_tagger import FakeTagger


class Notes:
    """A journal that only remembers; a post that is handled alone survives once it may."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.survives = asyncio.Event()

    async def note(self, taken: Mapping[JournalEntry, int]) -> None: ...

    async def note_alone(self, claim: JournalEntry, offset: int) -> None:
        self.lines.append(f"alone {offset}")

    async def note_survived(self, claim: JournalEntry) -> None:
        await self.survives.wait()
        self.lines.append("survived")


class Running:
    """A pipeline with one partition, whose posts up to offset 0 are suspect, and a switch that loads when it may."""

    def __init__(self) -> None:
        settings, background = Settings(), BackgroundTasks()
        active = ActiveModel(FakeTagger())
        metrics, self.journal = Metrics(active.model), Notes()
        journal: Any = self.journal
        self.pipeline = Pipeline(
            settings=settings,
            active=active,
            journal=journal,
            metrics=metrics,
            image_urls=ImageUrls(settings.fetch),
            activity=ActivityTracker(lambda: 0.0),
            background=background,
        )
        self.partition: Partition[ProcessedPost] = Partition(TopicPartition("posts", 0), 1, 100, 10**6)
        self.partition.claim = JournalEntry("posts:0", Suspicion(2, 0))
        self.may_load = threading.Event()
        self.switch = ModelSwitch(CheckpointSource(Path("none"), self._load), self.pipeline, metrics)

    def _load(self) -> FakeTagger:
        self.journal.lines.append("loading")
        assert self.may_load.wait(20)
        self.journal.lines.append("loaded")
        return FakeTagger()

    async def post(self, offset: int) -> None:
        value = orjson.dumps({"id": str(offset), "text": "Rome"})
        work = Work(self.partition, "id", offset, None, value, 1)
        await self.pipeline.take_in(self.partition, work)

    @property
    def finished(self) -> list[bool]:
        return [slot.result is not None for slot in self.partition.work._slots]


@asynccontextmanager
async def running() -> AsyncIterator[Running]:
    it = Running()
    it.pipeline.start()
    try:
        yield it
    finally:
        it.may_load.set()
        it.partition.close()
        await it.pipeline.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the pipeline has no event for it
            await asyncio.sleep(0.01)


def test_a_suspect_post_waits_for_a_load_in_progress_and_others_do_not() -> None:
    async def run() -> list[str]:
        async with running() as it:
            switching = asyncio.create_task(it.switch._switch())
            await until(lambda: ["loading"] == it.journal.lines)
            suspect = asyncio.create_task(it.post(0))
            await asyncio.sleep(0)
            await it.post(1)
            await until(lambda: [False, True] == it.finished)
            await asyncio.sleep(0.05)
            it.journal.survives.set()
            it.may_load.set()
            await asyncio.gather(switching, suspect)
            return it.journal.lines

    assert ["loading", "loaded", "alone 0", "survived"] == asyncio.run(run())


def test_a_load_waits_for_the_suspect_post() -> None:
    async def run() -> list[str]:
        async with running() as it:
            suspect = asyncio.create_task(it.post(0))
            await until(lambda: ["alone 0"] == it.journal.lines)
            it.may_load.set()
            switching = asyncio.create_task(it.switch._switch())
            await asyncio.sleep(0.05)
            it.journal.survives.set()
            await asyncio.gather(suspect, switching)
            return it.journal.lines

    assert ["alone 0", "survived", "loading", "loaded"] == asyncio.run(run())
