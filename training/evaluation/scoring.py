"""Scores of predicted entities against gold ones: precision, recall and F1 overall and per type.

`score`: exact match of span and type, as in seqeval's strict mode (tests/unit/training/evaluation/test_scoring.py
compares the two). `partial_score`: SemEval-2013's partial match by nervaluate, in which an overlap counts half. Both
work on token spans and on character spans. The confusion matrix is in training/evaluation/confusion.py."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.core.labels import Span


@dataclass(frozen=True)
class Score:
    """Percentages; `support` is the number of gold entities."""

    precision: float
    recall: float
    f1: float
    support: int


def score(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> dict[str, Score]:
    """Micro-averaged scores as `overall`, and scores of each type, in percent."""
    found, expected, correct = Counter[str](), Counter[str](), Counter[str]()
    for gold_spans, predicted_spans in zip(gold, predicted, strict=True):
        expected.update(span.type for span in gold_spans)
        found.update(span.type for span in predicted_spans)
        correct.update(span.type for span in set(gold_spans) & set(predicted_spans))
    by_type = {
        type_: _score(correct[type_], found[type_], expected[type_]) for type_ in sorted(expected | found)
    }
    return {"overall": _score(correct.total(), found.total(), expected.total()), **by_type}


def _score(correct: float, found: int, expected: int) -> Score:
    precision = 100 * correct / found if found else 0.0
    recall = 100 * correct / expected if expected else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return Score(precision, recall, f1, expected)


def partial_score(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> dict[str, Score]:
    """Like `score`, but exact borders count 1 and overlapping ones 1/2 (SemEval-2013, task 9.1, "partial").

    `overall` ignores types, as defined by the task; a type's own scores use only that type's entities.
    """
    from nervaluate import Evaluator  # an extra: only training needs it

    types = sorted({span.type for row in (*gold, *predicted) for span in row})
    results = Evaluator(_rows(gold), _rows(predicted), tags=types, loader="dict").evaluate()
    overall = results["overall"].get("partial")  # missing if there are no posts
    return {
        "overall": _of(overall) if overall else _score(0, 0, 0),
        **{type_: _of(results["entities"][type_]["partial"]) for type_ in types},
    }


def _rows(spans: Sequence[Sequence[Span]]) -> list[list[dict[str, Any]]]:
    """Spans in nervaluate's format: `end` is the last position, inclusive."""
    return [[{"label": s.type, "start": s.start, "end": s.end - 1} for s in row] for row in spans]


def _of(result: Any) -> Score:
    return _score(result.correct + result.partial / 2, result.actual, result.possible)
