"""Posts in other languages in the pipeline: neither downloaded nor tagged, but with a receipt, and counted."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
from aiokafka import TopicPartition

from stream.config.settings import Settings
from stream.config.worker import Worker
from stream.images.url_fetcher import ImageUrls
from stream.pipeline.item import ProcessedPost, Work
from stream.pipeline.partition import Partition
from stream.worker.model_switch import CheckpointSource
from stream.worker.wiring import wire
from tests.support.fake_tagger import FakeTagger
from tests.support.stub_app import StubApp

GERMAN = "Die Bundesregierung plant neue Regeln für Hunde und Katzen"
IMAGE = [{"url": "https://pbs.twimg.com/media/a.jpg"}]


class NoImageUrls(ImageUrls):
    async def fetch(self, *_: object) -> Any:
        raise AssertionError("an image of a skipped post is fetched")


def pass_through(
    posts: list[dict[str, Any]], *languages: str
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The records of the receipts topic, and the finished posts by outcome and error."""
    sent: list[dict[str, Any]] = []

    async def publish(records: Any) -> None:
        sent.extend(orjson.loads(record.value) for record in records if record.topic == "posts.tagged")

    async def apply(*_: object) -> int:
        return 10**9

    async def run() -> dict[str, float]:
        settings = Settings(worker=Worker(languages=languages))
        source, urls = CheckpointSource(Path("none"), FakeTagger), NoImageUrls(settings.fetch)
        parts = wire(settings=settings, tagger=FakeTagger(), source=source, app=StubApp(), image_urls=urls)
        parts.publisher.publish = publish  # type: ignore[method-assign]
        parts.counters.apply = apply  # type: ignore[method-assign,assignment]
        partition: Partition[ProcessedPost] = Partition(TopicPartition("posts", 0), 1, 512, 2**20)
        parts.delivery.open(partition)
        parts.pipeline.start()
        for offset, post in enumerate(posts):
            await parts.pipeline.take_in(partition, Work(partition, "id", offset, b"", orjson.dumps(post), 7))
        async with asyncio.timeout(20):
            while partition.done < len(posts):  # noqa: ASYNC110 - the pipeline has no event for it
                await asyncio.sleep(0.01)
        parts.delivery.close_all()
        await parts.pipeline.stop()
        samples = next(m for m in parts.metrics.registry.collect() if m.name == "trimod_posts").samples
        return {
            f"{sample.labels['outcome']} {sample.labels['error']}".strip(): sample.value
            for sample in samples
            if sample.name == "trimod_posts_total"
        }

    finished = asyncio.run(run())
    return sent, finished


def test_a_post_in_another_language_has_a_receipt_with_the_reason_and_is_counted() -> None:
    posts = [
        {"id": "0", "text": GERMAN, "images": IMAGE, "source": "s", "created_at": 5},
        {"id": "1", "text": "Paris is fine"},
        {"id": "2", "text": "Paris is fine", "lang": "fr", "images": IMAGE},
        {"id": "3", "text": GERMAN, "lang": "en"},
    ]
    receipts, finished = pass_through(posts, "en")
    assert ["language", None, "language", None] == [receipt["reason"] for receipt in receipts]
    assert [0, 1, 0, 5] == [len(receipt["mentions"]) for receipt in receipts]
    first = receipts[0]
    assert ("0", "s", 5000, "1") == tuple(
        first[key] for key in ("post_id", "source", "created_at", "model_version")
    )
    assert {"tagged": 2, "skipped language": 2} == finished


def test_with_all_languages_every_post_is_tagged() -> None:
    receipts, finished = pass_through(
        [{"id": "0", "text": GERMAN}, {"id": "1", "text": GERMAN, "lang": "de"}], "*"
    )
    assert [None, None] == [receipt["reason"] for receipt in receipts]
    assert {"tagged": 2, "skipped language": 0} == finished


def test_a_post_that_is_invalid_is_a_dead_letter_whatever_its_language() -> None:
    receipts, finished = pass_through([{"id": "0", "lang": "de"}], "en")
    assert ([], {"tagged": 0, "skipped language": 0, "dead BadPost": 1}) == (receipts, finished)
