"""Scores of predicted entities against gold ones: precision, recall and F1 overall and per type.

Exact match of span and type, as seqeval's strict mode counts (tests/training/test_scoring.py holds the two together).
Works over token spans and over character spans alike.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from models.labels import Span


@dataclass(frozen=True)
class Score:
    """Percentages; `support` is the number of gold entities."""

    precision: float
    recall: float
    f1: float
    support: int


def score(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> dict[str, Score]:
    """Micro-averaged scores under `overall`, and those of each type, in percent."""
    found, expected, correct = Counter[str](), Counter[str](), Counter[str]()
    for gold_spans, predicted_spans in zip(gold, predicted, strict=True):
        expected.update(span.type for span in gold_spans)
        found.update(span.type for span in predicted_spans)
        correct.update(span.type for span in set(gold_spans) & set(predicted_spans))
    by_type = {
        type_: _score(correct[type_], found[type_], expected[type_]) for type_ in sorted(expected | found)
    }
    return {"overall": _score(correct.total(), found.total(), expected.total()), **by_type}


def _score(correct: int, found: int, expected: int) -> Score:
    precision = 100 * correct / found if found else 0.0
    recall = 100 * correct / expected if expected else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return Score(precision, recall, f1, expected)
