"""Confusion matrix: gold types against predicted types, with missed and spurious entities.

A gold entity and a predicted one are paired if they have the same borders, otherwise if they overlap (longest overlap
first). Each is in at most one pair.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.core.labels import Span

MISSED, SPURIOUS = "missed", "spurious"


@dataclass(frozen=True)
class Confusion:
    """counts[g][p] entities of gold type `types[g]` that were given type `types[p]`.

    The last column holds gold entities that nothing predicted overlaps, the last row predicted ones that overlap no
    gold entity; their corner is 0.
    """

    types: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Confusion":
        """Restored from JSON."""
        return cls(tuple(stored["types"]), tuple(map(tuple, stored["counts"])))


def confusion(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> Confusion:
    """The confusion matrix over all posts' entities."""
    types = sorted({span.type for row in (*gold, *predicted) for span in row})
    place = {type_: index for index, type_ in enumerate(types)}
    none = len(types)
    counts = [[0] * (none + 1) for _ in range(none + 1)]
    for gold_spans, predicted_spans in zip(gold, predicted, strict=True):
        pairs = pair(gold_spans, predicted_spans)
        for g, p in pairs:
            counts[place[gold_spans[g].type]][place[predicted_spans[p].type]] += 1
        for g in set(range(len(gold_spans))) - {g for g, _ in pairs}:
            counts[place[gold_spans[g].type]][none] += 1
        for p in set(range(len(predicted_spans))) - {p for _, p in pairs}:
            counts[none][place[predicted_spans[p].type]] += 1
    return Confusion(tuple(types), tuple(map(tuple, counts)))


def pair(gold: Sequence[Span], predicted: Sequence[Span]) -> list[tuple[int, int]]:
    """Indices of the gold and predicted entities that belong together, one to one."""
    candidates = []
    for g, wanted in enumerate(gold):
        for p, found in enumerate(predicted):
            overlap = min(wanted.end, found.end) - max(wanted.start, found.start)
            if overlap > 0:
                same_borders = wanted[:2] == found[:2]
                candidates.append((not same_borders, -overlap, g, p))
    pairs: list[tuple[int, int]] = []
    for _, _, g, p in sorted(candidates):
        if all(g != taken and p != given for taken, given in pairs):
            pairs.append((g, p))
    return pairs
