"""A post in progress."""

import asyncio

from aiokafka import TopicPartition

from stream.pipeline.item import ProcessedPost, Work
from stream.pipeline.partition import Partition


def test_the_log_says_where_a_post_is() -> None:
    async def place() -> str:
        partition = Partition[ProcessedPost](TopicPartition("posts", 3), 1, 512, 2**20)
        return Work(partition, "uuid", 17, None, b"", 0).place

    assert "posts[3]@17" == asyncio.run(place())
