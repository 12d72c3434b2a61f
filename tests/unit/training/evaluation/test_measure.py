"""Measuring through `Tagger`: the figures of `trimod evaluate`, and what a sample says is what the tagger gets."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from rich.progress import Progress

from models.core.labels import Span, spans, tags_of
from models.inference.tagger import Tagger
from tests.support.tiny_checkpoint import tiny_checkpoint
from training.data.conll import LabelledPost
from training.data.datasets import Sample
from training.evaluation.evaluate import evaluate, joined
from training.evaluation.measure import BATCH, look_of, measure, tag_samples, token_spans

TOKENS = ["Toronto", "Leafs", "won", "in", "#the_a", "👨‍👩‍👧", "hockey", "player"] * 3


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    return Tagger.load(tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny"), "cpu")


def with_own_answer(tagger: Tagger, sample: Sample) -> Sample:
    """The sample with the tags that the tagger gives it: of an untrained model all else scores 0."""
    [mentions] = tag_samples(tagger, [sample], Progress())
    found = token_spans(sample.tokens, mentions)
    assert len(found) > 2
    return replace(sample, tags=tags_of(found, len(sample.tokens)))


def test_it_scores_as_evaluate_does(tagger: Tagger) -> None:
    own = with_own_answer(tagger, Sample(TOKENS, ["O"] * len(TOKENS), ["a", "hockey", "player"]))
    first, *rest = spans(own.tags)
    other = tags_of([first._replace(type="LOC" if first.type == "PER" else "PER"), *rest], len(TOKENS))
    changed = replace(own, tags=other)
    measured = measure(tagger, [own, changed], Progress())
    posts = [LabelledPost(each.tokens, each.tags, "1") for each in (own, changed)]
    expected = evaluate(tagger, posts, {"1": "a hockey player"}, None, raw=False, progress=Progress())
    assert expected["f1"] == pytest.approx(measured.f1)
    assert 0 < measured.f1 < 100 == pytest.approx(measured.partial["overall"].f1)
    assert 1 == pytest.approx(sum(measured.weights.values()))
    assert 1 == sum(
        count for g, row in enumerate(measured.confusion.counts) for p, count in enumerate(row) if g != p
    )


def test_only_the_types_asked_for_are_scored(tagger: Tagger) -> None:
    own = with_own_answer(tagger, Sample(TOKENS, ["O"] * len(TOKENS), []))
    wanted = spans(own.tags)[0].type
    measured = measure(tagger, [own], Progress(), types=frozenset([wanted]))
    assert {"overall", wanted} == set(measured.strict)
    assert 100 == pytest.approx(measured.f1)


def test_hashtags_that_are_not_to_be_read_weigh_nothing(tagger: Tagger) -> None:
    sample = Sample(TOKENS, ["O"] * len(TOKENS), ["hockey"])
    read, unread = (measure(tagger, [replace(sample, hashtags=is_)], Progress()) for is_ in (True, False))
    assert read.weights["hashtags"] > 0 == pytest.approx(unread.weights["hashtags"])


def test_token_spans_undo_the_joining() -> None:
    from models.core.post import Mention

    text, found = joined(TOKENS)
    mention = Mention(found[3].start, found[5].end, text[found[3].start : found[5].end], "LOC", 1.0)
    assert [Span(3, 6, "LOC")] == token_spans(TOKENS, [mention])


def test_pixels_are_looked_at_by_the_image_id(tagger: Tagger, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (30, 30), "red").save(tmp_path / "images" / "7.jpg")
    # More than go together, and those that do not go with 7 lack theirs: that is no folder without images.
    seen = look_of(tagger)(tmp_path, ["7", *(f"no {number}" for number in range(BATCH))])
    assert BATCH + 1 == len(seen)
    assert ["7"] == [name for name, each in seen.items() if each.pixels is not None]
