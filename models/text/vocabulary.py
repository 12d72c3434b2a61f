"""Tokens to ids: word table, characters, and the word pieces of the transformer's views; windows over long posts.

What a token looks like to the transformer: URLs all read `http`, HTML entities their character, and a hashtag's or
mention's pieces begin behind the mark. Its characters are always its own. The encoders know lower case only, so how a
token is written (CASES) goes beside its pieces.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

PAD, UNKNOWN, SPECIAL = 0, 1, 2
"""Two ids of their own, and where those of a vocabulary begin."""


@dataclass(frozen=True)
class Vocabulary:
    """Known entries; ids are 2 and up, 0 is padding and 1 whatever is unknown."""

    entries: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.entries) + SPECIAL

    @classmethod
    def of(cls, counted: Iterable[str], least: int) -> "Vocabulary":
        """What occurs at least `least` times, most frequent first (ties by name)."""
        counts = Counter(counted)
        kept = (entry for entry, count in counts.items() if count >= least)
        return cls(tuple(sorted(kept, key=lambda entry: (-counts[entry], entry))))
