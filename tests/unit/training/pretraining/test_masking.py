"""Whole words are masked, as often as they should be, in the ways they should be, on what taggers read."""

import random
from collections import Counter
from pathlib import Path

import pytest

from models.core.inputs import Inputs
from models.text.post_encoder import CASES, PostEncoder
from models.text.tokenizer import tokenize
from models.text.vocabulary import Vocabulary
from tests.support.tiny_encoder import tiny_encoder
from training.errors import DataError
from training.pretraining.corpus import PostMasker, read_posts
from training.pretraining.masking import MASKED, RANDOM

WORDS = [f"word{number}" for number in range(200)]
TEXT = " ".join(WORDS)


@pytest.fixture(scope="module", params=["bert", "mpnet"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_encoder(tmp_path_factory.mktemp("encoder"), request.param, WORDS[:100]))


def test_shares_of_masked_random_and_kept_tokens(encoder: str) -> None:
    masker, rng, kinds, chosen, times = PostMasker(encoder, 0.15), random.Random(1), Counter(), 0, 200
    known = " ".join(WORDS[:100])  # one piece each
    row = masker.encode(known)[0].pieces[0]
    for _ in range(times):
        [masked] = masker.mask([known], rng)
        seen = masked.encoded.pieces[0]
        assert [row[column] for column in masked.columns] == masked.targets
        assert {c for c in range(len(row)) if seen[c] != row[c]} <= {*masked.columns}
        chosen += len(masked.columns)
        for column, target in zip(masked.columns, masked.targets, strict=True):
            is_mask = seen[column] == masker.masking.mask
            kinds["mask" if is_mask else "kept" if seen[column] == target else "random"] += 1
    assert 0.15 == pytest.approx(chosen / (100 * times), abs=0.005)
    assert MASKED == pytest.approx(kinds["mask"] / chosen, abs=0.03)
    assert RANDOM == pytest.approx(kinds["random"] / chosen, abs=0.02)
    assert 1 - MASKED - RANDOM == pytest.approx(kinds["kept"] / chosen, abs=0.02)


def test_all_pieces_of_a_token_are_predicted(encoder: str) -> None:
    masker, rng = PostMasker(encoder, 0.15), random.Random(2)
    text = " ".join(f"zebra{number}" for number in range(20))  # unknown: each character is a piece
    encoded, tokens = masker.encode(text)
    whole = [
        [*range(first, first + count)]
        for first, count in zip(encoded.first_piece, encoded.piece_count, strict=True)
    ]
    for masked in masker.mask([text] * 20, rng):
        for columns in whole:
            assert {*columns} & {*masked.columns} in (set(), {*columns})
    assert 6 == len(whole[0])
    assert 20 == len(tokens)


def test_special_pieces_and_marks_and_accounts_and_links_are_never_predicted(encoder: str) -> None:
    masker, rng = PostMasker(encoder, 0.9), random.Random(3)
    text = "@user #word1 word2 https://t.co/abc HTTPS://x.y @USER"
    encoded, tokens = masker.encode(text)
    hashtag, word = tokens.index("#word1"), tokens.index("word2")
    allowed = {encoded.first_piece[hashtag], encoded.first_piece[word]}
    assert allowed == {column for masked in masker.mask([text] * 50, rng) for column in masked.columns}
    assert [] == masker.mask(["@user @user https://t.co/abc"], rng)


def test_random_pieces_are_ordinary_ones(encoder: str) -> None:
    masking = PostMasker(encoder, 0.15).masking
    pieces = {
        index: piece for piece, index in PostMasker(encoder, 0.15).encoder._wordpieces.get_vocab().items()
    }  # type: ignore[union-attr]
    drawn = {pieces[index] for index in masking.ordinary}
    assert {"word1", "a", "##a", "[", "<"} <= drawn
    assert not drawn & {"[PAD]", "[UNK]", "[MASK]", "[CLS]", "<s>", "</s>", "<pad>", "<mask>"}


def test_posts_are_read_as_taggers_read_them(encoder: str) -> None:
    """URLs, HTML entities, marks and the case of tokens: the same pieces and cases as in a tagger's text row."""
    text = "RT @Word1: WORD2 &amp; iPhone https://t.co/x #Word3 ❤️"
    tagger = PostEncoder(Vocabulary(()), Vocabulary(()), Inputs(encoder))
    expected = tagger.encode(tagger.token_ids([token.text for token in tokenize(text)]))
    encoded, _ = PostMasker(encoder, 0.15).encode(text)
    assert (expected.pieces, expected.cases) == (encoded.pieces, encoded.cases)
    assert CASES.index("UPPER") in encoded.cases[0]


def test_the_case_of_a_masked_token_stays(encoder: str) -> None:
    masker = PostMasker(encoder, 0.9)
    [masked] = masker.mask(["WORD1 Word2 word3"], random.Random(4))
    assert masker.encode("WORD1 Word2 word3")[0].cases == masked.encoded.cases


def test_a_long_post_is_cut_at_a_window(encoder: str) -> None:
    masker = PostMasker(encoder, 0.15)
    encoded, tokens = masker.encode(TEXT)
    assert 256 >= len(encoded.pieces[0])
    assert len(tokens) == len(encoded.first_piece) < 200


def test_posts_are_split_each_once(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    lines = [f"post number {number}" for number in range(100)]
    first.write_text("\n".join([*lines, *lines, "too short", ""]), encoding="utf-8")
    second.write_text("post number 5\nfrom b alone\r\n", encoding="utf-8")
    posts = read_posts([first, second], 0.02, seed=1)
    assert sorted([*lines, "from b alone"]) == sorted(posts.training + posts.held_out)
    assert 2 == len(posts.held_out)
    assert posts == read_posts([first, second], 0.02, seed=1)
    assert posts.held_out != read_posts([first, second], 0.02, seed=2).held_out


def test_too_few_posts_and_unreadable_files_are_reported(tmp_path: Path) -> None:
    few, binary = tmp_path / "few.txt", tmp_path / "binary.txt"
    few.write_text("one two three\n", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match="1 posts of at least 3 tokens are too few to hold out 2%"):
        read_posts([few], 0.02, seed=1)
    with pytest.raises(DataError, match=r"cannot read .*binary\.txt"):
        read_posts([binary], 0.02, seed=1)
    with pytest.raises(DataError, match=r"cannot read .*missing\.txt"):
        read_posts([tmp_path / "missing.txt"], 0.02, seed=1)
