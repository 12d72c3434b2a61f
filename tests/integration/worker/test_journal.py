"""A post that kills the process, or hangs it, costs three workers' lives and itself; its neighbours are tagged."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.config.redis import Redis
from stream.config.settings import Settings
from stream.counters.store import Counters
from stream.pipeline.journal import REST, Journal, Suspicion
from tests.support.worker_processes import (
    WorkerProcess,
    committed,
    expected_totals,
    post,
    read_all,
    receipts,
    redis_totals,
    send,
    wait_until,
)

pytestmark = pytest.mark.integration

COUNT = 48
KILLER = 21


def lives(settings: Settings, directory: Path) -> Iterator[WorkerProcess]:
    """One worker after another, as a supervisor starts them; the last is for the caller to stop."""
    while True:
        worker = WorkerProcess(settings, directory)
        try:
            yield worker
        finally:
            if worker.running:
                worker.kill()


@pytest.mark.parametrize(
    ("fault", "exit_code"), [("inferring kill", -9), ("fetching kill", -9), ("inferring hang", 75)]
)
def test_the_killer_is_found_and_its_neighbours_are_tagged(
    settings: Settings, tmp_path: Path, faults: Path, fault: str, exit_code: int
) -> None:
    """A name in the group saves the wait for the dead one's session."""
    own = settings.worker.model_copy(update={"instance_id": "one", "hang_limit": 1.5})
    settings = settings.model_copy(update={"worker": own})
    faults.write_text(f"{fault} text=KILLER\n")
    send(settings.kafka, [post(n, "Rome KILLER" if n == KILLER else f"in Rome{n}") for n in range(COUNT)])
    ends = []
    for worker in lives(settings, tmp_path):
        done = lambda: sum(committed(settings.kafka).values()) == COUNT  # noqa: E731
        try:
            wait_until(lambda: not worker.running or done(), 120, "all is committed, or the worker died")  # noqa: B023
        except AssertionError:
            print(worker.log)
            raise
        if worker.running:
            assert worker.stop() < 10
            break
        ends.append(worker.exit_code)
        assert len(ends) < 6, worker.log
    assert [exit_code] * 3 == ends
    found = receipts(settings.kafka)
    assert {f"p{n}" for n in range(COUNT) if n != KILLER} == {receipt.post_id for receipt in found}
    (dead,) = read_all(settings.kafka, settings.kafka.dead_topic)
    assert (b"KillsWorker", post(KILLER, "Rome KILLER")) == (dict(dead.headers)["error"], dead.value)
    assert expected_totals(found) == redis_totals(settings)


def run(url: str, use: Any) -> Any:
    """What `use(counters)` returns on fresh keys."""

    async def main() -> Any:
        counters = Counters(Redis(url=url, prefix=f"t{uuid.uuid4().hex}"), "app")
        try:
            return await use(counters)
        finally:
            await counters.client.delete(f"{counters.root}:journal")
            await counters.close()

    return asyncio.run(main())


def test_the_next_owner_learns_what_was_in_work_at_a_death(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        died = Journal(counters)
        claim = await died.claim("t", 0, 10)
        await died.note({claim: 20})
        first = (await Journal(counters).claim("t", 0, 10)).suspicion
        again = (await Journal(counters).claim("t", 0, 10)).suspicion  # this one had nothing in work
        return first, again, (await Journal(counters).claim("t", 1, 10)).suspicion

    assert (Suspicion(1, 20), Suspicion(1, 20), Suspicion()) == run(redis_url, use)


def test_who_lets_go_leaves_nothing_unless_something_is_suspected(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        one = Journal(counters)
        claim = await one.claim("t", 0, 10)
        await one.note({claim: 20})
        await one.let_go([(claim, 15)])
        left = await counters.client.hgetall(f"{counters.root}:journal")
        claim = await one.claim("t", 0, 15)
        await one.note({claim: 20})
        two = Journal(counters)
        claim = await two.claim("t", 0, 15)
        await two.let_go([(claim, 16)])
        return left, (await Journal(counters).claim("t", 0, 16)).suspicion

    assert ({}, Suspicion(1, 20)) == run(redis_url, use)


def test_a_worker_that_comes_back_does_not_wipe_out_its_successors_page(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        zombie, heir = Journal(counters), Journal(counters)
        old = await zombie.claim("t", 0, 10)
        await heir.note({await heir.claim("t", 0, 10): 30})
        await zombie.let_go([(old, 10)])
        return (await Journal(counters).claim("t", 0, 10)).suspicion

    assert Suspicion(1, 30) == run(redis_url, use)


def test_redis_away_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    async def use() -> float:
        counters = Counters(Redis(url="redis://127.0.0.1:1/0"), "app")
        journal = Journal(counters)
        began = time.monotonic()
        claim = await journal.claim("t", 0, 10)
        for offset in range(100):
            await journal.note({claim: offset})
        await journal.let_go([(claim, 10)])
        await counters.close()
        return time.monotonic() - began

    assert asyncio.run(use()) < REST
    assert 1 == caplog.text.count("no journal")


def test_foreign_data_under_its_key_hold_nothing_up(redis_url: str) -> None:
    async def use(counters: Counters) -> Any:
        await counters.client.hset(f"{counters.root}:journal", "t:0", "not ours")
        return (await Journal(counters).claim("t", 0, 10)).suspicion

    assert Suspicion() == run(redis_url, use)
