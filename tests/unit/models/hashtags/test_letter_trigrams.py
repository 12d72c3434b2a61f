"""Letter trigrams against counts by hand."""

from math import exp, log

import pytest

from models.hashtags.letter_trigrams import Spelling

WORDS = {"ab": log(0.25), "abc": log(0.0625), "b": log(0.25)}  # weights: 1/2, 1/4, 1/2


@pytest.mark.parametrize(
    ("word", "probability"),
    [
        ("b", 0.5 / 1.25 * 1.0),  # starts 2 of 5, and always ends there
        ("ab", 0.75 / 1.25 * 1.0 * 0.5 / 0.75),
        ("abc", 0.75 / 1.25 * 1.0 * 0.25 / 0.75 * 1.0),
    ],
)
def test_probability_of_letters(word: str, probability: float) -> None:
    assert pytest.approx(probability, rel=1e-4) == exp(Spelling(WORDS).log_probability(word))


def test_words_are_likelier_than_noise() -> None:
    spelling = Spelling({"banana": -5.0, "bandana": -6.0, "panama": -6.0})
    assert spelling.log_probability("banama") > spelling.log_probability("bnmnbn")


def test_nothing_is_certain_and_other_letters_are_allowed() -> None:
    spelling = Spelling(WORDS)
    assert spelling.log_probability("") == 0.0
    assert spelling.log_probability("ж") < 0


def test_prefixes_are_words_of_their_own() -> None:
    """The hashtag decoder asks for all words that begin at a place at once."""
    spelling = Spelling(WORDS)
    assert [spelling.log_probability("abca"[:size]) for size in (1, 2, 3, 4)] == spelling.prefixes("abca")
    assert pytest.approx(0.75 / 1.25 * 0.5 / 0.75, rel=1e-4) == exp(spelling.prefixes("abc")[1])
    assert [] == spelling.prefixes("")
