"""One post alone among many: nothing is on a thread beside it, and nobody waits for ever."""

import asyncio

from stream.runtime.rwlock import RWLock


def test_who_is_alone_is_alone_and_everybody_gets_in() -> None:
    async def run() -> list[int]:
        lock, inside, seen = RWLock(), [], []

        async def together(number: int) -> None:
            async with lock.read():
                inside.append(number)
                await asyncio.sleep(0)
                assert -1 not in inside
                inside.remove(number)

        async def alone() -> None:
            async with lock.write():
                assert not inside
                inside.append(-1)
                await asyncio.sleep(0.001)
                seen.append(len(inside))
                inside.remove(-1)

        await asyncio.wait_for(
            asyncio.gather(*(alone() if n % 5 == 0 else together(n) for n in range(50))), timeout=5
        )
        return seen

    assert [1] * 10 == asyncio.run(run())


def test_who_is_cancelled_leaves_the_gate_open() -> None:
    async def run() -> bool:
        lock = RWLock()

        async def alone() -> None:
            async with lock.write():
                await asyncio.sleep(60)

        async with lock.read():
            waiting = asyncio.create_task(alone())
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(1), lock.read():
            return True

    assert asyncio.run(run())


def test_who_is_cancelled_keeps_nobody_waiting_while_others_are_inside() -> None:
    """Posts never stop coming: whoever waited until all are outside would wait for ever."""

    async def run() -> bool:
        lock = RWLock()

        async def alone() -> None:
            async with lock.write():
                await asyncio.sleep(60)

        async def together() -> bool:
            async with lock.read():
                return True

        async with lock.read():
            cancelled = asyncio.create_task(alone())
            await asyncio.sleep(0)
            behind = asyncio.create_task(together())
            await asyncio.sleep(0)
            cancelled.cancel()
            async with asyncio.timeout(1):
                return await behind

    assert asyncio.run(run())
