"""Frequencies of English words and word pairs, for synthetic hashtags and the lexicon.

Words come from wordfreq (subtitles, news, books, Wikipedia, Twitter, Reddit) and from the web unigrams in the
wordsegment package. Pairs are the web bigrams of the same package. The lists themselves are not shipped: the
segmenter's checkpoint contains log probabilities that training/hashtags/lexicon.py computes from them. Both packages
are needed for training only.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cache, cached_property

import wordfreq
import wordsegment

WEB_TOKENS = 1_024_908_267_229  # in the corpus of wordsegment's counts


@dataclass(frozen=True)
class Frequencies:
    """Probabilities of words, in general and on the web, and of consecutive word pairs on the web.

    Words consist of lower-case ASCII letters and digits.
    """

    general: dict[str, float]
    web: dict[str, float]
    pairs: dict[tuple[str, str], float]

    @cached_property
    def words(self) -> dict[str, float]:
        """The mean of both."""
        shares: dict[str, float] = defaultdict(float)
        for source in (self.general, self.web):
            for word, share in source.items():
                shares[word] += share / 2
        return dict(shares)


@cache
def english() -> Frequencies:
    """Words and pairs of general English. Apostrophes are removed, as in hashtags: `don't` is `dont`."""
    general: dict[str, float] = defaultdict(float)
    for word, share in wordfreq.get_frequency_dict("en", wordlist="large").items():
        general[word.replace("'", "")] += share
    wordsegment.load()
    web = {word: count / WEB_TOKENS for word, count in wordsegment.UNIGRAMS.items()}
    general, web = _plain(general), _plain(web)
    pairs = {}
    for text, count in wordsegment.BIGRAMS.items():
        first, _, second = text.partition(" ")
        if all(word in general or word in web for word in (first, second)):
            pairs[first, second] = count / WEB_TOKENS
    return Frequencies(general, web, pairs)


def _plain(shares: dict[str, float]) -> dict[str, float]:
    return {word: share for word, share in shares.items() if word.isascii() and word.isalnum()}
