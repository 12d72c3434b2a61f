"""How frequent English words and pairs of words are: what made-up hashtags and the lexicon are made of.

Words: the mean of wordfreq (subtitles, news, books, Wikipedia, Twitter, Reddit) and of the web's unigrams that the
wordsegment package carries; pairs: the web's bigrams of the same package. No list is shipped as it is: the
segmenter's checkpoint holds the log probabilities that training/lexicon.py computes of them. Both packages
are needed for training only.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cache

import wordfreq
import wordsegment

WEB_TOKENS = 1_024_908_267_229  # of the corpus that wordsegment's counts come from


@dataclass(frozen=True)
class Frequencies:
    """Probabilities of words, and of pairs of successive words; ASCII letters and digits, lower case."""

    words: dict[str, float]
    pairs: dict[tuple[str, str], float]


@cache
def english() -> Frequencies:
    """Words and pairs of general English. Apostrophes are left out, as hashtags do: `don't` is `dont`."""
    shares: dict[str, float] = defaultdict(float)
    for word, share in wordfreq.get_frequency_dict("en", wordlist="large").items():
        shares[word.replace("'", "")] += share / 2
    wordsegment.load()
    for word, count in wordsegment.UNIGRAMS.items():
        shares[word] += count / WEB_TOKENS / 2
    words = {word: share for word, share in shares.items() if word.isascii() and word.isalnum()}
    pairs = {}
    for text, count in wordsegment.BIGRAMS.items():
        first, _, second = text.partition(" ")
        if first in words and second in words:
            pairs[first, second] = count / WEB_TOKENS
    return Frequencies(words, pairs)
