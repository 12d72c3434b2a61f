"""Offsets without posts are passed, and no post with them: what is fetched decides, and what was taken in."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from stream.consumer.intake import Intake
from stream.consumer.offsets import Fetched
from stream.pipeline.item import ProcessedPost
from stream.pipeline.partition import Partition, Start, Verdict

PLACE = TopicPartition("posts", 0)


class Offsets:
    """What was fetched, and where reading was told to begin again."""

    def __init__(self, *fetched: Fetched) -> None:
        self._fetched = list(fetched)
        self.sought: list[int] = []

    def fetched(self, partition: TopicPartition, generation: int) -> Fetched:
        return self._fetched[0] if len(self._fetched) == 1 else self._fetched.pop(0)

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought.append(offset)


def passed(offsets: Offsets, committed: int | None, *taken: int) -> tuple[int, Partition[ProcessedPost]]:
    """(offset that may be committed after two looks, the partition); posts at `taken` are done before."""

    async def run() -> tuple[int, Partition[ProcessedPost]]:
        partition = Partition[ProcessedPost](PLACE, 1, 100, 1000)
        partition.start.set_result(Start("id", committed))
        intake: Any = Intake.__new__(Intake)
        intake._offsets, intake._stop = offsets, asyncio.Event()
        for offset in taken:
            partition.enter(offset, 1)
            done: Any = SimpleNamespace(offset=offset)
            partition.work.finish(offset, done)
            partition.release([done])
        for _ in range(2):
            await intake._pass_gap(partition)
            if len(partition.work):
                partition.release(await partition.work.ready(9))
        return partition.done, partition

    return asyncio.run(run())


def test_what_lies_behind_the_last_post_is_passed() -> None:
    offsets = Offsets(Fetched(1, 10, 11, 15))
    assert (15, []) == (passed(offsets, 10, 10, 11)[0], offsets.sought)


def test_nothing_is_passed_before_every_post_that_was_fetched_is_taken_in() -> None:
    assert 12 == passed(Offsets(Fetched(1, 10, 12, 15)), 10, 10, 11)[0]


def test_what_was_not_fetched_without_a_gap_is_read_again_before_it_is_passed() -> None:
    """A fetch in the middle of a rebalance is not noted: what lies before the next one may hold posts. An idle
    partition that had taken posts in kept this lag for ever, found by the chaos run."""
    offsets = Offsets(Fetched(1, 40, -1, 80))
    assert (12, [12, 12]) == (passed(offsets, 10, 10, 11)[0], offsets.sought)
    offsets = Offsets(Fetched(1, 14, -1, 14), Fetched(1, 12, -1, 14))
    assert (14, [12]) == (passed(offsets, 10, 10, 11)[0], offsets.sought)


def test_where_no_post_came_reading_begins_again_at_our_own_start_first() -> None:
    """aiokafka may have begun at an offset that was committed for a topic which is gone."""
    offsets = Offsets(Fetched(1, 80, -1, 80), Fetched(1, 0, -1, 4))
    assert (4, [0]) == (passed(offsets, None)[0], offsets.sought)
    offsets = Offsets(Fetched(1, 80, -1, 80), Fetched(1, 0, 3, 4))
    assert (-1, [0]) == (passed(offsets, None)[0], offsets.sought)


def test_the_first_post_stays_suspect_behind_what_was_passed() -> None:
    """A message that Faust kept across a rebalance must not let 15 to 24 be committed."""
    _, partition = passed(Offsets(Fetched(1, 10, -1, 15)), 10)
    start = Start("id", 10)
    verdicts = [partition.judge(start, offset) for offset in (14, 15, 25)]
    assert [Verdict.DROP, Verdict.TAKE, Verdict.SEEK] == verdicts
    assert 15 == partition.seek_before(start, 25)
