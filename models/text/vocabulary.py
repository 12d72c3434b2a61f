"""Maps words or characters to ids, with special ids for padding and unknown entries."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

PAD, UNKNOWN, SPECIAL = 0, 1, 2
"""The two special ids, and the first id of a vocabulary."""


@dataclass(frozen=True)
class Vocabulary:
    """Known entries with ids from 2; 0 is padding, and 1 is any unknown entry."""

    entries: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.entries) + SPECIAL

    @classmethod
    def of(cls, counted: Iterable[str], least: int) -> "Vocabulary":
        """Entries that occur at least `least` times, most frequent first (ties by name)."""
        counts = Counter(counted)
        kept = (entry for entry, count in counts.items() if count >= least)
        return cls(tuple(sorted(kept, key=lambda entry: (-counts[entry], entry))))
