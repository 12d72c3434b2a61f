"""The reorder buffer: order out is offset order, and room is bounded until release."""

import asyncio
import random

import pytest

from stream.pipeline.reorder_buffer import Reorder


def buffer(posts: int = 100, size: int = 1000) -> Reorder[str]:
    return Reorder(posts, size)


async def blocked(waiting: object) -> bool:
    try:
        await asyncio.wait_for(waiting, 0.01)  # type: ignore[arg-type]
    except TimeoutError:
        return True
    return False


def test_results_leave_in_offset_order_whatever_order_they_finish_in() -> None:
    async def run() -> list[str]:
        work, offsets, out = buffer(), list(range(0, 90, 3)), []
        for offset in offsets:
            work.enter(offset, 1)
        for offset in random.Random(1).sample(offsets, len(offsets)):
            work.finish(offset, str(offset))
            if not await blocked(work.ready(7)):
                found = await work.ready(7)
                work.release(len(found))
                out += found
        while len(work):
            found = await work.ready(7)
            work.release(len(found))
            out += found
        return out

    assert [str(offset) for offset in range(0, 90, 3)] == asyncio.run(run())


def test_nothing_leaves_before_the_lowest_offset_is_finished() -> None:
    async def run() -> None:
        work = buffer()
        work.enter(5, 1)
        work.enter(6, 1)
        work.finish(6, "six")
        assert await blocked(work.ready(10))
        work.finish(5, "five")
        assert ["five", "six"] == await work.ready(10)
        assert ["five"] == await work.ready(1)

    asyncio.run(run())


def test_no_room_until_release_when_full_of_posts_or_of_bytes() -> None:
    async def run() -> None:
        for work, size in ((buffer(posts=2), 1), (buffer(size=20), 10)):
            work.enter(1, size)
            assert not await blocked(work.room())
            work.enter(2, size)
            assert await blocked(work.room())
            work.finish(1, "done")  # finished is not enough: it is not published yet
            assert await blocked(work.room())
            work.release(1)
            assert not await blocked(work.room())

    asyncio.run(run())


def test_a_post_larger_than_the_bound_enters_alone() -> None:
    async def run() -> None:
        work = buffer(size=10)
        assert not await blocked(work.room())
        work.enter(1, 1000)
        assert await blocked(work.room())

    asyncio.run(run())


def test_closing_wakes_whoever_waits() -> None:
    async def run() -> None:
        work = buffer(posts=1)
        work.enter(1, 1)
        waiting = [asyncio.create_task(work.room()), asyncio.create_task(work.empty())]
        await asyncio.sleep(0)
        work.close()
        await asyncio.wait_for(asyncio.gather(*waiting), 1)
        assert work.closed

    asyncio.run(run())


def test_an_offset_that_goes_back_is_refused() -> None:
    async def run() -> None:
        work = buffer()
        work.enter(7, 1)
        with pytest.raises(ValueError, match="offset 7 entered after 7"):
            work.enter(7, 1)

    asyncio.run(run())
