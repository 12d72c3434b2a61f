"""Which posts an assignment takes in, and how far it may be committed."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import TopicPartition

from stream.counters.store import CountUpdate
from stream.pipeline.item import ProcessedPost, Work
from stream.pipeline.partition import Partition, Start, Verdict

TAKE, DROP, SEEK = Verdict.TAKE, Verdict.DROP, Verdict.SEEK


def with_partition(check: Callable[[Partition], None]) -> None:
    async def run() -> None:
        check(Partition(TopicPartition("posts", 0), 1, 100, 1000))

    asyncio.run(run())


def judged(partition: Partition, committed: int | None, *offsets: int) -> list[Verdict]:
    verdicts = []
    start = Start("id", committed)
    for offset in offsets:
        verdicts.append(partition.judge(start, offset))
        if verdicts[-1] is TAKE:
            partition.enter(offset, 1)
        if verdicts[-1] is SEEK:
            partition.seek_before(start, offset)
    return verdicts


def test_reading_begins_at_the_committed_offset() -> None:
    with_partition(lambda it: _same([TAKE, TAKE, TAKE], judged(it, 10, 10, 11, 14)))
    with_partition(lambda it: _same([TAKE, TAKE], judged(it, None, 0, 1)))


def test_what_is_below_or_comes_again_is_dropped() -> None:
    with_partition(lambda it: _same([DROP, TAKE, TAKE, DROP, DROP], judged(it, 10, 9, 10, 11, 10, 11)))


def test_a_message_left_over_from_before_a_rebalance_is_not_taken_for_the_first() -> None:
    """Taking 25 would let 10 to 24 be committed without having been read."""
    with_partition(
        lambda it: _same([SEEK, DROP, DROP, TAKE, TAKE], judged(it, 10, 25, 26, 27, 10, 11)),
    )


def test_a_log_that_really_begins_later_is_read_from_there() -> None:
    """Compacted away, or never committed and begun above 0: reading again gives the same first offset, or one
    before it that Faust had skipped."""
    with_partition(lambda it: _same([SEEK, TAKE, TAKE], judged(it, 10, 25, 25, 26)))
    with_partition(lambda it: _same([SEEK, DROP, TAKE, TAKE], judged(it, None, 25, 26, 12, 13)))


def test_where_the_log_begins_nothing_is_missing() -> None:
    """Reading again would be no use, and it would stall where retention goes on deleting."""

    def check(partition: Partition) -> None:
        partition.begin = 25
        assert [DROP, TAKE, TAKE] == judged(partition, 10, 9, 25, 26)

    with_partition(check)


def test_reading_again_begins_at_what_is_committed_or_where_the_log_begins() -> None:
    def check(partition: Partition) -> None:
        found = [partition.seek_before(Start("id", 10), 25)]
        partition.begin = 20
        assert [10, 20] == [*found, partition.seek_before(Start("id", 10), 25)]

    with_partition(check)


def test_what_comes_for_long_beyond_the_suspect_is_suspect_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suspect one may have been deleted before it was read again: dropping all others would never end."""
    monkeypatch.setattr("stream.pipeline.partition.SEEK_AGAIN", 0.0)
    with_partition(lambda it: _same([SEEK, SEEK, TAKE], judged(it, 10, 25, 40, 30)))


def test_only_released_posts_may_be_committed() -> None:
    def check(partition: Partition) -> None:
        done = []
        for offset in (10, 11, 12):
            partition.enter(offset, 1)
            work = Work(partition, "id", offset, None, b"", 0)
            done.append(ProcessedPost(work, [], CountUpdate(offset, "", "", 0, 0, ())))
            partition.work.finish(offset, done[-1])
        assert -1 == partition.done
        partition.release(done[:2])
        assert 12 == partition.done

    with_partition(check)


def test_closing_ends_the_wait_for_the_start() -> None:
    async def run() -> None:
        partition = Partition(TopicPartition("posts", 0), 1, 100, 1000)
        partition.close()
        assert await partition.start is None

    asyncio.run(run())


def _same(expected: object, actual: object) -> None:
    assert expected == actual
