"""A post of any length is learnt whole, and scored as a served model would tag it: each entity once."""

from models.core.inputs import Inputs
from models.core.labels import spans
from models.text.post_encoder import PostEncoder
from models.text.windows import MAX_WINDOW_PIECES
from tests.support.tiny_checkpoint import CHARACTERS, WORDS
from training.data.datasets import Sample
from training.data.long_posts import in_windows, joined, parts_of


def test_every_entity_of_a_long_post_is_learnt_whole() -> None:
    """Of a post of more than a window only the first window was learnt."""
    names = [["Ann"], ["Bob", "Cem"], ["Dora", "of", "Bonn"]] * 60
    tokens = [token for name in names for token in (*name, "visits")]
    tags = [tag for name in names for tag in ("B-PER", *["I-PER"] * (len(name) - 1), "O")]
    short = Sample(["Ann"], ["B-PER"], ["hockey"])
    parts = in_windows([Sample(tokens, tags, ["hockey"]), short], PostEncoder(WORDS, CHARACTERS, Inputs()))
    assert short is parts.pop()
    assert all(len(part.tokens) <= MAX_WINDOW_PIECES and ["hockey"] == part.image_words for part in parts)
    whole = {tuple(part.tokens[span.start : span.end]) for part in parts for span in spans(part.tags)}
    assert {tuple(name) for name in names} == whole
    learnt = sum(len(spans(part.tags)) for part in parts)
    assert len(names) <= learnt <= len(names) + 24 * len(parts)


def test_an_entity_longer_than_a_window_costs_that_window_alone() -> None:
    tags = ["B-PER", *["I-PER"] * 400, "O", "B-LOC"]
    sample = Sample(["Ann"] * len(tags), tags, [])
    parts = in_windows([sample], PostEncoder(WORDS, CHARACTERS, Inputs()))
    assert [["O", "B-LOC"]] == [part.tags for part in parts]


def test_parts_cover_a_post_once() -> None:
    """Cut as training is, a long validation post had entities in two windows, and each counted."""
    names = [["Ann"], ["Bob", "Cem"], ["Dora", "of", "Bonn"]] * 60
    tokens = [token for name in names for token in (*name, "visits")]
    tags = [tag for name in names for tag in ("B-PER", *["I-PER"] * (len(name) - 1), "O")]
    samples = [Sample(["Ann"], ["B-PER"], []), Sample(tokens, tags, [])]
    parts = parts_of(samples, PostEncoder(WORDS, CHARACTERS, Inputs()))
    assert len(parts) > 2
    assert [spans(sample.tags) for sample in samples] == joined(
        parts, [spans(part.sample.tags) for part in parts], len(samples)
    )
