"""The faults of a run: all combinations in every round, every pair of target and signal in its first eleven."""

from collections import Counter
from itertools import product

from stream.runtime.fault_injection import POINTS
from tests.chaos.faults.schedule import OTHERS, SIGNALS, TARGETS, draw

ROUND = len(TARGETS) * len(SIGNALS) * len(POINTS) + len(OTHERS)
GROUP = ROUND // len(POINTS)


def test_a_round_has_every_combination_once() -> None:
    for first in (0, ROUND):
        faults = [each for each in draw(7, 2 * ROUND)[first : first + ROUND] if each.kind == "signal"]
        expected = Counter(product(TARGETS, SIGNALS, POINTS))
        assert expected == Counter((each.target, each.signal, each.point) for each in faults)


def test_a_group_has_every_target_with_every_signal() -> None:
    """So the short run, which is one group, leaves none out."""
    for first in range(0, ROUND, GROUP):
        faults = [each for each in draw(7, ROUND)[first : first + GROUP] if each.kind == "signal"]
        assert set(product(TARGETS, SIGNALS)) == {(each.target, each.signal) for each in faults}


def test_the_seed_alone_decides() -> None:
    """A run that goes on must meet the faults that it would have met; also where it goes on for longer."""
    assert draw(3, 200)[:70] == draw(3, 70)
    assert draw(3, 70) != draw(4, 70)
    assert list(range(1, 71)) == [each.number for each in draw(3, 70)]
