"""Fields that were not in a documented form are counted per field, with a bounded set of labels."""

import asyncio
from typing import Any
from unittest.mock import AsyncMock

import orjson
from aiokafka import TopicPartition
from prometheus_client import generate_latest

from models.posts.field_notes import FIELDS
from stream.config.settings import Settings
from stream.images.url_fetcher import ImageUrls
from stream.pipeline.item import Work
from stream.pipeline.metrics import Metrics
from stream.pipeline.model import ActiveModel
from stream.pipeline.partition import Partition
from stream.pipeline.stages import Pipeline
from stream.runtime.tasks import BackgroundTasks
from stream.runtime.watchdog import ActivityTracker
from tests.support.fake_tagger import FakeTagger


def counted(metrics: Metrics) -> dict[str, float]:
    """`field outcome` -> count, of those that are not 0."""
    samples = (each for family in metrics.registry.collect() for each in family.samples)
    return {
        f"{each.labels['field']} {each.labels['outcome']}": each.value
        for each in samples
        if each.name == "trimod_post_fields_total" and each.value
    }


def test_posts_that_are_taken_in_are_counted() -> None:
    active = ActiveModel(FakeTagger())
    metrics, journal = Metrics(active.model), AsyncMock()
    posts: list[dict[str, Any]] = [
        {"author": 7, "lang": ["en"], "created_at": "yesterday"},
        {"author": 8, "images": ["a.jpg"] * 5},
        {"author": "ann", "unknown": 7},
    ]

    async def run() -> None:
        settings = Settings()
        pipeline = Pipeline(
            settings=settings,
            active=active,
            journal=journal,
            metrics=metrics,
            image_urls=ImageUrls(settings.fetch),
            activity=ActivityTracker(lambda: 0.0),
            background=BackgroundTasks(),
        )
        partition: Any = Partition(TopicPartition("posts", 0), 1, 100, 10**6)
        for offset, fields in enumerate(posts):
            value = orjson.dumps({"id": "1", "text": "Paris"} | fields)
            await pipeline.take_in(partition, Work(partition, "id", offset, None, value, 1))
        partition.close()
        await pipeline.stop()

    asyncio.run(run())
    expected = {"author converted": 2, "lang converted": 1, "created_at skipped": 1, "images skipped": 1}
    assert expected == counted(metrics)


def test_every_field_is_there_from_the_start() -> None:
    """So that an alert on an increase sees the first one."""
    page = generate_latest(Metrics(ActiveModel(FakeTagger()).model).registry).decode()
    for field in FIELDS:
        assert f'trimod_post_fields_total{{field="{field}",outcome="skipped"}} 0.0' in page
