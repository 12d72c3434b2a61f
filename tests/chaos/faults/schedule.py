"""Which faults come, in which order: drawn from a seed alone, so that a run can be repeated and continued.

The 45 combinations of target, signal and point come in rounds of five groups; in each group every target gets every
signal once, each at another point than in the round's other groups. Between them workers join and leave, partitions are
added and the posts topic is made anew. Nothing here happens: that is tests/chaos/faults/fault_injector.py."""

import random
from dataclasses import dataclass
from itertools import product

from stream.runtime.fault_injection import POINTS

TARGETS = ("worker", "broker", "Redis")
SIGNALS = ("term", "kill", "stop")
OTHERS = ("join", "leave", "join", "partitions", "leave", "anew", "join", "partitions", "leave", "anew")
"""Two for each group of a round."""
LATEST_PASS = 3
"""A fault happens at the first to the third time that the worker passes its point."""
PAUSES = (0.5, 9.0)
"""Seconds between two faults, at least and at most: less than it takes to recover from most of them."""
PAUSES_AFTER_A_DEATH = (8.0, 16.0)
"""The same after a worker is killed."""
ALONE = 0.5
"""How many of these deaths come while nothing else is wrong, so that the takeover can be measured."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `target`, `signal` and `point` are empty for what is done with no signal."""

    number: int
    """From 1."""
    kind: str
    """`signal`, or one of OTHERS."""
    target: str = ""
    signal: str = ""
    point: str = ""
    nth: int = 1
    victim: int = 0
    """Any number: the harness picks a worker by it."""
    pause: float = 0.0
    """Seconds until the next fault begins."""
    alone: bool = False
    """Whether it waits until all is well."""

    @property
    def name(self) -> str:
        return f"{self.target} {self.signal} while {self.point}" if self.kind == "signal" else self.kind


def draw(seed: int, count: int) -> list[Fault]:
    """The first `count` faults of this seed."""
    faults: list[Fault] = []
    dice = random.Random(seed)
    while len(faults) < count:
        faults += _round(dice, len(faults) + 1)
    return faults[:count]


def _round(dice: random.Random, first: int) -> list[Fault]:
    points = {pair: dice.sample(POINTS, len(POINTS)) for pair in product(TARGETS, SIGNALS)}
    faults: list[Fault] = []
    for group in range(len(POINTS)):
        drawn = [("signal", *pair, points[pair][group]) for pair in points]
        drawn += [(kind, "", "", "") for kind in OTHERS[2 * group : 2 * group + 2]]
        dice.shuffle(drawn)
        faults += [_fault(dice, first + len(faults) + number, *each) for number, each in enumerate(drawn)]
    return faults


def _fault(dice: random.Random, number: int, kind: str, target: str, signal: str, point: str) -> Fault:
    death = (target, signal) == ("worker", "kill")
    nth, victim, alone = dice.randint(1, LATEST_PASS), dice.randrange(2**16), death and dice.random() < ALONE
    pause = dice.uniform(*(PAUSES_AFTER_A_DEATH if death else PAUSES))
    return Fault(number, kind, target, signal, point, nth, victim, pause, alone)
