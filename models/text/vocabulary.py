"""Words or characters to ids, with places for padding and for what is unknown."""

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
