"""A post that breaks the model costs itself, never its neighbours."""

from collections.abc import Sequence

from models.post import Mention
from stream.tagging import Failed, Tagged, tag_batch
from tests.stream.fake_tagger import FakeTagger, Prepared, mentions_of


def prepared(*texts: str) -> list[Prepared]:
    return [Prepared(text, 3, ()) for text in texts]


def texts_of(outcomes: Sequence[Tagged | Failed]) -> list[object]:
    return [
        [mention.text for mention, _ in outcome.mentions] if isinstance(outcome, Tagged) else outcome
        for outcome in outcomes
    ]


def test_mentions_come_with_their_canonical_form() -> None:
    (outcome,) = tag_batch(FakeTagger(), prepared("in Paris"))
    assert Tagged([(mentions_of("in Paris")[0], "paris")]) == outcome


def test_the_failing_post_of_a_batch_is_given_up_and_the_others_are_tagged() -> None:
    outcomes = tag_batch(FakeTagger(), prepared("in Paris", "it goes BOOM", "in Rome"))
    assert [["Paris"], Failed("RuntimeError", "boom in the model"), ["Rome"]] == texts_of(outcomes)


def test_a_fault_that_does_not_come_again_costs_no_post() -> None:
    class FailsTwice(FakeTagger):
        failures = 2

        def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
            if self.failures:
                self.failures -= 1
                raise MemoryError
            return super().tag_prepared(batch)

    # the batch fails, then the first post alone once
    assert [["Paris"], ["Rome"]] == texts_of(tag_batch(FailsTwice(), prepared("in Paris", "in Rome")))


def test_a_tagger_that_loses_results_is_an_error_of_that_batch() -> None:
    """Else every post behind the lost one would get its neighbour's mentions."""

    class Loses(FakeTagger):
        def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
            return super().tag_prepared(batch)[1:] if len(batch) > 1 else super().tag_prepared(batch)

    assert [["Paris"], ["Rome"]] == texts_of(tag_batch(Loses(), prepared("in Paris", "in Rome")))
