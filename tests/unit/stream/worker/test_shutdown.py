"""The worker's end while the group rebalances: Faust still calls it then, and it must neither fail nor begin."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from stream.config.settings import Settings
from stream.worker.model_switch import CheckpointSource
from stream.worker.status import health_of
from stream.worker.wiring import wire
from stream.worker.worker import Worker
from tests.support.fake_tagger import FakeTagger
from tests.support.stub_app import StubApp

POSTS = [TopicPartition("posts", 0), TopicPartition("posts", 1)]


class RebalancingApp(StubApp):
    """Its `stop` is overtaken by a rebalance."""

    async def stop(self) -> None:
        await self.on_partitions_revoked.send(self, POSTS)
        self.consumer_generation_id = 2
        await self.on_partitions_assigned.send(self, POSTS)


async def commit(offsets: Mapping[TopicPartition, int]) -> bool:
    return True


def test_a_rebalance_while_the_worker_leaves_the_group() -> None:
    async def run() -> tuple[Any, set[str]]:
        app, source = RebalancingApp(), CheckpointSource(Path("none"), FakeTagger)
        parts = wire(settings=Settings(), tagger=FakeTagger(), source=source, app=app)
        worker = Worker(parts)
        parts.offsets.commit = commit  # type: ignore[method-assign]
        parts.pipeline.start()
        await app.on_partitions_assigned.send(app, POSTS)
        worker.stop()
        before = health_of(parts).partitions
        await worker._close()
        tasks = {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}
        return (before, health_of(parts).partitions), tasks

    assert (([0, 1], []), set()) == asyncio.run(run())
