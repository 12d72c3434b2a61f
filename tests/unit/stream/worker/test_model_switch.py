"""Another model while posts flow: no batch mixes two, and a model that must not be used is not."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition

from models.core.errors import CheckpointError
from models.core.post import Mention, Post
from stream.config.settings import Settings
from stream.counters.integrity import CounterIntegrity
from stream.counters.store import Counters, CountUpdate
from stream.images.url_fetcher import ImageUrls
from stream.kafka.publisher import OutgoingRecord
from stream.pipeline.delivery import Delivery
from stream.pipeline.item import ProcessedPost, Work
from stream.pipeline.journal import Journal
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import ActiveModel, Model
from stream.pipeline.partition import Partition
from stream.pipeline.stages import Pipeline
from stream.runtime.retry import Backoff
from stream.runtime.tasks import BackgroundTasks
from stream.runtime.watchdog import ActivityTracker
from stream.worker.model_switch import CheckpointSource, ModelSwitch
from tests.support.fake_tagger import FakeTagger, Prepared

POSTS = 400


class Versioned(FakeTagger):
    """Tags only what it has prepared itself."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version

    def prepare(self, post: Post, pictures: Sequence[Any]) -> Prepared:
        return Prepared(f"{post.text} {self.version}", 3, ())

    def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
        assert all(prepared.text.endswith(f" {self.version}") for prepared in batch)
        return super().tag_prepared(batch)


class Sink:
    """Takes the records; stands for Kafka and Redis."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        self.records += records

    async def apply(self, topic_id: str, partition: int, posts: Sequence[CountUpdate]) -> int:
        return posts[0].offset - 1


def test_posts_are_tagged_by_the_model_that_prepared_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch every few posts, in the middle of everything; a mixed batch would make the tagger fail."""

    async def run() -> Sink:
        settings, sink = Settings(), Sink()
        counters = Counters(settings.redis, "app")
        monkeypatch.setattr(counters, "apply", sink.apply)
        models = [ActiveModel(Versioned(name)) for name in ("a", "b")]
        metrics, background = Metrics(models[0].model), BackgroundTasks()
        pipeline = Pipeline(
            settings=settings,
            active=models[0],
            journal=Journal(counters),
            metrics=metrics,
            image_urls=ImageUrls(settings.fetch),
            activity=ActivityTracker(lambda: 0.0),
            background=background,
        )
        delivery = Delivery(
            kafka=settings.kafka,
            publisher=sink,  # type: ignore[arg-type]
            counters=counters,
            integrity=CounterIntegrity(counters),
            metrics=metrics,
            backoff=Backoff(),
            background=background,
        )
        pipeline.start()
        partition = Partition[ProcessedPost](TopicPartition("posts", 0), 1, 10_000, 10**9)
        delivery.open(partition)
        for offset in range(POSTS):
            value = orjson.dumps({"id": str(offset), "text": "Rome"})
            await pipeline.take_in(partition, Work(partition, "id", offset, None, value, 1))
            if offset % 7 == 0:
                pipeline.active = models[offset % 2]
                await asyncio.sleep(0)
        await asyncio.wait_for(partition.work.empty(), 20)
        assert not background.broken.done()
        delivery.close_all()
        await pipeline.stop()
        await counters.close()
        return sink

    sink = asyncio.run(run())
    receipts = [orjson.loads(each.value or b"") for each in sink.records if each.topic == "posts.tagged"]
    assert [str(offset) for offset in range(POSTS)] == [receipt["post_id"] for receipt in receipts]
    assert {"a", "b"} == {receipt["model_version"] for receipt in receipts}
    assert [] == [each for each in sink.records if each.topic == "posts.dead"]


def switched(new: Any) -> tuple[str, str, dict[str, float]]:
    """(version in use, why refused, switches by outcome) after `new` was promoted; an error is what loading raises."""

    def load() -> FakeTagger:
        if isinstance(new, Exception):
            raise new
        return new

    async def run() -> ModelSwitch:
        switch = ModelSwitch(CheckpointSource(Path("none"), load), pipeline, metrics)
        await switch._switch()
        return switch

    pipeline: Any = SimpleNamespace(active=ActiveModel(FakeTagger()), memory_lock=asyncio.Lock())
    metrics = Metrics(Model("fake", "1"))
    switch = asyncio.run(run())
    outcomes = {
        sample.labels["outcome"]: sample.value
        for family in metrics.switches.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    return pipeline.active.model.version, switch.refused, outcomes


def test_a_good_one_is_used() -> None:
    assert ("2", "", {"switched": 1.0}) == switched(Versioned("2"))


def test_one_that_cannot_be_loaded_is_refused_with_the_reason() -> None:
    assert ("1", "manifest.json is missing", {"refused": 1.0}) == switched(
        CheckpointError("manifest.json is missing")
    )


def test_whatever_goes_wrong_the_old_one_stays() -> None:
    assert ("1", "MemoryError()", {"refused": 1.0}) == switched(MemoryError())


def test_other_labels_are_refused() -> None:
    other = Versioned("2")
    other.labels = (*other.labels, "B-THING")
    version, refused, _ = switched(other)
    assert "1" == version
    assert "adds ['B-THING']" in refused


def test_one_that_cannot_tag_its_golden_posts_is_refused() -> None:
    other = Versioned("2")
    other.golden = ("UNPREPARABLE BOOM",)
    other.prepare = FakeTagger().prepare  # type: ignore[method-assign]
    version, refused, _ = switched(other)
    assert "1" == version
    assert "golden posts" in refused


def test_the_same_again_is_no_switch() -> None:
    assert ("1", "", {}) == switched(FakeTagger())


def test_a_pointer_that_is_written_has_changed_and_a_folder_never_has(tmp_path: Path) -> None:
    pointer = tmp_path / "current"
    source = CheckpointSource(pointer, FakeTagger)
    seen = [source.changed()]
    pointer.write_text("a")
    seen += [source.changed(), source.changed()]
    new = tmp_path / "new"
    new.write_text("b")
    os.utime(new, ns=(pointer.stat().st_mtime_ns,) * 2)  # another file, of the same size and time
    new.replace(pointer)
    seen += [source.changed(), source.changed()]
    assert [False, True, False, True, False] == seen
    folder = CheckpointSource(tmp_path, FakeTagger)
    (tmp_path / "more").write_text("x")
    assert not folder.changed()
