"""When a host is left alone, and that what is remembered of hosts is bounded."""

import asyncio

from stream.images import host_limits as host_gates
from stream.images.host_limits import AWAY, FAILURES, HostLimiters


def test_a_host_is_away_after_failures_in_a_row_and_comes_back_on_probation() -> None:
    now = [100.0]
    limiter = HostLimiters(1, lambda: now[0]).of("a")
    for _ in range(3):
        for _ in range(FAILURES - 1):
            limiter.failed()
        assert not limiter.away
        limiter.answered()
    for _ in range(FAILURES):
        limiter.failed()
    assert limiter.away
    now[0] += AWAY
    assert not limiter.away
    limiter.failed()
    assert limiter.away
    now[0] += AWAY
    limiter.answered()
    limiter.failed()
    assert not limiter.away


def test_each_host_has_its_own_and_the_least_recent_are_forgotten() -> None:
    limiters = HostLimiters(2)
    first, second = limiters.of("a"), limiters.of("b")
    assert first is not second
    assert first is limiters.of("a")
    for number in range(host_gates.MAX_HOSTS - 1):
        limiters.of(str(number))
    assert host_gates.MAX_HOSTS == len(limiters)
    assert first is limiters.of("a")
    assert second is not limiters.of("b")


def test_slots_are_the_hosts_own() -> None:
    async def run() -> list[bool]:
        limiters = HostLimiters(1)
        await limiters.of("a").slots.acquire()
        return [limiters.of("a").slots.locked(), limiters.of("b").slots.locked()]

    assert [True, False] == asyncio.run(run())
