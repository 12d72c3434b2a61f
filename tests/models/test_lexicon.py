"""The lexicon's cut is the best of all segmentations, and its words survive the checkpoint."""

from itertools import product

import pytest
import torch

from models.lexicon import Lexicon, LexiconConfig, pack, unpack
from models.segmenter import Segmenter, SegmenterConfig

WORDS = {"the": -2.0, "x": -6.0, "files": -5.0, "file": -5.5, "thex": -9.0, "s": -7.0}
CONFIG = LexiconConfig(
    words=len(WORDS), size=len(" ".join(WORDS)), weight=0.7, unknown=6.0, unknown_per_char=2.0
)


def score(text: str, odds: list[float], spaces: tuple[bool, ...]) -> float:
    """The definition, computed the slow way."""
    marked = "".join(char + " " * space for char, space in zip(text, (*spaces, False), strict=True))
    unknown = {word: -(6.0 + 2.0 * len(word)) for word in marked.split()}
    words = sum(
        (unknown | WORDS)[word.lower()] if word.lower() in WORDS else unknown[word] for word in marked.split()
    )
    return 0.7 * words + sum(odd for odd, space in zip(odds, spaces, strict=False) if space)


@pytest.mark.parametrize("text", ["TheXfiles", "xs", "q", "thexqqs", "filefiles"])
def test_cut_is_the_best_of_all_segmentations(text: str) -> None:
    torch.manual_seed(len(text))
    odds = (3 * torch.randn(len(text))).tolist()
    every = product((False, True), repeat=len(text) - 1)
    best = max(every, key=lambda spaces: score(text, odds, spaces))
    assert Lexicon(WORDS, CONFIG).cut(text, odds) == [*best, False]


def test_empty_text_has_no_cut() -> None:
    assert Lexicon(WORDS, CONFIG).cut("", []) == []


def test_characters_whose_lower_case_is_longer_do_not_shift_the_cut() -> None:
    """'İ'.lower() is two characters."""
    assert Lexicon(WORDS, CONFIG).cut("İthe", [5.0, 0.0, 0.0, 0.0]) == [True, False, False, False]


def test_words_survive_packing_in_half_precision() -> None:
    text, scores = pack(WORDS)
    assert len(text) == CONFIG.size
    assert unpack(text.half(), scores) == WORDS


def test_a_loaded_segmenter_uses_its_lexicon() -> None:
    """The network here is indifferent everywhere; the words alone decide."""
    segmenter = Segmenter(SegmenterConfig(hidden=4, channels=4, lexicon=CONFIG)).eval()
    for parameter in segmenter.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    text, scores = pack(WORDS)
    segmenter.load_state_dict({**segmenter.state_dict(), "lexicon_text": text, "lexicon_scores": scores})
    assert segmenter.segment(["TheXFiles", "filesthe"]) == ["The X Files", "files the"]
