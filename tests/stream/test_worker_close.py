"""The worker's end while the group rebalances: Faust still calls it then, and it must neither fail nor begin."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from stream.model_switch import CheckpointSource
from stream.settings import Settings
from stream.worker import Worker
from tests.stream.fake_tagger import FakeTagger

POSTS = [TopicPartition("posts", 0), TopicPartition("posts", 1)]


class RebalancingApp:
    """What the worker needs of a faust.App; its `stop` is overtaken by a rebalance."""

    consumer_generation_id = 1

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    async def stop(self) -> None:
        await self.worker._on_revoked(self, POSTS)
        self.consumer_generation_id = 2
        await self.worker._on_assigned(self, POSTS)


async def commit(offsets: Mapping[TopicPartition, int]) -> bool:
    return True


def test_a_rebalance_while_the_worker_leaves_the_group() -> None:
    async def run() -> tuple[Any, set[str]]:
        worker = Worker(Settings(), FakeTagger(), CheckpointSource(Path("none"), FakeTagger))
        worker._app = RebalancingApp(worker)
        worker._offsets = SimpleNamespace(commit=commit)  # type: ignore[assignment]
        worker._pipeline.start()
        await worker._on_assigned(worker._app, POSTS)
        worker.stop()
        before = worker._health().partitions
        await worker._close()
        tasks = {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}
        return (before, worker._health().partitions), tasks

    assert (([0, 1], []), set()) == asyncio.run(run())
