"""The lexicon's features: of a word, of a whole segmentation, and of the spaces between words."""

import math
from itertools import pairwise
from typing import NamedTuple

# fmt: off
FEATURES = (
    "words",  # 1 for each word
    "length", "length_long",  # of known words: characters, those beyond LONG
    "log_probability", "rare", "rarer", "rarest",  # of known words; how far it is below RARE, RARER, RAREST
    "general", "web",  # log probability in each list, 0 where it lacks the word
    "general_only", "web_only",  # words in only one list
    "known_1", "known_2", "known_3",  # known words of this length, except `a` and `i`
    "unknown", "unknown_1", "unknown_2", "unknown_3",  # unknown words; those of this length
    "unknown_length", "unknown_long", "unknown_longer",  # their characters, those beyond LONG, LONGER
    "unknown_consonants", "unknown_spelling",  # of letters, no vowel; log probability (letter_trigrams.py)
    "number", "number_2", "number_4", "mixed",  # digits only; of two, of four; digits and others
    "pair", "pair_information",  # in the web's list of pairs; how much more frequent than by chance
    "pair_probability",  # its log probability
    "pair_or_word", "pair_over_word",  # a pair that is also a word; log of how much more frequent the pair is
    "word_not_pair", "word_not_pair_general", "word_not_pair_web",  # not a listed pair, but a word; of that word
    "pair_posts",  # frequency of a word pair in posts, log(1 + count)
    "network",  # log odds of a space, summed over the spaces
    "case_lU", "case_Ul", "case_UU", "case_UUl", "case_ll", "case_camel",  # spaces between cases: `_between`
    "letter_digit", "digit_letter", "digit_digit",  # spaces at digits
    "whole", "whole_length", "whole_known",  # without any space; its length; 1 if it is a known word
)


# fmt: on
RARE, RARER, RAREST = -11.0, -14.0, -17.0
LONG, LONGER = 6, 10
VOWELS = frozenset("aeiouy")


class Word(NamedTuple):
    """Natural log probability of a word in general English and on the web; 0.0 if the list lacks it."""

    general: float
    web: float

    @property
    def probability(self) -> float:
        """Log of the mean probability in both lists."""
        return math.log(sum(math.exp(value) for value in self if value) / len(self))


class Pair(NamedTuple):
    """Two consecutive words: pointwise mutual information on the web (0: not listed), log(1 + count) in posts."""

    information: float = 0.0
    posts: float = 0.0


NO_PAIR = Pair()


def word_features(word: str, entry: Word | None = None, probability: float = 0.0) -> dict[str, float]:
    """Features of a lower-case word, from its lexicon entry (None if missing) and that entry's probability; without
    the features of its letters.
    """
    size = len(word)
    if entry is None:
        kind = "unknown"
        found = {"words": 1.0, kind: 1.0, "unknown_length": float(size)}
        found |= {"unknown_long": max(0.0, size - LONG), "unknown_longer": max(0.0, size - LONGER)}
    else:
        kind = "known"
        found = {"words": 1.0, "length": float(size), "length_long": max(0.0, size - LONG)}
        found |= {"log_probability": probability, "rare": max(0.0, RARE - probability)}
        found |= {"rarer": max(0.0, RARER - probability), "rarest": max(0.0, RAREST - probability)}
        found |= {"general": entry.general, "web": entry.web}
        found |= {"general_only": float(not entry.web), "web_only": float(not entry.general)}
    if size <= 3 and word not in ("", "a", "i"):
        found[f"{kind}_{size}"] = 1.0
    if word.isdigit():
        found["number"] = 1.0
        if size in (2, 4):
            found[f"number_{size}"] = 1.0
    elif any(char.isdigit() for char in word):
        found["mixed"] = 1.0
    return found


def whole_features(folded: str, known: bool) -> dict[str, float]:
    """Extra features of a text without spaces, in addition to those of its single word."""
    return {"whole": 1.0, "whole_length": float(len(folded)), "whole_known": float(known)}


def space_features(text: str) -> list[str]:
    """For each character but the last, the name of the feature of a space after it."""
    camel = any(left.islower() and right.isupper() for left, right in pairwise(text))
    return [_between(text[i], text[i + 1], text[i + 2 : i + 3], camel) for i in range(len(text) - 1)]


def _between(left: str, right: str, after: str, camel: bool) -> str:
    """Lower (l) or upper (U) case around a space: foo|Bar, FOO|bar, FOO|BAR, FOO|Bar, foo|bar, fooBar|baz."""
    if left.isdigit():
        return "digit_digit" if right.isdigit() else "digit_letter"
    if right.isdigit():
        return "letter_digit"
    if right.isupper():
        if not left.isupper():
            return "case_lU"
        return "case_UUl" if after.islower() else "case_UU"
    if left.isupper():
        return "case_Ul"
    return "case_camel" if camel else "case_ll"
