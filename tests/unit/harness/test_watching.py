"""What is seen from outside: workers that do nothing, and how long partitions wait for another worker."""

from tests.chaos.observe.failover import Takeovers
from tests.chaos.observe.stuck_workers import LIMIT, LONG_LIMIT, Sight, Zombies

IDLE = Sight("worker-1", runs=True, answers=True, partitions=frozenset({0}), waits=False)


def found(sight: Sight, seconds: float, servers_run: bool = True, moves: bool = False) -> list[str]:
    """What is found of a worker that is looked at once a second, with lag in partition 0."""
    zombies = Zombies()
    for second in range(int(seconds) + 2):
        zombies.look(second, servers_run, [sight], {0: second if moves else 3}, {0: 5})
    return zombies.found


def test_a_worker_that_does_nothing_is_a_zombie() -> None:
    assert [] == found(IDLE, LIMIT - 3)
    assert ["worker-1 did nothing"] == [line[:20] for line in found(IDLE, LIMIT)]


def test_one_that_does_not_even_answer_is_too() -> None:
    silent = Sight("worker-1", runs=True, answers=False, partitions=frozenset(), waits=False)
    assert 1 == len(found(silent, LIMIT))


def test_there_are_good_reasons_to_do_nothing() -> None:
    assert [] == found(Sight("worker-1", True, True, frozenset({0}), waits=True), LIMIT)
    assert [] == found(Sight("worker-1", False, True, frozenset({0}), waits=False), LIMIT)
    assert [] == found(Sight("worker-1", True, True, frozenset({1}), waits=False), LIMIT)
    assert [] == found(IDLE, LIMIT, servers_run=False)
    assert [] == found(IDLE, 2 * LONG_LIMIT, moves=True)


def test_no_reason_lasts_for_ever() -> None:
    waits = Sight("worker-1", True, True, frozenset({0}), waits=True)
    assert ["partition 0 had lag and no progress for 120 s"] == found(waits, LONG_LIMIT)


def test_a_takeover_lasts_until_the_last_partition_goes_on() -> None:
    takeovers = Takeovers()
    takeovers.died(1, 10_000, named=True, partitions=[2, 3], alone=True)
    takeovers.progress(2, 9_000)  # by the dead worker
    takeovers.progress(2, 12_000)
    takeovers.progress(1, 12_500)
    takeovers.progress(2, 60_000)
    assert [] == takeovers.over
    takeovers.progress(3, 17_500)
    (takeover,) = takeovers.over
    assert (7.5, True) == (takeover.seconds, takeover.alone)


def test_a_takeover_with_something_else_in_between_is_not_alone() -> None:
    takeovers = Takeovers()
    takeovers.died(1, 10_000, named=True, partitions=[2], alone=True)
    takeovers.disturb()
    takeovers.progress(2, 11_000)
    assert not takeovers.over[0].alone


def test_a_partition_that_was_gone_begins_anew() -> None:
    """A topic made anew has less of them; one that is added later is another."""
    zombies = Zombies()
    zombies.look(0.0, True, [], {8: 3}, {8: 5})
    zombies.look(1.0, True, [], {}, {})
    zombies.look(LONG_LIMIT + 2, True, [], {}, {8: 5})
    assert [] == zombies.found
