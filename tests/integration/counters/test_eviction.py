"""A Redis that evicts: said before it happens, and noticed when it did."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from stream.config.settings import Settings
from stream.counters.rebuild import rebuild
from stream.counters.store import Counters, CountUpdate
from tests.support.running_stack import health, own_redis, ready
from tests.support.worker_processes import (
    LONG,
    committed,
    expected_totals,
    post,
    receipts,
    redis_totals,
    send,
    wait_until,
    workers,
)

pytestmark = pytest.mark.integration


@contextmanager
def evicting(port: int, policy: str) -> Iterator[redis.Redis]:
    with redis.Redis(port=port) as client:
        client.config_set("maxmemory-policy", policy)
        yield client


def fill(client: redis.Redis, settings: Settings) -> None:
    """Somebody else's keys, which expire, until some of ours are gone."""
    key = f"{{{settings.redis.prefix}}}:{settings.kafka.group}@*:*:minute:*"
    ours = len(client.keys(key))
    assert ours
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 2**20)
    for number in range(20_000):
        client.set(f"other:{number}", b"x" * 1000, ex=3600)
        if number % 500 == 0 and len(client.keys(key)) < ours:
            return
    raise AssertionError("Redis evicted nothing of ours")


def test_a_redis_that_evicts_is_said_at_the_start_and_what_it_evicted_is_noticed(
    settings: Settings, tmp_path: Path
) -> None:
    """Counts by time expire, so they go first; marks and totals stay, and still they are not to be trusted."""
    kafka = settings.kafka
    with own_redis(settings, tmp_path) as (server, settings), evicting(server.port, "volatile-lru") as client:
        with workers(settings, tmp_path, 0.0) as running:
            wait_until(lambda: ready(running[0]), LONG, "it is ready")
            wait_until(lambda: "maxmemory-policy is volatile-lru" in running[0].log, LONG, "the log says it")
            assert "maxmemory-policy is volatile-lru" in str(health(running[0])["redis"])
            assert 'trimod_redis_may_evict{policy="volatile-lru"} 1.0' in running[0].get("/metrics")
            send(kafka, [post(n, "in Rome", created_at=1_000_000_000_000 + 60_000 * n) for n in range(8)])
            send(kafka, [post(n, "in Rome") for n in range(8, 48)])
            wait_until(lambda: sum(committed(kafka).values()) == 48, LONG, "all is committed")
            assert "trusted" == health(running[0])["counters"]
            fill(client, settings)
            wait_until(lambda: "Redis evicted" in str(health(running[0])["counters"]), LONG, "it is noticed")
            client.config_set("maxmemory", 0)
            client.config_set("maxmemory-policy", "noeviction")
            asyncio.run(rebuild(settings))
            wait_until(lambda: health(running[0])["counters"] == "trusted", LONG, "a rebuild mends it")
            assert running[0].stop() < 10
        with workers(settings, tmp_path, 0.0) as running:
            wait_until(lambda: ready(running[0]), LONG, "the next is ready")
            assert "keeps all counts" == health(running[0])["redis"]
            assert 'trimod_redis_may_evict{policy="noeviction"} 0.0' in running[0].get("/metrics")
            assert running[0].stop() < 10
        assert expected_totals(receipts(kafka)) == redis_totals(settings)


def test_every_kind_of_key_that_goes_is_noticed(settings: Settings) -> None:
    """Under `allkeys-*` totals and marks may go as well; what has expired in its time is no loss."""

    async def use() -> list[int]:
        short = settings.redis.model_copy(update={"keep_minutes": 1.0, "dedup_window": 0.5})
        counters = Counters(short, settings.kafka.group)
        seconds, _ = await counters.client.time()
        now = int(seconds) * 1000
        mentions = (("PER", "ann"), ("LOC", "rome"))
        await counters.apply("uuid", 0, [CountUpdate(0, "s", "p0", now, now, mentions)])
        base = f"{counters.root}:0"
        found = [(await counters.evicted())[0]]
        await asyncio.sleep(2.5)  # the minutes of both types have had their time
        assert not await counters.client.keys(f"{base}:minute:*")
        found.append((await counters.evicted())[0])
        for name in ("total:PER", "marks", "seen"):
            await counters.client.delete(f"{base}:{name}")
            found.append((await counters.evicted())[0])
        (hour, *_) = await counters.client.keys(f"{base}:hour:LOC:*")
        await counters.client.delete(hour)
        found.append((await counters.evicted())[0])
        await counters.close()
        return found

    assert [0, 0, 1, 2, 3, 4] == asyncio.run(use())


def test_forms_that_go_are_noticed(settings: Settings) -> None:
    """Nothing is counted wrong then, but entities are shown by their keys."""

    async def use() -> list[int]:
        counters = Counters(settings.redis, settings.kafka.group)
        seconds, _ = await counters.client.time()
        now = int(seconds) * 1000
        ann = CountUpdate(0, "s", "p0", now, now, (("PER", "ann"),), ("Ann",))
        await counters.apply("uuid", 0, [ann])
        found = [(await counters.evicted())[0]]
        await counters.client.delete(f"{counters.root}:0:forms:PER")
        found.append((await counters.evicted())[0])
        await counters.close()
        return found

    assert [0, 1] == asyncio.run(use())


def test_what_is_empty_was_not_evicted(settings: Settings) -> None:
    """The sightings are no key where only dead posts were counted, or none came within the dedup window."""

    async def use() -> list[int]:
        short = settings.redis.model_copy(update={"dedup_window": 0.5})
        counters = Counters(short, settings.kafka.group)
        seconds, _ = await counters.client.time()
        now = int(seconds) * 1000
        await counters.apply("uuid", 0, [CountUpdate(0, "", "", now, now, ())])
        found = [(await counters.evicted())[0]]
        await counters.apply("uuid", 0, [CountUpdate(1, "s", "p1", now, now, (("PER", "ann"),))])
        await counters.apply("uuid", 0, [CountUpdate(2, "", "", now + 2000, now + 2000, ())])
        found.append((await counters.evicted())[0])
        await asyncio.sleep(2.5)
        await counters.apply("uuid", 0, [CountUpdate(3, "", "", now + 4500, now + 4500, ())])
        found.append((await counters.evicted())[0])
        await counters.close()
        return found

    assert [0, 0, 0] == asyncio.run(use())
