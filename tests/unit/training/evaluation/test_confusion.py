"""Who is paired with whom, and where the rest goes."""

from models.core.labels import Span
from training.evaluation.confusion import Confusion, confusion, pair


def test_every_gold_and_every_predicted_entity_is_counted_once() -> None:
    gold = [[Span(0, 2, "PER"), Span(4, 6, "LOC"), Span(8, 9, "PER")], []]
    predicted = [[Span(0, 2, "PER"), Span(5, 7, "PER")], [Span(0, 1, "LOC")]]
    expected = Confusion(
        types=("LOC", "PER"),
        counts=(
            (0, 1, 0),  # the LOC was taken for a PER, with other borders
            (0, 1, 1),  # of the PERs one is right and one missed
            (1, 0, 0),  # a LOC was made up
        ),
    )
    assert expected == confusion(gold, predicted)


def test_same_borders_go_before_a_longer_overlap() -> None:
    gold = [Span(0, 9, "ORG"), Span(3, 4, "LOC")]
    predicted = [Span(3, 4, "PER"), Span(2, 9, "ORG")]
    assert [(1, 0), (0, 1)] == pair(gold, predicted)


def test_neighbours_are_no_pair() -> None:
    assert [] == pair([Span(0, 2, "ORG")], [Span(2, 3, "ORG")])


def test_it_survives_json() -> None:
    one = Confusion(("LOC",), ((3, 1), (2, 0)))
    assert one == Confusion.of({"types": ["LOC"], "counts": [[3, 1], [2, 0]]})
