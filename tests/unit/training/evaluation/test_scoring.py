"""Our scores are seqeval's strict ones; the partial ones are SemEval-2013's, worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from models.core.labels import Span, bio_labels, spans
from training.evaluation.scoring import Score, partial_score, score

TAGS = st.sampled_from(bio_labels(["PER", "LOC"]))
ROWS = st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=8), min_size=1, max_size=6)


@given(ROWS)
def test_scores_are_seqevals(rows: list[list[tuple[str, str]]]) -> None:
    gold = [[g for g, _ in row] for row in rows]
    predicted = [[p for _, p in row] for row in rows]
    actual = score([spans(row) for row in gold], [spans(row) for row in predicted])
    if not any(map(spans, gold)) and not any(map(spans, predicted)):
        assert 0.0 == actual["overall"].f1
        return
    report = classification_report(
        gold, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
    )
    for theirs, ours in (("micro avg", "overall"), ("PER", "PER"), ("LOC", "LOC")):
        if theirs in report:
            expected = [round(100 * report[theirs][key], 6) for key in ("precision", "recall", "f1-score")]
            each = actual[ours]
            assert expected == [round(each.precision, 6), round(each.recall, 6), round(each.f1, 6)]


GOLD = [[Span(0, 2, "PER"), Span(4, 6, "LOC"), Span(8, 9, "ORG")], [Span(0, 1, "PER")]]
PREDICTED = [[Span(0, 2, "PER"), Span(5, 6, "LOC"), Span(10, 11, "ORG")], [Span(0, 1, "LOC")]]
"""Right; half (borders); missed and spurious; right borders with a wrong type."""


def test_partial_scores_are_those_worked_out_by_hand() -> None:
    """4 gold, 4 predicted: 1 + 1/2 + 0 + 1 (the scheme asks for no type) = 2.5 of each."""
    actual = partial_score(GOLD, PREDICTED)
    assert Score(62.5, 62.5, 62.5, 4) == actual["overall"]
    # LOC: one half of two predicted, of one gold. PER: one right, of one predicted and two gold.
    assert (25.0, 50.0, pytest.approx(100 / 3), 1) == tuple(vars(actual["LOC"]).values())
    assert (100.0, 50.0, pytest.approx(200 / 3), 2) == tuple(vars(actual["PER"]).values())
    assert Score(0.0, 0.0, 0.0, 1) == actual["ORG"]


def test_spans_that_only_touch_do_not_overlap() -> None:
    """nervaluate's ends are inclusive, ours are not: a slip there would give half a point to every neighbour."""
    assert 0.0 == partial_score([[Span(0, 2, "PER")]], [[Span(2, 4, "PER")]])["overall"].f1


def test_partial_scores_of_nothing_are_zero() -> None:
    assert {"overall": Score(0.0, 0.0, 0.0, 0)} == partial_score([], [])
    assert {"overall": Score(0.0, 0.0, 0.0, 0)} == partial_score([[]], [[]])


@given(ROWS)
def test_partial_scores_are_never_below_the_strict_ones(rows: list[list[tuple[str, str]]]) -> None:
    gold, predicted = (
        [spans([g for g, _ in row]) for row in rows],
        [spans([p for _, p in row]) for row in rows],
    )
    strict, partial = score(gold, predicted), partial_score(gold, predicted)
    assert partial["overall"].f1 >= strict["overall"].f1 - 1e-9
