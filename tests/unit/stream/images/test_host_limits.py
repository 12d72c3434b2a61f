"""When a host is left alone, and that what is remembered of hosts is bounded."""

import asyncio

from stream.images import host_limits as host_gates
from stream.images.host_limits import AWAY, FAILURES, HostGates


def test_a_host_is_away_after_failures_in_a_row_and_comes_back_on_probation() -> None:
    now = [100.0]
    gate = HostGates(1, lambda: now[0]).of("a")
    for _ in range(3):
        for _ in range(FAILURES - 1):
            gate.failed()
        assert not gate.away
        gate.answered()
    for _ in range(FAILURES):
        gate.failed()
    assert gate.away
    now[0] += AWAY
    assert not gate.away
    gate.failed()
    assert gate.away
    now[0] += AWAY
    gate.answered()
    gate.failed()
    assert not gate.away


def test_each_host_has_its_own_and_the_least_recent_are_forgotten() -> None:
    gates = HostGates(2)
    first, second = gates.of("a"), gates.of("b")
    assert first is not second
    assert first is gates.of("a")
    for number in range(host_gates.MAX_HOSTS - 1):
        gates.of(str(number))
    assert host_gates.MAX_HOSTS == len(gates)
    assert first is gates.of("a")
    assert second is not gates.of("b")


def test_slots_are_the_hosts_own() -> None:
    async def run() -> list[bool]:
        gates = HostGates(1)
        await gates.of("a").slots.acquire()
        return [gates.of("a").slots.locked(), gates.of("b").slots.locked()]

    assert [True, False] == asyncio.run(run())
