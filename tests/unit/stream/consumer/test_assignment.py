"""What a worker finds out of partitions when it gets them, while others go on."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from stream.consumer.assignment import Assignment
from stream.consumer.counter_audit import CounterAudit
from stream.pipeline.partition import Partition, Start
from stream.runtime.retry import Backoff


class Log:
    """A partition that grows, and is counted, with every question that is asked: as it is under load."""

    def __init__(self) -> None:
        self.end = 10

    async def marks(self) -> dict[str, int]:
        self.end += 5
        return {"topic:0": self.end - 1}

    async def older(self) -> bool:
        return False

    async def bounds(self, partitions: list[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        self.end += 5
        return dict.fromkeys(partitions, (0, self.end))

    async def uuid(self, what: str) -> str:
        self.end += 5
        return "topic"


def test_what_is_counted_meanwhile_is_no_reason_to_doubt_the_counters() -> None:
    async def doubts(log: Log) -> list[str]:
        said: list[str] = []

        async def doubt(reason: str) -> None:
            said.append(reason)

        integrity: Any = SimpleNamespace(doubt=doubt)
        anything: Any = log
        assignment: Any = Assignment.__new__(Assignment)
        assignment._counter_audit = CounterAudit({}, anything, integrity, Backoff())
        assignment._offsets = assignment._topic = log
        partition = Partition[Any](TopicPartition("posts", 0), 1, 10, 1000)
        partition.start.set_result(Start("topic", None))
        await assignment._audit_counters([partition])
        return said

    assert [] == asyncio.run(doubts(Log()))
