"""What a fuzz case is: the bytes of a record on the posts topic, which mutation made them, and what it knows must
become of them. Case `index` of a kind and seed is always the same one."""

import random
from dataclasses import dataclass

TAGGED = "tagged"
BAD_POST = "BadPost"
POISON = "PoisonError"
USED, BROKEN = "used", "broken"
POISON_MARK = "☠ makes the model raise ☠"
"""A text that the fuzz's tagger raises on: the neighbours of its post must be tagged."""


@dataclass(frozen=True, slots=True)
class Case:
    """expected: TAGGED or the class of the dead letter, None where the mutation does not know; image: the same of the
    post's only image, USED or BROKEN."""

    mutation: str
    value: bytes | None
    expected: str | None = None
    image: str | None = None


def draw_for(kind: str, seed: int, index: int) -> random.Random:
    """The dice of one case."""
    return random.Random(f"{kind} {seed} {index}")
