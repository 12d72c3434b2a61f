"""The most accurate checkpoint that ships: small, its encoder a package's, and as free of its batch as the other."""

import pytest

from models import DEFAULT_CHECKPOINT
from models.core.post import Post
from models.inference.tagger import Tagger
from tests.unit.models.checkpoints.test_shipped import assert_alike, texts

pytestmark = pytest.mark.slow

CHECKPOINT = DEFAULT_CHECKPOINT.parent / "trimod-accurate"


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load(CHECKPOINT, "cpu")


def test_it_is_under_30_megabytes() -> None:
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) < 30e6


def test_it_knows_what_the_world_knows(tagger: Tagger) -> None:
    text = "Serena Williams lands in Paris 👨‍👩‍👧 to meet Justin Trudeau of the Liberals"
    found = {(m.text, m.type) for m in tagger.tag([text])[0]}
    assert {("Serena Williams", "PER"), ("Paris", "LOC"), ("Justin Trudeau", "PER")} <= found


def test_posts_alone_and_in_a_batch_are_tagged_alike(tagger: Tagger) -> None:
    posts = [Post(text) for text in texts(48)]
    together = tagger.tag(posts)
    assert sum(map(len, together)) > 30
    for post, expected in zip(posts, together, strict=True):
        [actual] = tagger.tag([post])
        assert_alike(expected, actual)
