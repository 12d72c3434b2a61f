"""A post that breaks the model costs itself, never its neighbours; a broken model costs no post at all."""

from collections.abc import Sequence
from itertools import chain

import pytest

from models.core.post import Mention
from stream.errors import FailedOnPost
from stream.pipeline.model import Golden, Tagged
from stream.pipeline.tagging import Failed, tag_batch
from stream.runtime.watchdog import ActivityTracker
from tests.support.fake_tagger import FakeTagger, Prepared, mentions_of


def prepared(*texts: str) -> list[Prepared]:
    return [Prepared(text, 3, ()) for text in texts]


def outcomes_of(tagger: FakeTagger, *texts: str) -> list[Tagged | Failed]:
    return tagged_with(tagger, Golden(tagger), *texts)


def tagged_with(tagger: FakeTagger, golden: Golden, *texts: str) -> list[Tagged | Failed]:
    return list(
        chain.from_iterable(tag_batch(tagger, golden, ActivityTracker(lambda: 0.0), prepared(*texts)))
    )


def texts_of(outcomes: Sequence[Tagged | Failed]) -> list[object]:
    return [
        [mention.text for mention, _ in outcome.mentions] if isinstance(outcome, Tagged) else outcome
        for outcome in outcomes
    ]


class Counting(FakeTagger):
    """Remembers the sizes of the batches of posts; golden posts are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
        if [each.text for each in batch] != list(self.golden):
            self.sizes.append(len(batch))
        return super().tag_prepared(batch)


def test_mentions_come_with_their_canonical_form() -> None:
    (outcome,) = outcomes_of(FakeTagger(), "in Paris")
    assert Tagged([(mentions_of("in Paris")[0], "paris")]) == outcome


def test_the_failing_posts_of_a_batch_are_given_up_and_the_others_are_tagged() -> None:
    boom = Failed("RuntimeError", "boom in the model")
    tagger = Counting()
    outcomes = outcomes_of(tagger, "in Paris", "it goes BOOM", "in Rome", "BOOM", "in Oslo")
    assert [["Paris"], boom, ["Rome"], boom, ["Oslo"]] == texts_of(outcomes)


def test_what_is_known_is_given_before_the_rest_is_tried() -> None:
    """Else a stretch of poison posts looks like a worker that stands still, and ends as one, for ever."""
    tagger = FakeTagger()
    found = tag_batch(
        tagger, Golden(tagger), ActivityTracker(lambda: 0.0), prepared("BOOM", "BOOM", "in Rome", "in Oslo")
    )
    boom = Failed("RuntimeError", "boom in the model")
    assert [[boom], [boom], [["Rome"], ["Oslo"]]] == [texts_of(part) for part in found]


def test_a_poison_post_is_found_in_halves() -> None:
    tagger = Counting()
    outcomes_of(tagger, *["in Paris"] * 63, "BOOM")
    assert [64, 32, 32, 16, 16, 8, 8, 4, 4, 2, 2, 1, 1, 1] == tagger.sizes


def test_a_fault_that_does_not_come_again_costs_no_post() -> None:
    class FailsTwice(FakeTagger):
        failures = 0

        def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
            if self.failures:
                self.failures -= 1
                raise ValueError
            return super().tag_prepared(batch)

    tagger = FailsTwice()
    golden = Golden(tagger)
    tagger.failures = 2  # the batch, then the first post alone once
    outcomes = tagged_with(tagger, golden, "in Paris", "in Rome")
    assert [["Paris"], ["Rome"]] == texts_of(outcomes)


def test_a_batch_that_needs_too_much_memory_is_tagged_in_smaller_ones() -> None:
    class Small(Counting):
        def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
            found = super().tag_prepared(batch)
            if len(batch) > 4:
                raise MemoryError
            return found

    tagger = Small()
    assert [["Paris"]] * 16 == texts_of(outcomes_of(tagger, *["in Paris"] * 16))
    assert [16, 8, 4, 4, 8, 4, 4] == tagger.sizes


def test_where_the_golden_posts_fail_too_the_model_is_broken_and_no_post_is_given_up() -> None:
    class Breaks(FakeTagger):
        broken = False

        def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
            self.broken = self.broken or any("BREAK" in each.text for each in batch)
            if self.broken:
                raise RuntimeError("device-side assert")
            return super().tag_prepared(batch)

    with pytest.raises(FailedOnPost, match="device-side assert"):
        outcomes_of(Breaks(), "in Paris", "BREAK", "in Rome")


def test_a_model_that_tags_its_golden_posts_otherwise_is_broken_too() -> None:
    class Forgets(FakeTagger):
        forgotten = False

        def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
            found = super().tag_prepared(batch)
            return [[] for _ in found] if self.forgotten else found

    tagger = Forgets()
    golden = Golden(tagger)
    golden.check()
    tagger.forgotten = True
    with pytest.raises(FailedOnPost, match="golden posts"):
        golden.check()


def test_where_golden_posts_cannot_even_be_prepared_the_model_is_broken() -> None:
    tagger = FakeTagger()
    golden = Golden(tagger)
    golden.check_preparing()
    tagger.golden = ("UNPREPARABLE",)
    with pytest.raises(FailedOnPost, match="no longer prepares"):
        golden.check_preparing()


def test_a_tagger_that_loses_results_is_an_error_of_that_batch() -> None:
    """Else every post behind the lost one would get its neighbour's mentions."""

    class Loses(FakeTagger):
        def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
            if len(batch) > 1 and batch[0].text != self.golden[0]:
                return super().tag_prepared(batch)[1:]
            return super().tag_prepared(batch)

    assert [["Paris"], ["Rome"]] == texts_of(outcomes_of(Loses(), "in Paris", "in Rome"))
