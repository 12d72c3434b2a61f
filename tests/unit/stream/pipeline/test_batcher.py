"""Batches take what is there, up to a budget, without a timer."""

import asyncio

from stream.pipeline.batcher import Batcher


def test_takes_at_once_what_is_there_in_order() -> None:
    async def run() -> None:
        batcher: Batcher[str] = Batcher(100, 10)
        await batcher.put("a", 5, 0)
        assert (["a"], 5) == await batcher.take()  # light load: a batch of one, at once
        for name in "bcd":
            await batcher.put(name, 5, 1)
        assert (["b", "c", "d"], 15) == await batcher.take()

    asyncio.run(run())


def test_is_cut_by_tokens_and_by_images() -> None:
    async def run() -> None:
        batcher: Batcher[str] = Batcher(10, 2)
        await batcher.put("a", 6, 0)
        await batcher.put("b", 6, 2)
        await batcher.put("c", 1, 1)
        assert (["a"], 6) == await batcher.take()
        assert (["b"], 6) == await batcher.take()
        assert (["c"], 1) == await batcher.take()

    asyncio.run(run())


def test_a_post_over_the_budget_comes_alone() -> None:
    async def run() -> None:
        batcher: Batcher[str] = Batcher(10, 2)
        await batcher.put("large", 15, 3)
        await batcher.put("small", 1, 0)
        assert (["large"], 15) == await batcher.take()
        assert (["small"], 1) == await batcher.take()

    asyncio.run(run())


def test_what_gathers_is_bounded() -> None:
    """Prepared posts carry decoded pictures: a slow device must not let them fill the memory."""

    async def run() -> None:
        batcher: Batcher[int] = Batcher(1000, 2)

        async def fill() -> None:
            for number in range(100):
                await batcher.put(number, 1, 1)

        filling = asyncio.create_task(fill())
        await asyncio.sleep(0.01)
        assert 4 == len(batcher)  # two batches of two images
        assert ([0, 1], 2) == await batcher.take()
        await asyncio.sleep(0.01)
        assert 4 == len(batcher)
        filling.cancel()

    asyncio.run(run())


def test_take_waits_for_a_post() -> None:
    async def run() -> None:
        batcher: Batcher[str] = Batcher(10, 2)
        taking = asyncio.create_task(batcher.take())
        await asyncio.sleep(0.01)
        assert not taking.done()
        await batcher.put("a", 1, 0)
        assert (["a"], 1) == await asyncio.wait_for(taking, 1)

    asyncio.run(run())
