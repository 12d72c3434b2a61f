"""Spans are seqeval's, in its strict mode: the figures we report are compared with papers that use it."""

from hypothesis import given
from hypothesis import strategies as st
from seqeval.scheme import IOB2, Entities

from models.core.labels import Span, bio_labels, may_follow, spans, tags_of

LABELS = bio_labels(["PER", "LOC"])


@given(st.lists(st.sampled_from(LABELS), max_size=12))
def test_spans_are_those_of_seqeval_strict(tags: list[str]) -> None:
    expected = [Span(e.start, e.end, e.tag) for e in Entities([tags], IOB2).entities[0]]
    assert expected == spans(tags)


@given(st.lists(st.sampled_from(LABELS), max_size=12))
def test_tags_of_spans_keep_every_entity_and_drop_orphans(tags: list[str]) -> None:
    mended = tags_of(spans(tags), len(tags))
    assert spans(tags) == spans(mended)
    assert all(may_follow(before, after) for before, after in zip([None, *mended], mended, strict=False))


def test_the_papers_four_types_make_nine_labels() -> None:
    """Table II: the CRF's transition matrix is of size 9."""
    assert 9 == len(bio_labels(["PER", "LOC", "ORG", "MISC"]))
