"""The checkpoint that ships: whole, small, and right about offsets and batches, on texts made from the samples."""

import json
import random

import pytest

from models import DEFAULT_CHECKPOINT
from models.core.post import Mention, Post
from models.inference.tagger import Tagger
from stream.config.base import ROOT

MARKS = ["👨‍👩‍👧", "e\u0301", "𝔘", "नमस्ते", "\u200f", "#", "@", "  ", "🇨🇦"]


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load(DEFAULT_CHECKPOINT, "cpu")


def texts(count: int) -> list[str]:
    """Halves of sample posts put together, with marks that are hard to count between them."""
    chosen = random.Random(11)
    samples = []
    for line in (ROOT / "deploy" / "samples" / "posts.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            text = json.loads(line).get("text")
        except ValueError:
            continue  # the sample that is no JSON
        if isinstance(text, str) and text:
            samples.append(text[:300])
    parts = [part for text in samples for part in (text[: len(text) // 2], text[len(text) // 2 :])]
    return [
        " ".join([chosen.choice(parts), chosen.choice(MARKS), chosen.choice(parts)]) for _ in range(count)
    ]


def assert_alike(expected: list[Mention], actual: list[Mention]) -> None:
    """The same mentions, as sure of each as far as batches can differ."""
    assert [(m.start, m.end, m.type) for m in expected] == [(m.start, m.end, m.type) for m in actual]
    assert [m.confidence for m in expected] == pytest.approx([m.confidence for m in actual], abs=1e-4)


def test_it_is_under_24_megabytes() -> None:
    assert sum(path.stat().st_size for path in DEFAULT_CHECKPOINT.iterdir()) < 24e6


def test_it_knows_who_and_where(tagger: Tagger) -> None:
    text = "Serena Williams lands in Paris 👨‍👩‍👧 to meet Justin Trudeau"
    found = {(m.text, m.type) for m in tagger.tag([text])[0]}
    assert {("Serena Williams", "PER"), ("Paris", "LOC"), ("Justin Trudeau", "PER")} <= found


@pytest.mark.slow
def test_500_posts_alone_and_in_shuffled_batches_are_tagged_alike_and_in_place(tagger: Tagger) -> None:
    posts = [Post(text) for text in texts(500)]
    alone = [tagger.tag([post])[0] for post in posts]
    order = random.Random(2).sample(range(len(posts)), len(posts))
    together: dict[int, list[Mention]] = {}
    for start in range(0, len(order), 64):
        part = order[start : start + 64]
        together |= dict(zip(part, tagger.tag([posts[i] for i in part]), strict=True))
    assert sum(map(len, alone)) > 300
    for index, expected in enumerate(alone):
        actual = together[index]
        assert_alike(expected, actual)
        assert all(m.text == posts[index].text[m.start : m.end] for m in expected)
