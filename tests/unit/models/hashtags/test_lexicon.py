"""The lexicon's cut is the best of all segmentations, and its words survive the checkpoint."""

from dataclasses import asdict
from itertools import compress, product
from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hashtags.lexicon import LONGEST, Lexicon, LexiconConfig
from models.hashtags.lexicon_features import FEATURES, Pair, Word
from models.hashtags.lexicon_storage import pack, unpack
from models.hashtags.segmenter import Segmenter, SegmenterConfig

WORDS = {
    **{"the": Word(-2.0, -2.0), "x": Word(-6.0, -6.0), "files": Word(-5.0, -5.0), "file": Word(-12.5, -12.5)},
    **{"thex": Word(0.0, -18.0), "s": Word(-7.0, -7.0), "09": Word(-8.0, -8.0), "file09": Word(-15.0, 0.0)},
}
PAIRS = {("the", "x"): Pair(1.5, 0.0), ("x", "files"): Pair(4.0, 2.0), ("file", "s"): Pair(0.0, 1.0)}
SIZES = {"words": len(WORDS), "size": len(" ".join(WORDS)), "pairs": len(PAIRS), "sources": 2}
EVERY = LexiconConfig(**SIZES, weights={name: (7 * i % 11 - 5) / 10 for i, name in enumerate(FEATURES)})
UNIGRAMS = LexiconConfig(**SIZES, weights={"network": 1.0, "log_probability": 0.7, "unknown": -4.2})


def score(lexicon: Lexicon, text: str, ends: list[int], odds: list[float]) -> float:
    """The definition: the weights times the features of the whole segmentation."""
    return sum(
        lexicon.config.weights[name] * value for name, value in lexicon.features(text, ends, odds).items()
    )


def odds_for(text: str) -> list[float]:
    torch.manual_seed(len(text))
    odds: list[float] = (3 * torch.randn(len(text))).tolist()
    return odds


@pytest.mark.parametrize("text", ["TheXfiles", "xs", "q", "thexqqs", "filefiles", "XFILES09", "s2Thé", "a4b"])
def test_cut_is_the_best_of_all_segmentations(text: str) -> None:
    """Every feature has a weight here; what is summed on the way must be what the features say."""
    lexicon, odds = Lexicon(WORDS, PAIRS, EVERY), odds_for(text)
    places = range(1, len(text))
    every = (list(compress(places, chosen)) for chosen in product((False, True), repeat=len(text) - 1))
    best = max(every, key=lambda ends: score(lexicon, text, ends, odds))
    assert [place in best for place in range(1, len(text) + 1)] == lexicon.cut(text, odds)


def test_the_best_come_in_order_and_are_different() -> None:
    lexicon, odds = Lexicon(WORDS, PAIRS, EVERY), odds_for("TheXfiles")
    found = lexicon.best("TheXfiles", odds, 6)
    scores = [score(lexicon, "TheXfiles", ends, odds) for ends in found]
    assert sorted(scores, reverse=True) == scores
    assert len({tuple(ends) for ends in found}) == 6


def test_features_of_a_segmentation_written_out() -> None:
    odds = [0.0, 0.0, 1.5, 2.5, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0]
    features = Lexicon(WORDS, PAIRS, EVERY).features("TheXfiles09", [3, 4, 9], odds)
    expected = {
        **{"words": 4, "length": 11, "log_probability": -21, "known_1": 1, "known_2": 1, "known_3": 1},
        **{"number": 1, "number_2": 1, "pair": 2, "pair_information": 5.5, "pair_posts": 2, "network": 3},
        **{
            "case_lU": 1,
            "case_Ul": 1,
            "letter_digit": 1,
            "general": -21,
            "web": -21,
            "pair_probability": -13.5,
        },
        **{"pair_or_word": 1, "pair_over_word": pytest.approx(-6.5 + 18.0 + log(2))},
    }
    assert expected == {name: value for name, value in features.items() if value}


def test_words_that_only_one_list_has_and_words_that_might_be_two() -> None:
    """`thex` is on the web only; `file 09` is no listed pair, but `file09` a word."""
    lexicon = Lexicon(WORDS, PAIRS, EVERY)
    whole = lexicon.features("thex", [], [0.0] * 4)
    assert (0.0, -18.0, 0.0, 1.0) == tuple(
        whole[name] for name in ("general", "web", "general_only", "web_only")
    )
    two = lexicon.features("file09", [4], [0.0] * 6)
    assert (1.0, -15.0, 0.0) == tuple(
        two[name] for name in ("word_not_pair", "word_not_pair_general", "word_not_pair_web")
    )
    assert "pair_or_word" not in two


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("aB", "case_lU"), ("Ab", "case_Ul"), ("AB", "case_UU"), ("ABc", "case_UUl"), ("ab", "case_ll")),
        *(("abC", "case_camel"), ("a1", "letter_digit"), ("1a", "digit_letter"), ("11", "digit_digit")),
    ],
)
def test_space_is_described_by_the_case_around_it(text: str, expected: str) -> None:
    assert Lexicon(WORDS, PAIRS, EVERY).features(text, [1], [0.0, 0.0])[expected] == 1


def test_empty_text_has_no_cut() -> None:
    assert [] == Lexicon(WORDS, PAIRS, EVERY).cut("", [])


def test_an_unknown_text_of_any_length_can_stay_whole() -> None:
    """Words inside a text are limited in length; the text itself is not."""
    config = LexiconConfig(**SIZES, weights={"words": -1.0})
    text = "q" * (LONGEST + 10)
    assert [False] * len(text) == Lexicon(WORDS, PAIRS, config).cut(text, [0.0] * len(text))


def test_characters_whose_lower_case_is_longer_do_not_shift_the_cut() -> None:
    """'İ'.lower() is two characters."""
    lexicon = Lexicon(WORDS, PAIRS, UNIGRAMS)
    assert [True, False, False, False] == lexicon.cut("İthe", [5.0, 0.0, 0.0, 0.0])


@given(st.text(min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_any_text_can_be_cut(text: str) -> None:
    assert len(text) == len(Lexicon(WORDS, PAIRS, EVERY).cut(text, [0.0] * len(text)))


def test_lists_survive_packing() -> None:
    packed = pack(WORDS, PAIRS)
    assert SIZES == {
        "words": len(packed["scores"]),
        "size": len(packed["text"]),
        "pairs": len(packed["pairs"]),
        "sources": packed["scores"].shape[1],
    }
    assert (WORDS, PAIRS) == unpack(packed)


def indifferent(config: LexiconConfig) -> Segmenter:
    """Its network says nothing anywhere; the words alone decide."""
    segmenter = Segmenter(SegmenterConfig(hidden=4, channels=4, lexicon=config)).eval()
    for parameter in segmenter.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    return segmenter


def test_a_loaded_segmenter_uses_its_lexicon() -> None:
    config = LexiconConfig(**SIZES, weights={"words": -1.0, "unknown_length": -2.0, "pair": 0.5})
    segmenter = indifferent(config)
    packed = {f"lexicon_{name}": tensor for name, tensor in pack(WORDS, PAIRS).items()}
    segmenter.load_state_dict({**segmenter.state_dict(), **packed})
    assert ["The X Files", "files the"] == segmenter.segment(["TheXFiles", "filesthe"])


def test_configuration_survives_json_and_refuses_what_it_does_not_know() -> None:
    assert EVERY == LexiconConfig(**asdict(EVERY))
    with pytest.raises(ValueError, match="stored by another version"):
        LexiconConfig(sources=1)
    with pytest.raises(ValueError, match=r"unknown features \['colour'\]"):
        LexiconConfig(weights={"colour": 1.0})
