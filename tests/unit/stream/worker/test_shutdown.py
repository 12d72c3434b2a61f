"""The worker's end while the group rebalances: Faust still calls it then, and it must neither fail nor begin."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from stream.config.settings import Settings
from stream.worker.model_switch import CheckpointSource
from stream.worker.worker import Worker
from tests.support.fake_tagger import FakeTagger

POSTS = [TopicPartition("posts", 0), TopicPartition("posts", 1)]


class Signal:
    """Faust's, with one receiver."""

    def connect(self, receiver: Callable[..., Awaitable[None]]) -> None:
        self.send = receiver


class RebalancingApp:
    """What the worker needs of a faust.App; its `stop` is overtaken by a rebalance."""

    consumer_generation_id = 1

    def __init__(self) -> None:
        self.consumer = SimpleNamespace(_thread=SimpleNamespace(_create_consumer=None, _fetch_records=None))
        self.on_partitions_assigned: Any = Signal()
        self.on_partitions_revoked: Any = Signal()

    async def stop(self) -> None:
        await self.on_partitions_revoked.send(self, POSTS)
        self.consumer_generation_id = 2
        await self.on_partitions_assigned.send(self, POSTS)


async def commit(offsets: Mapping[TopicPartition, int]) -> bool:
    return True


def test_a_rebalance_while_the_worker_leaves_the_group() -> None:
    async def run() -> tuple[Any, set[str]]:
        worker = Worker(Settings(), FakeTagger(), CheckpointSource(Path("none"), FakeTagger))
        app = RebalancingApp()
        worker._connect(app)
        worker._offsets.commit = commit  # type: ignore[method-assign]
        worker._pipeline.start()
        await app.on_partitions_assigned.send(app, POSTS)
        worker.stop()
        before = worker._health().partitions
        await worker._close()
        tasks = {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}
        return (before, worker._health().partitions), tasks

    assert (([0, 1], []), set()) == asyncio.run(run())
