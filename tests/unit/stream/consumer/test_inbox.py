"""Posts of one partition wait in order; fetching is paused where they get too many, and goes on when they are few."""

import asyncio
from types import SimpleNamespace
from typing import Any

from stream.consumer.inbox import PAUSE_BYTES, PAUSE_POSTS, Inbox


def message(offset: int, size: int = 10) -> Any:
    return SimpleNamespace(offset=offset, key=None, value=b"x" * size)


def told_after(messages: list[Any], taken: int) -> tuple[list[int], list[str]]:
    """Offsets of the first messages that are taken, and what was told of the fetching by then."""

    async def run() -> tuple[list[int], list[str]]:
        told: list[str] = []
        inbox = Inbox(lambda: told.append("pause"), lambda: told.append("resume"))
        for each in messages:
            inbox.put(each)
        return [(await inbox.get()).offset for _ in range(taken)], told

    return asyncio.run(run())


def test_first_in_first_out_and_nothing_is_paused_for_a_few() -> None:
    assert ([0, 1, 2], []) == told_after([message(n) for n in range(PAUSE_POSTS - 1)], 3)


def test_many_pause_once_and_half_of_them_resume() -> None:
    many = [message(n) for n in range(3 * PAUSE_POSTS)]  # what was fetched before the pause still comes
    almost = len(many) - PAUSE_POSTS // 2 - 1
    assert (almost, ["pause"]) == (len((found := told_after(many, almost))[0]), found[1])
    assert ["pause", "resume"] == told_after(many, almost + 1)[1]


def test_large_ones_pause_too() -> None:
    large = [message(n, PAUSE_BYTES // 2) for n in range(2)]
    assert ["pause"] == told_after(large, 0)[1]
    assert ([0], ["pause", "resume"]) == told_after(large, 1)


def test_whoever_waits_for_a_closed_one_gets_nothing() -> None:
    async def run() -> Any:
        inbox = Inbox(lambda: None, lambda: None)
        inbox.put(message(1))
        inbox.close()
        return await inbox.get(), len(inbox)

    assert (None, 0) == asyncio.run(run())


def test_whoever_waits_gets_what_comes() -> None:
    async def run() -> int:
        inbox = Inbox(lambda: None, lambda: None)
        waiting = asyncio.create_task(inbox.get())
        await asyncio.sleep(0)
        inbox.put(message(7))
        return int((await waiting).offset)

    assert 7 == asyncio.run(run())
