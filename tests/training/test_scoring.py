"""Our scores are seqeval's strict ones."""

from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from models.labels import bio_labels, spans
from training.scoring import score

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
